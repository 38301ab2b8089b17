/**
 * The header of the PROXY protocol, versions 1 and 2: what a balancer in front of a listener says about its client.
 * Reads bytes only; whose header is believed, and what becomes of the connection, it does not know.
 * @module
 */

import { isIP } from 'node:net';

export type ProxyHeader =
  /** Sound so far, and not all there. */
  | 'partial'
  | 'malformed'
  | {
      /** Bytes of the header; what follows is the connection's own. */
      readonly length: number;
      /** The client; null: the connection speaks for itself (LOCAL, UNKNOWN). */
      readonly source: string | null;
    };

/** More is refused; the values that a v2 header may carry beside the addresses fit well in. */
export const MAX_PROXY_HEADER_BYTES = 4_096;

/** Longest line of version 1, with its CRLF. */
const MAX_V1_BYTES = 107;
const V1_START = Buffer.from('PROXY ');
const V2_SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const V2_HEAD_BYTES = 16;
const PORT = /^(?:0|[1-9]\d{0,4})$/;

export function parseProxyHeader(bytes: Buffer): ProxyHeader {
  if (startsLike(bytes, V2_SIGNATURE)) return parseV2(bytes);
  return startsLike(bytes, V1_START) ? parseV1(bytes) : 'malformed';
}

/** As far as both go. */
function startsLike(bytes: Buffer, start: Buffer): boolean {
  const common = Math.min(bytes.length, start.length);
  return bytes.compare(start, 0, common, 0, common) === 0;
}

function parseV1(bytes: Buffer): ProxyHeader {
  const end = bytes.subarray(0, MAX_V1_BYTES).indexOf('\r\n');
  if (end < 0) return bytes.length < MAX_V1_BYTES ? 'partial' : 'malformed';
  const length = end + 2;
  const [, protocol, ...rest] = bytes.toString('latin1', 0, end).split(' ');
  if (protocol === 'UNKNOWN') return { length, source: null };
  const family = protocol === 'TCP4' ? 4 : protocol === 'TCP6' ? 6 : -1;
  const [source = '', destination = '', ...ports] = rest;
  const sound =
    isIP(source) === family &&
    isIP(destination) === family &&
    ports.length === 2 &&
    ports.every((port) => PORT.test(port) && Number(port) <= 65_535);
  return sound ? { length, source } : 'malformed';
}

function parseV2(bytes: Buffer): ProxyHeader {
  if (bytes.length < V2_HEAD_BYTES) return 'partial';
  const command = bytes.readUInt8(12);
  const family = bytes.readUInt8(13);
  const length = V2_HEAD_BYTES + bytes.readUInt16BE(14);
  if (length > MAX_PROXY_HEADER_BYTES || (command !== 0x20 && command !== 0x21)) return 'malformed';
  // LOCAL: a health check of the balancer itself, say; whatever stands there is to be skipped.
  const local = command === 0x20 || family === 0x00;
  const addressBytes = family === 0x11 ? 4 : family === 0x21 ? 16 : -1;
  if (!local && (addressBytes < 0 || length < V2_HEAD_BYTES + 2 * addressBytes + 4)) return 'malformed';
  if (bytes.length < length) return 'partial';
  if (local) return { length, source: null };
  return { length, source: addressText(bytes.subarray(V2_HEAD_BYTES, V2_HEAD_BYTES + addressBytes)) };
}

function addressText(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join('.');
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(2 * index).toString(16));
  // The one way to write it (RFC 5952), so that limits and logs know the address again.
  return new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1);
}
