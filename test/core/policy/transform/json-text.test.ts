import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonValue } from '../../../../src/core/policy/transform/json-map.ts';
import { JSON_SLICE_BYTES, readJson, writeJson } from '../../../../src/core/policy/transform/json-text.ts';
import { atOnce, type Sliced } from '../../../../src/core/policy/transform/sliced.ts';

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const read = (text: string): JsonValue => atOnce(readJson(bytesOf(text)));
const written = (value: JsonValue): string => atOnce(writeJson(value)).join('');

function slicesOf(work: Sliced<unknown>): number {
  let slices = 1;
  while (work.next().done !== true) slices += 1;
  return slices;
}

/** What JSON.parse makes of it, as text: so names, their order and their meaning are compared. */
function parsed(text: string): string | null {
  try {
    return JSON.stringify(JSON.parse(text));
  } catch {
    return null;
  }
}

function ours(text: string): string | null {
  try {
    return JSON.stringify(read(text));
  } catch (error) {
    expect(error).toBeInstanceOf(SyntaxError);
    return null;
  }
}

const LONG = 'x'.repeat(JSON_SLICE_BYTES);
/** Texts of more than a slice, in many forms. */
const LARGE: [string, string][] = [
  ['numbers', `[${Array(40_000).fill('1.5').join(',')}]`],
  ['empty objects', `[${Array(20_000).fill('{}').join(' ,\n')}]`],
  ['rows', JSON.stringify({ a: Array(3_000).fill({ id: 1, t: ['x', {}], n: null, s: '}],"\\' }) })],
  [
    'one object with many names',
    JSON.stringify(Object.fromEntries(Array.from({ length: 9_000 }, (_, n) => [`k${n}`, n]))),
  ],
  ['names twice', `{${Array(9_000).fill('"a":1,"b":2').join(',')},"a":3}`],
  [
    'names that are numbers',
    JSON.stringify(Object.fromEntries(Array.from({ length: 9_000 }, (_, n) => [n * 7, n]))),
  ],
  [
    'names with a meaning',
    `{${Array(3_000).fill('"__proto__":{"x":[1]},"constructor":1').join(',')},"__proto__":[${Array(9_000).fill(1)}]}`,
  ],
  ['long texts', JSON.stringify([LONG, { a: LONG, b: [LONG] }, '"\\', LONG, 'é😀'])],
  ['nested', `${'{"a":[1,'.repeat(2_000)}1${'],"b":2}'.repeat(2_000)}`],
  [
    'a large one at the end of small ones',
    JSON.stringify([1, {}, { a: 1, b: { c: [LONG, Array(9_000).fill(2)] }, d: 3 }, 4]),
  ],
  ['one text', `  "${LONG}"  `],
  ['one number', `${' '.repeat(20_000)}1`],
  ['under a byte-order mark', `\ufeff[1,"${LONG}"]`],
];

describe('a large JSON text', () => {
  it.each(LARGE)('of %s means what JSON.parse says', (_what, text) => {
    expect(ours(text)).toBe(parsed(text.replace(/^\ufeff/, '')));
    expect(ours(text)).not.toBeNull();
  });

  it.each(LARGE)('of %s is written as JSON.stringify does it', (_what, text) => {
    const value = JSON.parse(text.replace(/^\ufeff/, ''));
    expect(written(value)).toBe(JSON.stringify(value));
  });

  it.each(LARGE.filter(([, text]) => !/^\s*["1]/.test(text)))(
    'of %s takes a turn for every 16 KiB to be read',
    (_what, text) => {
      expect(slicesOf(readJson(bytesOf(text)))).toBe(Math.ceil(Buffer.byteLength(text) / JSON_SLICE_BYTES));
    },
  );

  it.each([
    ['empty objects', Array(200_000).fill({}), 20],
    ['numbers', Array(200_000).fill(1), 20],
    ['rows', Array(20_000).fill({ id: 1, t: ['x', {}] }), 20],
    ['texts', Array(100).fill(LONG), 50],
  ])('of %s is written in many turns', (_what, value, slices) => {
    expect(slicesOf(writeJson(value))).toBeGreaterThan(slices);
  });

  it('is refused when it is nested thousands of levels deep', () => {
    const text = `${'['.repeat(20_000)}${']'.repeat(20_000)}`;
    expect(() => read(text)).toThrow(RangeError);
  });

  it('is refused when it is no UTF-8, wherever it is not', () => {
    const bytes = bytesOf(`["${LONG}","é","${LONG}"]`);
    const at = bytes.indexOf(0xc3);
    expect(() => atOnce(readJson(bytes.fill(0x20, at, at + 1)))).toThrow(TypeError);
  });
});

/** Pieces of JSON, sound and broken, some of them larger than a slice. */
const piece = fc.constantFrom(
  ...[
    '[',
    ']',
    '{',
    '}',
    ',',
    ':',
    '"a"',
    '"b":',
    '"__proto__":',
    '1',
    'true',
    'null',
    ' ',
    '"',
    '\\',
    'é',
    '\ufeff',
  ],
  ...[
    '[]',
    '{}',
    '{"a":1}',
    '[1,2]',
    '"a":[',
    ',"b":{',
    `"${LONG}"`,
    `"c":"${LONG}"`,
    ' '.repeat(JSON_SLICE_BYTES),
  ],
);

describe('any text', () => {
  it('is read like JSON.parse reads it, or refused where that refuses it', () => {
    let sound = 0;
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), fc.array(piece, { maxLength: 8 }), (head, tail) => {
        for (const text of [
          [...head, ' '.repeat(JSON_SLICE_BYTES), ...tail].join(''),
          `[${head.join('')},"${LONG}",${tail.join('')}]`,
          `{"x":{${head.join('')}},"y":"${LONG}","z":[${tail.join('')}]}`,
        ]) {
          if (text.startsWith('\ufeff')) continue;
          const expected = parsed(text);
          if (expected !== null) sound += 1;
          expect(ours(text)).toBe(expected);
        }
      }),
      { numRuns: 2_000 },
    );
    expect(sound).toBeGreaterThan(50);
  });

  it('is read and written like JSON.parse and JSON.stringify do it, when it is JSON', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 6 }), fc.nat(3), (json, at) => {
        const parts = [LONG, LONG, LONG].map((text) => `"${text}"`);
        parts.splice(at, 0, json);
        const text = `{"a":[${parts.join(',')}],"b":${json}}`;
        expect(JSON.stringify(read(text))).toBe(parsed(text));
        expect(written(JSON.parse(text))).toBe(parsed(text));
      }),
      { numRuns: 500 },
    );
  });
});
