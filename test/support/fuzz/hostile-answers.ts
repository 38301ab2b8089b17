/**
 * Answers as a hostile or broken upstream of HTTP/1.1 may give them, as bytes: sound ones, ones with a framing that lies, and
 * ones that are hardly answers. Knows no gateway.
 * @module
 */

import { bodyFrom } from './bodies.ts';
import { TRAILERS } from './h1-requests.ts';
import type { Field } from './h2-frames.ts';
import type { Seeded } from './seeded.ts';

/** Field that names the request that an answer is for, so that none goes to another one unseen. */
export const MARK = 'x-for';

/** With a check, so that a name that was damaged on its way is not taken for another one. */
export function markOf(request: number): string {
  return `r${request}-${(request * 7_919) % 9_973}`;
}

/** Whether a value of the field names another request than that of `mark`. */
export function namesAnother(value: string, mark: string): boolean {
  return value.split(', ').some((each) => {
    const request = /^r(\d+)-/.exec(each)?.[1];
    return each !== mark && request !== undefined && each === markOf(Number(request));
  });
}

const STATUS_LINES = [
  'HTTP/1.1 200 OK',
  'HTTP/1.1 204 No Content',
  'HTTP/1.1 304 Not Modified',
  'HTTP/1.1 500 Oh',
  'HTTP/1.1 200',
  'HTTP/1.1 599 \xff\xfe',
  'HTTP/1.1 101 Switching Protocols',
  'HTTP/1.1 999 What',
  'HTTP/1.1 099 What',
  'HTTP/1.1 20 What',
  'HTTP/1.1 2000 What',
  'HTTP/1.0 200 OK',
  'HTTP/2.0 200 OK',
  'HTTP/1.1  200 OK',
  'http/1.1 200 ok',
  'ICY 200 OK',
  '',
];
const WILD_FIELDS = [
  'Content-Length: 5',
  'Content-Length: 5, 5',
  'Content-Length: -1',
  'Content-Length: 99999999999999999999',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: gzip, chunked',
  'Transfer-Encoding : chunked',
  'Connection: close',
  'Connection: x-for, content-type, x-request-id',
  'Keep-Alive: timeout=5',
  'HTTP2-Settings: AAMAAABkAAQAAP__',
  'TE: gzip',
  'Upgrade: websocket',
  'Trailer: x-digest',
  'Proxy-Connection: close',
  'Set-Cookie: a=1',
  'Set-Cookie: b=\x01',
  'X-A: \x01',
  'X-A: \xe9\xff',
  'X-A: 1\rX-B: 2',
  'X-A: 1\nX-B: 2',
  ' folded: x',
  'no colon',
  ': no name',
  'X A: 1',
  '__proto__: x',
  'Link: </a>; rel=preload, <\x00>',
  'Content-Encoding: gzip',
  'ETag: "a',
  'Cache-Control: max-age=60',
  'Vary: *',
  'Age: -1',
  'Date: never',
  'Retry-After: x',
  'Location: //evil.test/\x7f',
  `X-Long: ${'x'.repeat(70_000)}`,
];

export interface HostileAnswer {
  readonly pieces: readonly Buffer[];
  /** What follows the last piece. */
  readonly after: 'stays' | 'ends' | 'breaks';
}

export function answerFrom(random: Seeded, mark: string): HostileAnswer {
  const parts: Buffer[] = [];
  for (let count = random.mostly([0, 1, 2, 20], 0.2); count > 0; count -= 1) parts.push(interim(random));
  parts.push(random.chance(0.75) ? soundAnswer(random, mark) : wildAnswer(random, mark));
  // One more than was asked for, in the same packet.
  if (random.chance(0.1)) parts.push(soundAnswer(random, mark));
  const whole = Buffer.concat(parts);
  const bytes = random.chance(0.15) ? random.damaged(whole) : whole;
  return { pieces: random.inPieces(bytes), after: random.mostly(['stays', 'ends', 'breaks'] as const, 0.3) };
}

function interim(random: Seeded): Buffer {
  const line = random.mostly([
    'HTTP/1.1 103 Early Hints',
    'HTTP/1.1 100 Continue',
    'HTTP/1.1 102 Processing',
    'HTTP/1.1 199 X',
  ]);
  const fields = random.mostly(
    [['Link: </a>; rel=preload'], [], ['Link: <a', 'X-A: 1'], ['Content-Length: 5']],
    0.4,
  );
  return Buffer.from([line, ...fields, '', ''].join('\r\n'), 'latin1');
}

function soundAnswer(random: Seeded, mark: string): Buffer {
  const { bytes, fields } = bodyFrom(random);
  const head: Field[] = [[MARK, mark], ...fields];
  if (random.chance(0.2)) head.push(['Cache-Control', random.mostly(['max-age=60', 'no-store'])]);
  const line = random.mostly(STATUS_LINES.slice(0, 4), 0.2);
  const bodyless = !line.includes('200') && !line.includes('500');
  if (bodyless) return message(line, head, Buffer.alloc(0));
  if (random.chance(0.5)) {
    const length = random.chance(0.85) ? bytes.length : Math.max(0, bytes.length + random.below(9) - 4);
    return message(line, [...head, ['Content-Length', String(length)]], bytes);
  }
  if (random.chance(0.1)) return message(line, [...head, ['Connection', 'close']], bytes);
  const trailers = random.chance(0.4) ? [random.mostly(TRAILERS, 0.5)] : [];
  const chunked: Field[] = [...head, ['Transfer-Encoding', 'chunked'], ['Trailer', 'x-digest']];
  return message(line, chunked, inChunks(random, bytes, trailers));
}

function wildAnswer(random: Seeded, mark: string): Buffer {
  const fields = [`${MARK}: ${mark}`];
  for (let count = random.below(5); count > 0; count -= 1) fields.push(random.pick(WILD_FIELDS));
  const body = random.mostly(['hello', '5\r\nhello\r\n0\r\n\r\n', '', 'zz\r\n', '-1\r\n'], 0.5);
  return Buffer.from([random.mostly(STATUS_LINES, 0.5), ...fields, '', body].join('\r\n'), 'latin1');
}

function message(line: string, fields: readonly Field[], body: Buffer): Buffer {
  const head = [line, ...fields.map(([name, value]) => `${name}: ${value}`), '', ''].join('\r\n');
  return Buffer.concat([Buffer.from(head, 'latin1'), body]);
}

function inChunks(random: Seeded, whole: Buffer, trailers: readonly Field[]): Buffer {
  const chunks = random.inPieces(whole).filter(({ length }) => length > 0);
  return Buffer.concat([
    ...chunks.map((chunk) =>
      Buffer.concat([Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n')]),
    ),
    Buffer.from(
      ['0', ...trailers.map(([name, value]) => `${name}: ${value}`), '', ''].join('\r\n'),
      'latin1',
    ),
  ]);
}
