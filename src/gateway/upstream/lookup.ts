/**
 * One look-up of where endpoints are: addresses of a name, SRV records with the addresses of their targets, or a
 * file. Remembers what it needs to fill a gap in a partial answer; when to look again is the caller's business.
 * @module
 */

import type { Resolver } from 'node:dns/promises';
import { loadEndpointFile } from '../../config/endpoint-file.ts';
import type { DiscoverySource, EndpointAddress } from '../../config/policies/upstreams.ts';
import { readConfigFile } from '../../config/read-config.ts';

export interface Answer {
  /** Not empty. */
  readonly addresses: readonly EndpointAddress[];
  /** Time for which it holds by itself, milliseconds; infinite when only a change ends it. */
  readonly ttlMs: number;
}

/** Rejects when there is no answer, or an empty one. */
export type Lookup = () => Promise<Answer>;

export type NameResolver = Pick<Resolver, 'resolve4' | 'resolve6' | 'resolveSrv'>;

export function lookupOf(source: DiscoverySource, resolver: NameResolver): Lookup {
  switch (source.kind) {
    case 'dns':
      return byName(source, resolver);
    case 'srv':
      return bySrv(source, resolver);
    case 'file':
      return async () => ({ addresses: readEndpoints(source.path), ttlMs: Number.POSITIVE_INFINITY });
  }
}

interface Record {
  readonly address: string;
  /** Seconds. */
  readonly ttl: number;
}

type Family = 'ipv4' | 'ipv6';

/** The server says that there is nothing, as opposed to not saying anything. */
const NOTHING = new Set(['ENODATA', 'ENOTFOUND']);

/** Addresses of one name. A family whose question fails while the other one's is answered stays as it was. */
class HostAddresses {
  readonly #resolver: NameResolver;
  readonly #host: string;
  readonly #families: readonly Family[];
  readonly #known: { [family in Family]: readonly Record[] } = { ipv4: [], ipv6: [] };

  constructor(resolver: NameResolver, host: string, family: Family | 'any') {
    this.#resolver = resolver;
    this.#host = host;
    this.#families = family === 'any' ? ['ipv4', 'ipv6'] : [family];
  }

  async ask(): Promise<readonly Record[]> {
    const answers = await Promise.allSettled(this.#families.map((family) => this.#askFamily(family)));
    let failure: unknown = null;
    for (const [i, answer] of answers.entries()) {
      if (answer.status === 'rejected') failure = answer.reason;
      else this.#known[this.#families[i] as Family] = answer.value;
    }
    if (answers.every(({ status }) => status === 'rejected')) throw failure;
    const records = [...this.#known.ipv4, ...this.#known.ipv6];
    if (records.length === 0) throw failure ?? new Error(`${this.#host} has no addresses`);
    return records;
  }

  async #askFamily(family: Family): Promise<Record[]> {
    try {
      return family === 'ipv4'
        ? await this.#resolver.resolve4(this.#host, { ttl: true })
        : await this.#resolver.resolve6(this.#host, { ttl: true });
    } catch (error) {
      if (NOTHING.has(codeOf(error))) return [];
      throw error;
    }
  }
}

function byName(source: Extract<DiscoverySource, { kind: 'dns' }>, resolver: NameResolver): Lookup {
  const { host, port, scheme, weight, zone, priority } = source;
  const addresses = new HostAddresses(resolver, host, source.family);
  return async () => {
    const records = await addresses.ask();
    return {
      addresses: records.map(({ address }) => ({
        url: urlOf(scheme, address, port),
        weight,
        zone,
        priority,
        servername: host,
      })),
      ttlMs: ttlOf(records),
    };
  };
}

function bySrv(source: Extract<DiscoverySource, { kind: 'srv' }>, resolver: NameResolver): Lookup {
  const { host, scheme, zone } = source;
  let known = new Map<string, HostAddresses>();
  return async () => {
    // A single dot says that the service is not offered (RFC 2782).
    const targets = (await resolver.resolveSrv(host)).filter(({ name }) => name !== '' && name !== '.');
    const next = new Map<string, HostAddresses>();
    for (const { name } of targets)
      next.set(name, known.get(name) ?? new HostAddresses(resolver, name, 'any'));
    known = next;
    let failure: unknown = new Error(`${host} has no targets`);
    let ttlMs = Number.POSITIVE_INFINITY;
    const found: EndpointAddress[] = [];
    const asked = await Promise.allSettled(targets.map(({ name }) => next.get(name)?.ask() ?? []));
    for (const [i, answer] of asked.entries()) {
      const target = targets[i];
      if (answer.status === 'rejected') failure = answer.reason;
      else if (target !== undefined) {
        ttlMs = Math.min(ttlMs, ttlOf(answer.value));
        for (const { address } of answer.value) {
          found.push({
            url: urlOf(scheme, address, target.port),
            // Of the target, whatever the number of its addresses; 0 means hardly ever (RFC 2782).
            weight: Math.max(target.weight, 0.1) / answer.value.length,
            zone,
            priority: target.priority,
            servername: target.name,
          });
        }
      }
    }
    if (found.length === 0) throw failure;
    return { addresses: found, ttlMs };
  };
}

function ttlOf(records: readonly Record[]): number {
  return Math.min(...records.map(({ ttl }) => ttl)) * 1000;
}

function urlOf(scheme: string, address: string, port: number): string {
  const host = address.includes(':') ? `[${address}]` : address;
  return new URL(`${scheme}://${host}:${port}`).origin;
}

function readEndpoints(path: string): readonly EndpointAddress[] {
  const read = readConfigFile(path);
  const loaded = read.ok ? loadEndpointFile(read.file) : { value: null, diagnostics: [read.diagnostic] };
  if (loaded.value === null) {
    const [first] = loaded.diagnostics;
    throw new Error(first ? `${first.file}:${first.line}:${first.column} ${first.message}` : path);
  }
  if (loaded.value.length === 0) throw new Error(`${path} lists no endpoints`);
  return loaded.value;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
