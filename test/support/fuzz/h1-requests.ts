/**
 * HTTP/1.1 requests as bytes: sound ones, ones that lie about their bodies, and ones that are hardly requests. Knows no
 * gateway; targets begin with the paths that it is given.
 * @module
 */

import { bodyFrom } from './bodies.ts';
import type { Field } from './h2-frames.ts';
import type { Seeded } from './seeded.ts';

const METHODS = ['GET', 'POST', 'PUT', 'HEAD', 'OPTIONS', 'TRACE', 'CONNECT', 'get', 'G\0T', ''];
export const TARGETS = [
  '/',
  '/a/../b',
  '/%2e%2e/x',
  '//evil.test/x',
  'http://evil.test/',
  '*',
  '/a\tb',
  '/é',
  '/a?b#c',
  '/\\x',
  '/%00',
  '/a%2fb',
  '/a;/../b',
];
const VERSIONS = ['HTTP/1.1', 'HTTP/1.0', 'HTTP/1.2', 'HTTP/2.0', 'http/1.1', ''];
const FIELDS = [
  'Host: shop.test',
  'Host: a/../@evil.test',
  'Host:',
  'Content-Length: 5',
  'Content-Length: 5, 5',
  'Content-Length: +5',
  'Content-Length: 0x5',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: ,chunked',
  'Transfer-Encoding: gzip, chunked',
  'Transfer-Encoding:\tchunked',
  'Transfer_Encoding: chunked',
  'Transfer-Encoding : chunked',
  'Content_Length: 9',
  'Connection: host, authorization',
  'Connection: close',
  'Connection: keep-alive, x-a',
  'Connection: transfer-encoding, x-digest, trailer',
  'X-A: \x01',
  'X-A: é',
  ' folded: x',
  'Expect: 100-continue',
  'Upgrade: h2c',
  'HTTP2-Settings: AAMAAABkAAQAAP__',
  'TE: trailers, chunked',
  'Trailer: Host',
  'Trailer: x-digest',
  'X-A: 1\rX-B: 2',
  'X-A: 1\nX-B: 2',
  '__proto__: x',
  'Content-Type: application/json',
  'Content-Encoding: gzip',
  'Idempotency-Key: "a"',
  'Range: bytes=0-1',
];
const BODIES = [
  '',
  'hello',
  '5\r\nhello\r\n0\r\n\r\n',
  '5;x=y\r\nhello\r\n0\r\n\r\n',
  '5\nhello\n0\n\n',
  '-1\r\n',
  '0\r\nHost: x\r\n\r\n',
  '5\r\nhello\r\n0\r\nX-Digest: a\r\n\r\n',
  'fffffffffffffffff\r\n',
];
export const TRAILERS: readonly Field[] = [
  ['x-digest', 'abc'],
  ['x-digest', 'second'],
  ['X-Digest', 'é'],
  ['x-digest', 'a\x01b'],
  ['x-digest', ''],
  ['x-other', '1'],
  ['content-length', '0'],
  ['transfer-encoding', 'chunked'],
  ['host', 'evil.test'],
  ['authorization', 'Basic x'],
  ['http2-settings', 'AA'],
  ['__proto__', 'x'],
];
const DECLARED = ['x-digest', 'X-Digest, x-other', 'x-digest, content-length', 'host', ',', ''];

/** One request. `prefixes`: paths of routes; the first one is taken most often. */
export function requestFrom(random: Seeded, prefixes: readonly string[]): Buffer {
  const kind = random.next();
  if (kind < 0.5) return bodiedRequest(random, random.pick(prefixes));
  if (kind < 0.6) return upgradeRequest(random);
  const wild = wildRequest(random, random.mostly(prefixes));
  return random.chance(0.2) ? random.damaged(wild) : wild;
}

function wildRequest(random: Seeded, prefix: string): Buffer {
  const fields = random.chance(0.8) ? ['Host: shop.test'] : [];
  for (let count = random.below(4); count > 0; count -= 1) fields.push(random.pick(FIELDS));
  const end = random.chance(0.95) ? '\r\n' : '\n';
  const method = random.chance(0.6) ? random.pick(METHODS.slice(0, 3)) : random.pick(METHODS);
  const target = prefix + random.mostly(TARGETS, 0.3).slice(prefix === '' ? 0 : 1);
  const line = `${method} ${target} ${random.mostly(VERSIONS, 0.3)}`;
  return Buffer.from([line, ...fields, '', random.pick(BODIES)].join(end), 'latin1');
}

/** With a body that has mostly the length that it is said to have, in chunks or not, and with trailers at times. */
function bodiedRequest(random: Seeded, prefix: string): Buffer {
  const { bytes, fields } = bodyFrom(random);
  const head: Field[] = [['Host', 'shop.test'], ...fields];
  if (random.chance(0.2)) head.push(['Idempotency-Key', `"k${random.below(4)}"`]);
  if (random.chance(0.1)) head.push(['Expect', '100-continue']);
  const chunked = random.chance(0.6);
  if (!chunked) {
    const length = random.chance(0.9) ? bytes.length : Math.max(0, bytes.length + random.below(9) - 4);
    return message(random, prefix, [...head, ['Content-Length', String(length)]], bytes);
  }
  head.push(['Transfer-Encoding', 'chunked']);
  const trailers: Field[] = [];
  if (random.chance(0.5)) {
    head.push(['Trailer', random.mostly(DECLARED)]);
    for (let count = random.below(3); count > 0; count -= 1) trailers.push(random.mostly(TRAILERS, 0.4));
  }
  return message(random, prefix, head, Buffer.concat([chunksOf(random, bytes), lastChunk(trailers)]));
}

function message(random: Seeded, prefix: string, fields: readonly Field[], body: Buffer): Buffer {
  const line = `${random.mostly(['POST', 'PUT', 'GET', 'DELETE'])} ${prefix}/${random.below(9)} HTTP/1.1`;
  const head = [line, ...fields.map(([name, value]) => `${name}: ${value}`), '', ''].join('\r\n');
  return Buffer.concat([Buffer.from(head, 'latin1'), body]);
}

function chunksOf(random: Seeded, whole: Buffer): Buffer {
  const chunks = random.inPieces(whole).filter(({ length }) => length > 0);
  return Buffer.concat(
    chunks.map((chunk) => {
      const extension = random.mostly(['', ';a=b', ';a="\\""', ' ;a', ';\x01'], 0.03);
      return Buffer.concat([
        Buffer.from(`${chunk.length.toString(16)}${extension}\r\n`),
        chunk,
        Buffer.from('\r\n'),
      ]);
    }),
  );
}

function lastChunk(trailers: readonly Field[]): Buffer {
  return Buffer.from(
    ['0', ...trailers.map(([name, value]) => `${name}: ${value}`), '', ''].join('\r\n'),
    'latin1',
  );
}

function upgradeRequest(random: Seeded): Buffer {
  const fields = [
    'Host: shop.test',
    'Connection: Upgrade',
    `Upgrade: ${random.mostly(['websocket', 'h2c', 'a, b'])}`,
  ];
  fields.push('Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==');
  if (random.chance(0.2)) fields.push(random.pick(FIELDS));
  const head = Buffer.from(
    [`GET /live/${random.below(9)} HTTP/1.1`, ...fields, '', ''].join('\r\n'),
    'latin1',
  );
  return Buffer.concat([head, random.bytes(random.below(40))]);
}
