/**
 * What a client may send on one HTTP/2 connection: sound requests, requests that lie, and frames that have no business
 * where they are. Knows no gateway; paths begin with those that it is given.
 * @module
 */

import { bodyFrom } from './bodies.ts';
import { TARGETS, TRAILERS } from './h1-requests.ts';
import { type Field, FLAG, FRAME, fieldSection, frame, PREFACE, settings, uint32 } from './h2-frames.ts';
import type { Seeded } from './seeded.ts';

const EMPTY = Buffer.alloc(0);
const WILD_FIELDS: readonly Field[] = [
  ['x-a', '1'],
  ['connection', 'close'],
  ['connection', 'x-digest'],
  ['transfer-encoding', 'chunked'],
  ['keep-alive', 'timeout=5'],
  ['proxy-connection', 'keep-alive'],
  ['upgrade', 'h2c'],
  ['http2-settings', 'AAMAAABkAAQAAP__'],
  ['te', 'trailers'],
  ['te', 'gzip'],
  ['host', 'evil.test'],
  ['host', 'shop.test'],
  ['X-Upper', '1'],
  ['x-a', 'a\r\nx-b: c'],
  ['x-a', 'a\0b'],
  ['x-a', ' padded '],
  ['x-a\r\nx-b', '1'],
  ['x a', '1'],
  ['', 'no name'],
  [':path', '/late'],
  [':unknown', '1'],
  [':protocol', 'websocket'],
  ['content-length', '5'],
  ['content-length', '+5'],
  ['content-type', 'text/plain'],
  ['trailer', 'x-digest'],
  ['expect', '100-continue'],
  ['cookie', 'a=1'],
  ['cookie', 'b=2'],
  ['__proto__', 'x'],
  ['transfer_encoding', 'chunked'],
  ['idempotency-key', '"a"'],
];
const METHODS = ['POST', 'GET', 'HEAD', 'PUT', 'OPTIONS', 'TRACE', 'CONNECT', 'get', 'A B', ''];
const AUTHORITIES = ['shop.test', 'user@shop.test', '', 'shop.test:99999', 'a/b'];

/** The bytes of a connection with some requests on it. */
export function connectionFrom(random: Seeded, prefixes: readonly string[]): Buffer {
  const parts = [openingOf(random)];
  let stream = 1;
  for (let count = 1 + random.below(6); count > 0; count -= 1) {
    if (random.chance(0.25)) parts.push(noise(random, stream));
    parts.push(
      random.chance(0.12)
        ? connectFrames(random, stream)
        : requestFrames(random, stream, random.pick(prefixes)),
    );
    stream += random.mostly([2, 0, 1, 200], 0.08);
  }
  const whole = Buffer.concat(parts);
  return random.chance(0.1) ? random.damaged(whole) : whole;
}

function openingOf(random: Seeded): Buffer {
  const preface = random.chance(0.06) ? random.damaged(PREFACE) : PREFACE;
  const [id, value] = random.mostly<readonly [number, number]>(
    [
      [4, 1_048_576],
      [4, 0],
      [4, 2 ** 31],
      [5, 1],
      [5, 2 ** 24],
      [2, 7],
      [8, 5],
      [1, 0],
      [6, 0],
      [99, 1],
    ],
    0.3,
  );
  return Buffer.concat([preface, random.chance(0.95) ? settings([[id, value]]) : EMPTY]);
}

/** A request with its body and trailers, some of it wrong at times. */
function requestFrames(random: Seeded, stream: number, prefix: string): Buffer {
  const body = random.chance(0.7) ? bodyFrom(random) : { bytes: EMPTY, fields: [] };
  const path = random.chance(0.85) ? `${prefix}/${random.below(9)}` : random.pick(TARGETS);
  const fields: Field[] = [
    [':method', random.mostly(METHODS, 0.15)],
    [':scheme', random.mostly(['http', 'https', 'ftp', ''], 0.05)],
    [':authority', random.mostly(AUTHORITIES, 0.08)],
    [':path', path],
    ...body.fields.map(([name, value]): Field => [name.toLowerCase(), value]),
  ];
  if (random.chance(0.3)) fields.push(random.pick(WILD_FIELDS));
  if (random.chance(0.3)) {
    const length = random.chance(0.8) ? body.bytes.length : body.bytes.length + random.below(9) - 4;
    fields.push(['content-length', String(length)]);
  }
  const trailers: Field[] = [];
  if (body.bytes.length > 0 && random.chance(0.4)) {
    fields.push(['trailer', 'x-digest']);
    trailers.push(random.mostly(TRAILERS, 0.4));
  }
  if (random.chance(0.08)) shuffle(random, fields);
  const bodyless = body.bytes.length === 0;
  const parts = [headers(random, stream, fieldSection(fields), bodyless && random.chance(0.9))];
  if (!bodyless) parts.push(...dataFrames(random, stream, body.bytes, trailers.length === 0));
  if (trailers.length > 0) parts.push(headers(random, stream, fieldSection(trailers), random.chance(0.93)));
  if (random.chance(0.1)) parts.push(frame(FRAME.rstStream, 0, stream, uint32(random.below(16))));
  return Buffer.concat(parts);
}

