/**
 * A stored response as bytes that another gateway can read: a line of JSON, then the body. Refuses what it did not
 * write itself; knows no tier.
 * @module
 */

import type { StoredResponse } from './stored-response.ts';

/** Changes with the form, so that gateways of two releases do not read each other's. */
const FORM = 2;

/** Told by purges: how far the gateway was when it asked for the response. */
export interface SharedMark {
  readonly generation: string;
  readonly sequence: number;
}

export interface SharedResponse {
  readonly stored: StoredResponse;
  readonly mark: SharedMark;
}

/** What tells variants of one selector apart: first which fields, then their values. */
export type SharedValue =
  | { readonly kind: 'response'; readonly response: SharedResponse }
  | { readonly kind: 'varies'; readonly vary: readonly string[] };

type Head = Omit<StoredResponse, 'body' | 'queryKey'>;

export function writeVaries(vary: readonly string[]): Buffer {
  return Buffer.from(`${JSON.stringify({ form: FORM, vary })}\n`);
}

export function writeResponse({ body, queryKey, ...head }: StoredResponse, mark: SharedMark): Buffer {
  return Buffer.concat([Buffer.from(`${JSON.stringify({ form: FORM, mark, head })}\n`), body]);
}

/** Null when it is of another release, or damaged. */
export function readShared(bytes: Buffer, queryKey: StoredResponse['queryKey']): SharedValue | null {
  const end = bytes.indexOf(0x0a);
  try {
    // Written by the functions above; the form says so.
    const line = JSON.parse(bytes.toString('utf8', 0, Math.max(0, end))) as
      | { form: number; vary: string[]; head?: undefined }
      | { form: number; mark: SharedMark; head: Head };
    if (line.form !== FORM) return null;
    if (line.head === undefined) return { kind: 'varies', vary: line.vary };
    const body = Buffer.from(bytes.subarray(end + 1));
    return { kind: 'response', response: { stored: { ...line.head, queryKey, body }, mark: line.mark } };
  } catch {
    return null;
  }
}
