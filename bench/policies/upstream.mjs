/**
 * The upstream of the policy bench: the same pages over plain HTTP, TLS and HTTP/2, what gives bodies back, a server of
 * introspection, and a sink for spans. As cheap as Node can be where it answers the gateway's route. Knows no policies.
 * @module
 */

import { readFileSync } from 'node:fs';
import { createServer as createHttp } from 'node:http';
import { createServer as createHttp2 } from 'node:http2';
import { createServer } from 'node:net';
import { createServer as createTls } from 'node:tls';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import {
  answerTo,
  CALL,
  CALL_FRAME,
  CALL_JSON,
  CODED_PATH,
  FRAMING_ECHO,
  PAGE,
  TRAILER_ECHO,
} from './pages.mjs';

const END_OF_HEAD = '\r\n\r\n';
const LENGTH = /\r\ncontent-length: *(\d+)/i;
const CHUNKED = /\r\ntransfer-encoding:/i;
/** Of the start: younger than anything that a scenario stores for. */
const DATE = new Date().toUTCString();
const CODED_BODY = gzipSync(PAGE);
const CODED_ANSWER = Buffer.concat([
  Buffer.from(
    `HTTP/1.1 200 Fine\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n` +
      `Content-Length: ${CODED_BODY.length}\r\nDate: ${DATE}\r\n\r\n`,
  ),
  CODED_BODY,
]);

/**
 * Starts all of it on free ports. `certificate`: `{cert, key}` files, or null for no TLS.
 * @returns `ports` {first, second, h2, services, echo, tls: a port or null} and `close`
 */
export async function openUpstream(certificate) {
  const tls = certificate && {
    cert: readFileSync(certificate.cert),
    key: readFileSync(certificate.key),
  };
  const servers = {
    first: createServer({ noDelay: true }, serve),
    second: createServer({ noDelay: true }, serve),
    h2: createHttp2().on('stream', serveHttp2),
    services: createHttp(serveServices),
    echo: createHttp(serveEcho),
    ...(tls ? { tls: createTls(tls, serve) } : {}),
  };
  const sockets = new Set();
  const ports = { tls: null };
  for (const [name, server] of Object.entries(servers)) {
    server.on('connection', (socket) => {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    ports[name] = server.address().port;
  }
  const close = async () => {
    const closed = Object.values(servers).map((server) => new Promise((resolve) => server.close(resolve)));
    for (const socket of sockets) socket.destroy();
    await Promise.all(closed);
  };
  return { ports, close };
}

function serve(socket) {
  socket.setNoDelay?.(true);
  let rest = Buffer.alloc(0);
  let nth = 0;
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (;;) {
      const end = rest.indexOf(END_OF_HEAD);
      if (end === -1) return;
      const head = rest.latin1Slice(0, end + 2);
      const bodyBytes = Number(LENGTH.exec(head)?.[1] ?? 0);
      const next = end + END_OF_HEAD.length + bodyBytes;
      if (rest.length < next && !CHUNKED.test(head)) return;
      // No scenario sends a body without a length: whatever made one is to be seen at once.
      if (CHUNKED.test(head)) return void socket.end('HTTP/1.1 501 Chunked\r\nContent-Length: 0\r\n\r\n');
      rest = rest.subarray(next);
      nth += 1;
      socket.write(encoded(targetOf(head), nth));
    }
  });
}

function targetOf(head) {
  const from = head.indexOf(' ') + 1;
  return head.slice(from, head.indexOf(' ', from)).replace(/\?.*$/, '');
}

function encoded(path, nth) {
  if (path === CODED_PATH) return CODED_ANSWER;
  const { status, body } = answerTo(path, nth);
  return (
    `HTTP/1.1 ${status} Fine\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n` +
    `Date: ${DATE}\r\n\r\n${body}`
  );
}

/** The pages, and one gRPC method. */
function serveHttp2(stream, { ':path': path }) {
  stream.on('error', () => stream.destroy());
  stream.resume();
  stream.on('end', () => {
    if (path === CALL) {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.end(CALL_FRAME);
      return;
    }
    const { status, body } = path.startsWith('/v1/pages/')
      ? { status: 200, body: CALL_JSON }
      : answerTo(path, 1);
    const length = Buffer.byteLength(body);
    stream.respond({ ':status': status, 'content-type': 'application/json', 'content-length': length });
    stream.end(body);
  });
}

/** Gives the body back as it came, and says how it came and which trailer came behind it. */
function serveEcho(request, response) {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('error', () => response.destroy());
  request.on('end', () => {
    const body = Buffer.concat(chunks);
    response.writeHead(200, {
      'content-type': request.headers['content-type'] ?? 'application/octet-stream',
      'content-length': body.length,
      [FRAMING_ECHO]: request.headers['transfer-encoding'] === undefined ? 'length' : 'chunked',
      [TRAILER_ECHO]: request.trailers['x-digest'] ?? 'none',
    });
    response.end(body);
  });
}

/** Introspection knows every token; spans are taken and thrown away. */
function serveServices(request, response) {
  request.resume();
  request.on('end', () => {
    const body =
      request.url === '/introspect'
        ? JSON.stringify({ active: true, sub: 'ann', scope: 'pages:read', exp: 4_000_000_000 })
        : '{}';
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length });
    response.end(body);
  });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [cert, key] = process.argv.slice(2);
  const { ports } = await openUpstream(cert === undefined ? null : { cert, key });
  process.stdout.write(`listening ${JSON.stringify(ports)}\n`);
}
