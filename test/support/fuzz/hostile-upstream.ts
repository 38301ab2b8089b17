/**
 * Upstreams that answer each request with what they are given, over HTTP/1.1 or in frames of HTTP/2. Know bytes only.
 * @module
 */

import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { GatewayHarness } from '../gateway-harness.ts';
import { FLAG, FRAME, fieldSection, frame, settings, uint32 } from './h2-frames.ts';
import { noise } from './h2-requests.ts';
import { answerFrom, type HostileAnswer, MARK, namesAnother } from './hostile-answers.ts';
import type { Seeded } from './seeded.ts';

/** Good requests have a good answer, so that one can see that the gateway still asks. */
const GOOD = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood';

/** `choices`: where the next answer comes from. */
export function openHostileUpstream(harness: GatewayHarness, choices: () => Seeded): Promise<string> {
  return listen(harness, (socket) => {
    let text = '';
    socket.on('data', (piece) => {
      text += piece.toString('latin1');
      const mark = /^[A-Z]+ \S*?([^/ ]*) HTTP\/1\.1\r\n.*?\r\n\r\n/s.exec(text)?.[1];
      if (mark === undefined) return;
      text = '';
      if (mark === 'good') socket.write(GOOD);
      else void give(socket, answerFrom(choices(), mark));
    });
  });
}

export function openHostileH2Upstream(harness: GatewayHarness, choices: () => Seeded): Promise<string> {
  return listen(harness, (socket) => {
    socket.write(settings());
    let bytes = Buffer.alloc(0);
    let opened = false;
    socket.on('data', (piece) => {
      bytes = Buffer.concat([bytes, piece]);
      // The client's preface.
      if (!opened && bytes.length >= 24) {
        opened = true;
        bytes = bytes.subarray(24);
      }
      while (opened && bytes.length >= 9 && bytes.length >= 9 + bytes.readUIntBE(0, 3)) {
        const length = bytes.readUIntBE(0, 3);
        const [type, flags, stream] = [bytes[3], bytes[4] ?? 0, bytes.readUInt32BE(5)];
        bytes = bytes.subarray(9 + length);
        if (type === FRAME.settings && (flags & FLAG.ack) === 0)
          socket.write(frame(FRAME.settings, FLAG.ack, 0));
        if (type === FRAME.headers) void give(socket, framesFrom(choices(), stream));
      }
    });
  });
}

const FIELDS: readonly (readonly [string, string])[] = [
  ['content-length', '5'],
  ['content-length', '6'],
  ['content-type', 'application/json'],
  ['connection', 'close'],
  ['transfer-encoding', 'chunked'],
  ['http2-settings', 'AA'],
  ['te', 'trailers'],
  ['X-Upper', '1'],
  ['x-a', 'a\r\nb'],
  [':late', '1'],
  ['set-cookie', 'a=1'],
  ['x-digest', 'abc'],
];

function framesFrom(random: Seeded, stream: number): HostileAnswer {
  const status = random.mostly(['200', '204', '103', '100', '101', '999', '20', ''], 0.3);
  const fields: (readonly [string, string])[] = [[':status', status]];
  while (random.chance(0.3)) fields.push(random.pick(FIELDS));
  const section = fieldSection(fields);
  const parts: Buffer[] = [];
  if (random.chance(0.2)) parts.push(noise(random, stream));
  const ends = random.chance(0.3) ? FLAG.endStream : 0;
  parts.push(
    frame(
      FRAME.headers,
      FLAG.endHeaders | ends,
      stream,
      random.chance(0.05) ? random.damaged(section) : section,
    ),
  );
  if (random.chance(0.8))
    parts.push(frame(FRAME.data, random.mostly([FLAG.endStream, 0]), stream, Buffer.from('hello')));
  if (random.chance(0.2))
    parts.push(
      frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, stream, fieldSection([random.pick(FIELDS)])),
    );
  if (random.chance(0.1)) parts.push(frame(FRAME.rstStream, 0, stream, uint32(random.below(14))));
  if (random.chance(0.1)) parts.push(frame(FRAME.goaway, 0, 0, Buffer.alloc(random.mostly([8, 4]))));
  const whole = Buffer.concat(parts);
  const bytes = random.chance(0.05) ? random.damaged(whole) : whole;
  return { pieces: random.inPieces(bytes), after: random.mostly(['stays', 'ends', 'breaks'] as const, 0.1) };
}

async function give(socket: Socket, { pieces, after }: HostileAnswer): Promise<void> {
  for (const piece of pieces) {
    if (socket.destroyed) return;
    socket.write(piece);
    if (pieces.length > 1) await new Promise((resolve) => setImmediate(resolve));
  }
  if (after === 'ends') socket.end();
  if (after === 'breaks') socket.resetAndDestroy();
}

async function listen(harness: GatewayHarness, onSocket: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    onSocket(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  harness.onClose(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  );
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/**
 * What is wrong with what a client of HTTP/1.1 has got for its one request, as narrowly as the grammar has it; null: nothing. An
 * answer that breaks off is one that the client sees to be broken.
 */
export function problemOfAnswer(text: string, mark: string): string | null {
  let rest = text;
  while (/^HTTP\/1\.1 1\d\d /.test(rest)) {
    const end = rest.indexOf('\r\n\r\n');
    if (end < 0) return null;
    if (!HEAD.test(rest.slice(0, end + 4))) return 'an interim head';
    rest = rest.slice(end + 4);
  }
  const end = rest.indexOf('\r\n\r\n');
  if (rest === '' || end < 0) return null;
  const head = rest.slice(0, end + 4);
  if (!HEAD.test(head)) return 'a head';
  const values = (name: string) =>
    [...head.matchAll(new RegExp(`^${name}: ?(.*)\r$`, 'gim'))].map(([, value]) => value ?? '');
  if (values('content-length').length + values('transfer-encoding').length > 1) return 'two framings';
  const marks = values(MARK);
  if (marks.some((each) => namesAnother(each, mark))) return 'the answer to another request';
  const length = values('content-length')[0];
  const body = rest.slice(end + 4);
  return length !== undefined && body.length > Number(length) ? 'more than the body' : null;
}

const HEAD =
  /^HTTP\/1\.1 [1-5]\d\d [\t !-~\x80-\xff]*\r\n(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+: ?[\t !-~\x80-\xff]*\r\n)*\r\n$/;
