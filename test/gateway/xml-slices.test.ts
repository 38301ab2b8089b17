import { describe, expect, it } from 'vitest';
import type { JsonValue } from '../../src/core/policy/transform/json-map.ts';
import { atOnce, type Sliced } from '../../src/core/policy/transform/sliced.ts';
import { codecsOf } from '../../src/gateway/transform/xml-codec.ts';

const LIMITS = { maxBytes: 1_048_576, maxDepth: 32, maxElements: 20_000, maxAttributes: 32 };
const CODEC = codecsOf(
  { root: 'r', arrays: [], lists: {}, types: {} },
  { upstream: 'json', prefer: 'json', request: null, response: null, namespaces: null, limits: LIMITS },
).body;
const SLICE = 8_192;

function read(xml: string): unknown {
  return JSON.parse(JSON.stringify(atOnce(CODEC.read(Buffer.from(xml)))));
}

function slicesOf(work: Sliced<unknown>): number {
  let slices = 1;
  while (work.next().done !== true) slices += 1;
  return slices;
}

/** As large as the limit allows, or as the number of elements does. */
function filled(unit: string, most = Number.POSITIVE_INFINITY): string {
  return `<r>${unit.repeat(Math.min(most, Math.floor((LIMITS.maxBytes - 7) / unit.length)))}</r>`;
}

const ATTRIBUTES = Array.from({ length: 32 }, (_, n) => ` a${n}="v"`).join('');

describe('an XML document that is read in slices', () => {
  it('means the same wherever it is cut', () => {
    const inner =
      '<a x="1&lt;é\r\n&#x1F600;"  y=\'2\'>t\r\r\n]]é😀&amp;</a><?p i?><b><![CDATA[<]]]]></b><!-- c --><p:c xmlns:p="u" />';
    const head = '<?xml version="1.0" encoding="UTF-8"?><r>';
    const expected = read(`<r>${inner}</r>`);
    const bytes = Buffer.byteLength(`${head}${inner}</r>`);
    const frame = Buffer.byteLength(`${head}<!---->`);
    for (let cut = 0; cut < bytes - head.length; cut += 1) {
      const padding = 'p'.repeat(SLICE - frame - cut);
      expect(read(`${head}<!--${padding}-->${inner}</r>`), `cut ${cut} bytes behind`).toEqual(expected);
    }
  });

  it.each([
    ['elements', filled('<a></a>', 19_999)],
    ['attributes', filled(`<a${ATTRIBUTES}/>`)],
    ['entities', filled('&lt;')],
    ['comments', filled('<!---->')],
    ['one text', filled('é')],
  ])('of %s takes a turn for every 8 KiB', (_what, xml) => {
    const body = Buffer.from(xml);
    expect(slicesOf(CODEC.read(body))).toBeGreaterThanOrEqual(body.length / SLICE);
  });

  it('is done in one when it is small', () => {
    expect(slicesOf(CODEC.read(Buffer.from(`<r>${'<a>1</a>'.repeat(1_000)}</r>`)))).toBe(1);
  });
});

describe('a JSON value that is written as XML in slices', () => {
  it.each<[string, JsonValue]>([
    ['elements', { a: Array(19_998).fill('') }],
    [
      'attributes',
      { a: Array(2_000).fill(Object.fromEntries(Array.from({ length: 32 }, (_, n) => [`@a${n}`, 'v']))) },
    ],
    ['one text', 'x'.repeat(1_000_000)],
    ['a text with much to escape', '&'.repeat(200_000)],
    ['an attribute with much to escape', { '@a': '\n'.repeat(170_000) }],
  ])('of %s takes a turn for about every 8 KiB that are not escapes', (_what, value) => {
    const bytes = atOnce(CODEC.write(value)).length;
    expect(slicesOf(CODEC.write(value))).toBeGreaterThanOrEqual(bytes / (6 * SLICE));
  });

  it('is whole wherever a long text is cut', () => {
    const special = '😀&<\r\n"é\t😀';
    for (let cut = 0; cut <= special.length; cut += 1) {
      const text = 'x'.repeat(SLICE - cut) + special;
      const value = { '@a': text, b: text, c: [text, text] };
      expect(read(atOnce(CODEC.write(value)).toString())).toEqual(value);
    }
  });

  it('stops where it becomes too large, not at the end', () => {
    let slices = 0;
    const work = CODEC.write({ '@a': '"'.repeat(900_000) });
    expect(() => {
      while (work.next().done !== true) slices += 1;
    }).toThrow('becomes larger than');
    expect(slices).toBeLessThan(30);
  });
});