/** Extended CONNECT (RFC 8441), and what follows it. */
function connectFrames(random: Seeded, stream: number): Buffer {
  const fields: Field[] = [
    [':method', random.mostly(['CONNECT', 'GET'])],
    [':protocol', random.mostly(['websocket', 'h2c', 'connect-udp', '', 'a\r\nb'])],
    [':scheme', 'http'],
    [':authority', 'shop.test'],
    [':path', `/live/${random.below(9)}`],
    ['sec-websocket-version', '13'],
  ];
  if (random.chance(0.2)) fields.splice(random.below(fields.length), 1);
  if (random.chance(0.2)) fields.push(random.pick(WILD_FIELDS));
  const parts = [headers(random, stream, fieldSection(fields), random.chance(0.1))];
  for (let count = random.below(3); count > 0; count -= 1)
    parts.push(frame(FRAME.data, random.mostly([0, FLAG.endStream]), stream, random.bytes(random.below(60))));
  if (random.chance(0.3)) parts.push(frame(FRAME.rstStream, 0, stream, uint32(8)));
  return Buffer.concat(parts);
}

/** In one HEADERS frame or continued, padded, with garbage or a priority in it. */
function headers(random: Seeded, stream: number, section: Buffer, endStream: boolean): Buffer {
  const coded = random.chance(0.04) ? random.damaged(section) : section;
  const end = endStream ? FLAG.endStream : 0;
  if (random.chance(0.75)) return frame(FRAME.headers, end | FLAG.endHeaders, stream, coded);
  if (random.chance(0.3)) {
    const padding = random.mostly([3, 255], 0.2);
    const padded = Buffer.concat([Buffer.from([padding]), coded, Buffer.alloc(3)]);
    return frame(FRAME.headers, end | FLAG.endHeaders | FLAG.padded, stream, padded);
  }
  const at = random.below(coded.length + 1);
  return Buffer.concat([
    frame(FRAME.headers, end, stream, coded.subarray(0, at)),
    random.chance(0.1) ? frame(FRAME.ping, 0, 0, Buffer.alloc(8)) : EMPTY,
    frame(
      FRAME.continuation,
      random.mostly([FLAG.endHeaders, 0], 0.1),
      random.mostly([stream, 0, stream + 2], 0.1),
      coded.subarray(at),
    ),
  ]);
}

function dataFrames(random: Seeded, stream: number, bytes: Buffer, last: boolean): Buffer[] {
  const pieces = random.inPieces(bytes).flatMap((piece) => inFrames(piece));
  return pieces.map((piece, index) => {
    const ends = last && index === pieces.length - 1 && random.chance(0.95);
    if (random.chance(0.05)) {
      const padded = Buffer.concat([Buffer.from([random.mostly([2, 250])]), piece, Buffer.alloc(2)]);
      return frame(FRAME.data, FLAG.padded | (ends ? FLAG.endStream : 0), stream, padded);
    }
    return frame(FRAME.data, ends ? FLAG.endStream : 0, stream, piece);
  });
}

/** The largest frame that every peer takes (RFC 9113 §4.2). */
const MAX_FRAME = 16_384;

function inFrames(piece: Buffer): Buffer[] {
  if (piece.length <= MAX_FRAME) return [piece];
  return [piece.subarray(0, MAX_FRAME), ...inFrames(piece.subarray(MAX_FRAME))];
}

/** A frame that is not part of a request: sound, out of place, or of a length that it may not have. */
export function noise(random: Seeded, stream: number): Buffer {
  const id = random.pick([0, stream, stream + 2, 2, 2 ** 31 - 1]);
  switch (random.below(10)) {
    case 0:
      return frame(
        FRAME.ping,
        random.mostly([0, FLAG.ack]),
        random.mostly([0, id]),
        Buffer.alloc(random.mostly([8, 7])),
      );
    case 1:
      return frame(
        FRAME.settings,
        random.mostly([0, FLAG.ack]),
        random.mostly([0, id]),
        Buffer.alloc(random.mostly([0, 6, 5], 0.4)),
      );
    case 2:
      return frame(FRAME.windowUpdate, 0, id, uint32(random.pick([1, 0, 65_535, 2 ** 31 - 1])));
    case 3:
      return frame(FRAME.rstStream, 0, id, Buffer.alloc(random.mostly([4, 3])));
    case 4:
      return frame(FRAME.priority, 0, id, Buffer.alloc(random.mostly([5, 4])));
    case 5:
      return frame(FRAME.goaway, 0, 0, Buffer.alloc(random.mostly([8, 4, 40])));
    case 6:
      return frame(
        FRAME.pushPromise,
        FLAG.endHeaders,
        id,
        Buffer.concat([uint32(2), fieldSection([['a', 'b']])]),
      );
    case 7:
      return frame(FRAME.data, random.below(256), id, random.bytes(random.below(20)));
    case 8:
      return frame(FRAME.continuation, random.below(256), id, random.bytes(random.below(20)));
    default:
      return frame(
        random.below(256),
        random.below(256),
        id,
        random.bytes(random.below(30)),
        random.mostly([0, 8, 16_385, 0xffffff]),
      );
  }
}

function shuffle(random: Seeded, fields: Field[]): void {
  const [moved] = fields.splice(random.below(fields.length), 1);
  if (moved !== undefined) fields.splice(random.below(fields.length + 1), 0, moved);
}
