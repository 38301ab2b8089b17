/**
 * Who the client is behind trusted proxies, and the X-Forwarded-* fields that tell the upstream.
 * Knows addresses and field values only.
 * @module
 */

import { BlockList, isIP } from 'node:net';
import { elementsFromRight } from '../core/policy/forwarded-elements.ts';
import { MAX_FORWARDED_HOPS } from './limits.ts';

export type TrustCheck = (address: string) => boolean;

const MAX_REMEMBERED_PEERS = 4_096;

/** Compiles addresses and CIDR ranges; an entry that is neither throws, naming it. */
export function compileTrust(entries: readonly string[]): TrustCheck {
  if (entries.length === 0) return () => false;
  const list = new BlockList();
  for (const entry of entries) addTo(list, entry);
  const remembered = new Map<string, boolean>();
  return (address) => {
    const known = remembered.get(address);
    if (known !== undefined) return known;
    const family = isIP(address);
    const trusted = family !== 0 && list.check(address, family === 6 ? 'ipv6' : 'ipv4');
    if (remembered.size >= MAX_REMEMBERED_PEERS) remembered.clear();
    remembered.set(address, trusted);
    return trusted;
  };
}

function addTo(list: BlockList, entry: string): void {
  const [address = '', prefix] = entry.split('/');
  const family = isIP(address);
  const bits = prefix === undefined ? undefined : Number(prefix);
  const sound = bits === undefined || (/^\d+$/.test(prefix ?? '') && bits <= (family === 6 ? 128 : 32));
  if (family === 0 || !sound)
    throw new RangeError(`trusted proxy "${entry}" is not an address or CIDR range`);
  const kind = family === 6 ? 'ipv6' : 'ipv4';
  if (bits === undefined) list.addAddress(address, kind);
  else list.addSubnet(address, bits, kind);
}

const MAPPED = /^(?:::|(?:0{1,4}:){5})ffff:(?:(\d+\.\d+\.\d+\.\d+)|([0-9a-f]{1,4}):([0-9a-f]{1,4}))$/i;

/**
 * `::ffff:192.0.2.1`, as dual-stack sockets report IPv4 peers, is `192.0.2.1` (RFC 4291 §2.5.5.2), however it is written:
 * seen as IPv6, all of IPv4 would be in one group of addresses.
 */
export function plainAddress(address: string): string {
  if (!address.includes(':')) return address;
  const [, dotted, high, low] = MAPPED.exec(address) ?? [];
  if (dotted !== undefined) return dotted;
  if (high === undefined || low === undefined) return address;
  const [upper, lower] = [Number.parseInt(high, 16), Number.parseInt(low, 16)];
  return [upper >> 8, upper & 255, lower >> 8, lower & 255].join('.');
}

/**
 * The client's address: the peer, or, behind a trusted peer, the first address from the right of
 * X-Forwarded-For that is not a trusted proxy. A malformed entry ends the walk: what is left of it is hearsay.
 */
export function clientAddress(peer: string, forwardedFor: string, isTrusted: TrustCheck): string {
  let client = peer;
  const hops = forwardedFor.split(',');
  const end = Math.max(0, hops.length - MAX_FORWARDED_HOPS);
  for (let i = hops.length - 1; i >= end; i -= 1) {
    const hop = addressOfHop(hops[i] ?? '');
    if (hop === undefined) return client;
    client = hop;
    if (!isTrusted(hop)) return client;
  }
  return client;
}

/** `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`. */
function addressOfHop(text: string): string | undefined {
  const hop = text.trim();
  if (isIP(hop) !== 0) return plainAddress(hop);
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+))(?::\d{1,5})?$/.exec(hop);
  const address = match?.[1] ?? match?.[2];
  return address !== undefined && isIP(address) !== 0 ? plainAddress(address) : undefined;
}

/** What a `Forwarded` field of a trusted peer says. */
export interface ForwardedChain {
  /** The part of it that is well-formed: what may go to the upstream. */
  readonly field: string;
  /** The addresses at its right end as X-Forwarded-For has them, up to the first hop without one. */
  readonly addresses: string;
  /** Of the element of the client; empty where it does not say. */
  readonly proto: string;
  readonly host: string;
}

/** `isTrusted` finds the element that speaks of the client: the first from the right that is no trusted proxy's. */
export function readForwarded(field: string, isTrusted: TrustCheck): ForwardedChain {
  const elements = elementsFromRight(field, MAX_FORWARDED_HOPS);
  const addresses: string[] = [];
  let proto = '';
  let host = '';
  for (const element of elements) {
    const address = addressOfNode(element.for);
    if (address === undefined) break;
    if (addresses.every(isTrusted)) {
      proto = element.proto;
      host = element.host;
    }
    addresses.push(address);
  }
  const chain = elements.map(({ text }) => text).reverse();
  return { field: chain.join(', '), addresses: addresses.reverse().join(', '), proto, host };
}

/** RFC 7239 §6; undefined for `unknown` and for obfuscated identifiers, which name no address. */
function addressOfNode(node: string): string | undefined {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+))(?::(?:\d{1,5}|_[\w.-]+))?$/.exec(node);
  const address = match?.[1] ?? match?.[2];
  return address !== undefined && isIP(address) !== 0 ? plainAddress(address) : undefined;
}

/** One element of `Forwarded` (RFC 7239 §4) for this hop. */
export function forwardedElement(peer: string, host: string, proto: string): string {
  const node = peer.includes(':') ? `"[${peer}]"` : peer;
  return `for=${node};host="${host}";proto=${proto}`;
}
