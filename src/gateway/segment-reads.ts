/**
 * Which parts of the traffic an attempt belongs to, by the `segments` of its service: compiled to readers. Counts
 * nothing.
 * @module
 */

import type { SegmentSource } from '../config/policies/segments.ts';
import { isKnownMethod } from './known-methods.ts';
import { claimText, headerText, type StickySubject } from './sticky.ts';

/** What a segment is read from; every exchange is one. */
export interface SegmentSubject extends StickySubject {
  readonly route: { readonly name: string } | null;
  readonly method: string;
}

/** One dimension: the value of an attempt at the endpoint with this origin; undefined: it is in no segment. */
export interface SegmentRead {
  readonly dimension: string;
  readonly read: (exchange: SegmentSubject, origin: string) => string | undefined;
}

export function compileSegments(sources: readonly SegmentSource[]): readonly SegmentRead[] {
  return sources.map(compile);
}

function compile(source: SegmentSource): SegmentRead {
  switch (source) {
    case 'endpoint':
      return { dimension: source, read: (_, origin) => origin };
    case 'route':
      return { dimension: source, read: ({ route }) => route?.name };
    case 'method':
      // Any other a client could make up.
      return { dimension: source, read: ({ method }) => (isKnownMethod(method) ? method : 'other') };
    default: {
      const values: ReadonlySet<string | undefined> = new Set(source.values);
      const read = 'claim' in source ? claimReader(source.claim) : headerReader(source.header);
      return {
        dimension: source.name,
        read: (exchange) => {
          const value = read(exchange);
          return values.has(value) ? value : undefined;
        },
      };
    }
  }
}

function claimReader(claim: string): (exchange: SegmentSubject) => string | undefined {
  return (exchange) => claimText(exchange, claim);
}

function headerReader(header: string): (exchange: SegmentSubject) => string | undefined {
  return (exchange) => headerText(exchange, header);
}
