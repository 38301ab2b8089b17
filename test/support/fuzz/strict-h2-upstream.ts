/**
 * An upstream that takes HTTP/2 without TLS as narrowly as RFC 9113 §8 has it: what Node refuses, and what could be read in
 * two ways once it is HTTP/1.1 again, is a violation. Answers every request with 204, or with trailers after a body.
 * @module
 */

import { constants, createServer, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { ReceivedRequest, StrictUpstream } from './received-request.ts';

const NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;
const VALUE = /^(?:[!-~\x80-\xff](?:[\t !-~\x80-\xff]*[!-~\x80-\xff])?)?$/;
const PATH = /^\/[!-"$-~]*$/;
const PSEUDO = [':authority', ':method', ':path', ':scheme'];
/** Node's own word for a connection that went away. */
const GONE = new Set(['ECONNRESET', 'EPIPE']);

export async function openStrictH2Upstream(
  inspect: (request: ReceivedRequest) => string | null = () => null,
): Promise<StrictUpstream> {
  const violations: string[] = [];
  const sessions = new Set<ServerHttp2Session>();
  let requests = 0;
  const server = createServer();
  server.on('session', (session) => {
    sessions.add(session);
    session.on('close', () => sessions.delete(session));
    session.on('error', (error: NodeJS.ErrnoException) => {
      if (!GONE.has(error.code ?? '')) violations.push(`the session: ${error.message}`);
    });
  });
  server.on('stream', (...[stream, , , raw]: [ServerHttp2Stream, unknown, unknown, unknown]) => {
    const fields = pairsOf(raw);
    const found = oddField(fields) ?? oddPseudo(fields);
    if (found !== null) violations.push(`${found}: ${JSON.stringify(fields)}`);
    collect(stream, fields, (request) => {
      requests += 1;
      const problem = oddLength(request) ?? oddField(request.trailers) ?? inspect(request);
      if (problem !== null) violations.push(`${problem}: ${JSON.stringify(request)}`);
      if (!stream.destroyed) stream.respond({ ':status': 204 }, { endStream: true });
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
        for (const session of sessions) session.destroy();
      }),
  };
}

/** Calls back with a request that has come to its end; one that its sender calls off says nothing. */
function collect(
  stream: ServerHttp2Stream,
  fields: readonly (readonly [string, string])[],
  done: (request: ReceivedRequest) => void,
): void {
  const pieces: Buffer[] = [];
  let trailers: (readonly [string, string])[] = [];
  stream.on('error', () => {});
  stream.on('data', (piece: Buffer) => pieces.push(piece));
  stream.on('trailers', (...[, , raw]: unknown[]) => {
    trailers = pairsOf(raw);
  });
  stream.on('end', () => {
    if (stream.rstCode !== constants.NGHTTP2_NO_ERROR) return;
    const path = fields.find(([name]) => name === ':path')?.[1] ?? '';
    done({ path, fields, body: Buffer.concat(pieces), trailers });
  });
}

function pairsOf(raw: unknown): (readonly [string, string])[] {
  const texts = Array.isArray(raw) ? raw.map(String) : [];
  return texts.flatMap((name, index) => (index % 2 === 0 ? [[name, texts[index + 1] ?? ''] as const] : []));
}

function oddField(fields: readonly (readonly [string, string])[]): string | null {
  const odd = fields.find(
    ([name, value]) => !(NAME.test(name) || PSEUDO.includes(name)) || !VALUE.test(value),
  );
  return odd === undefined ? null : `a field ${JSON.stringify(odd)}`;
}

function oddPseudo(fields: readonly (readonly [string, string])[]): string | null {
  const pseudo = fields.filter(([name]) => name.startsWith(':'));
  const names = pseudo.map(([name]) => name).sort();
  if (names.join() !== PSEUDO.join()) return 'other pseudo-fields than a request has';
  if (fields.slice(0, pseudo.length).some(([name]) => !name.startsWith(':')))
    return 'pseudo-fields among others';
  const of = (name: string): string => pseudo.find(([each]) => each === name)?.[1] ?? '';
  if (!PATH.test(of(':path'))) return 'a path';
  if (!/^[A-Z][A-Z-]*$/.test(of(':method'))) return 'a method';
  const hosts = fields.filter(([name]) => name === 'host');
  return hosts.every(([, value]) => value === of(':authority')) ? null : 'a host beside another authority';
}

function oddLength({ fields, body }: ReceivedRequest): string | null {
  const lengths = fields.filter(([name]) => name === 'content-length').map(([, value]) => value);
  if (lengths.length > 1) return 'two lengths';
  return lengths.length === 0 || lengths[0] === String(body.length)
    ? null
    : 'a length that is not that of the body';
}
