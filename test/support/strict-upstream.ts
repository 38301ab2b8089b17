/**
 * An upstream that reads HTTP/1.1 byte by byte and as narrowly as the grammar allows (RFC 9112): whatever two parsers
 * could read differently is a violation. Answers every sound request with 204.
 * @module
 */

import { type AddressInfo, createServer, type Socket } from 'node:net';

export interface StrictUpstream {
  readonly url: string;
  /** What was not sound, as it came. */
  readonly violations: string[];
  readonly requests: () => number;
  close(): Promise<void>;
}

const HEAD =
  /^(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) \/[!-~]* HTTP\/1\.1\r\n(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+: ?[\t !-~\x80-\xff]*\r\n)*\r\n$/;
const CHUNKS = /^(?:([1-9a-fA-F][0-9a-fA-F]*)\r\n|0\r\n\r\n)/;

/** Bytes of the first request in `text`; 0: not all of it is there; −1: a violation. */
function lengthOf(text: string): number {
  const end = text.indexOf('\r\n\r\n') + 4;
  if (end < 4) return 0;
  const head = text.slice(0, end);
  const values = (name: string) =>
    [...head.matchAll(new RegExp(`^${name}: ?(.*)\r$`, 'gim'))].map(([, value]) => value);
  const lengths = values('content-length');
  const codings = values('transfer-encoding');
  const framed = lengths.length + codings.length;
  if (!HEAD.test(head) || values('host').length !== 1 || framed > 1) return -1;
  if (codings.length === 1) return codings[0] === 'chunked' ? chunkedEnd(text, end) : -1;
  if (lengths.length === 0) return end;
  if (!/^\d+$/.test(lengths[0] ?? '')) return -1;
  const whole = end + Number(lengths[0]);
  return text.length >= whole ? whole : 0;
}

function chunkedEnd(text: string, from: number): number {
  let at = from;
  for (;;) {
    if (!text.includes('\r\n', at)) return 0;
    const match = CHUNKS.exec(text.slice(at, at + 32));
    if (match === null) return text.length - at < 5 ? 0 : -1;
    at += match[0].length;
    if (match[1] === undefined) return at;
    at += Number.parseInt(match[1], 16) + 2;
    if (text.length < at) return 0;
    if (text.slice(at - 2, at) !== '\r\n') return -1;
  }
}

export async function openStrictUpstream(): Promise<StrictUpstream> {
  const violations: string[] = [];
  const sockets = new Set<Socket>();
  let requests = 0;
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    let text = '';
    socket.on('data', (piece) => {
      text += piece.toString('latin1');
      for (let length = lengthOf(text); length !== 0; length = lengthOf(text)) {
        if (length < 0) {
          violations.push(text);
          socket.destroy();
          return;
        }
        requests += 1;
        text = text.slice(length);
        socket.write('HTTP/1.1 204 No Content\r\n\r\n');
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    violations,
    requests: () => requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
