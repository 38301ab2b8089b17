/**
 * An upstream that reads HTTP/1.1 byte by byte and as narrowly as the grammar allows (RFC 9112): whatever two parsers
 * could read differently is a violation. Answers every sound request with 204.
 * @module
 */

import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { ReceivedRequest, StrictUpstream } from './received-request.ts';

const HEAD =
  /^[A-Z][A-Z-]* \/[!-~]* HTTP\/1\.1\r\n(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+: ?[\t !-~\x80-\xff]*\r\n)*\r\n$/;
const CHUNK = /^([1-9a-fA-F][0-9a-fA-F]{0,7}|0)\r\n/;
const TRAILERS = /^(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+: ?[\t !-~\x80-\xff]*\r\n)*\r\n$/;

/** The first request of a text; `length` 0: not all of it is there; −1: a violation. */
interface Read {
  readonly length: number;
  readonly body: string;
  readonly trailers: string;
}

const MORE: Read = { length: 0, body: '', trailers: '' };
const VIOLATION: Read = { length: -1, body: '', trailers: '' };

function readRequest(text: string): Read {
  const end = text.indexOf('\r\n\r\n') + 4;
  if (end < 4) return MORE;
  const head = text.slice(0, end);
  const values = (name: string) =>
    [...head.matchAll(new RegExp(`^${name}: ?(.*)\r$`, 'gim'))].map(([, value]) => value);
  const lengths = values('content-length');
  const codings = values('transfer-encoding');
  if (!HEAD.test(head) || values('host').length !== 1 || lengths.length + codings.length > 1)
    return VIOLATION;
  if (codings.length === 1) return codings[0] === 'chunked' ? readChunks(text, end) : VIOLATION;
  if (lengths.length === 0) return { length: end, body: '', trailers: '' };
  if (!/^\d+$/.test(lengths[0] ?? '')) return VIOLATION;
  const whole = end + Number(lengths[0]);
  return text.length >= whole ? { length: whole, body: text.slice(end, whole), trailers: '' } : MORE;
}

function readChunks(text: string, from: number): Read {
  let at = from;
  let body = '';
  for (;;) {
    if (!text.includes('\r\n', at)) return MORE;
    const match = CHUNK.exec(text.slice(at, at + 32));
    if (match === null) return VIOLATION;
    at += match[0].length;
    if (match[1] === '0') return readTrailers(text, at, body);
    const size = Number.parseInt(match[1] ?? '', 16);
    if (text.length < at + size + 2) return MORE;
    body += text.slice(at, at + size);
    at += size + 2;
    if (text.slice(at - 2, at) !== '\r\n') return VIOLATION;
  }
}

function readTrailers(text: string, from: number, body: string): Read {
  const end = text.startsWith('\r\n', from) ? from + 2 : text.indexOf('\r\n\r\n', from) + 4;
  if (end < from) return MORE;
  const trailers = text.slice(from, end);
  return TRAILERS.test(trailers) ? { length: end, body, trailers } : VIOLATION;
}

function received(text: string, { body, trailers }: Read): ReceivedRequest {
  const [line = '', ...fields] = text.slice(0, text.indexOf('\r\n\r\n')).split('\r\n');
  return {
    path: line.split(' ')[1] ?? '',
    fields: fields.map(toField),
    body: Buffer.from(body, 'latin1'),
    trailers: trailers
      .split('\r\n')
      .filter((each) => each !== '')
      .map(toField),
  };
}

function toField(line: string): readonly [string, string] {
  const at = line.indexOf(':');
  return [line.slice(0, at).toLowerCase(), line.slice(at + 1).trim()];
}

/** `inspect`: what else is a violation about a request; null: nothing. */
export async function openStrictUpstream(
  inspect: (request: ReceivedRequest) => string | null = () => null,
): Promise<StrictUpstream> {
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
      for (let read = readRequest(text); read.length !== 0; read = readRequest(text)) {
        if (read.length < 0) {
          violations.push(text);
          socket.destroy();
          return;
        }
        const problem = inspect(received(text, read));
        if (problem !== null) violations.push(`${problem}: ${text.slice(0, read.length)}`);
        requests += 1;
        text = text.slice(read.length);
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
