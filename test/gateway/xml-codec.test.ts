import { describe, expect, it } from 'vitest';
import type { XmlDocument } from '../../src/config/policies/xml.ts';
import type { JsonValue } from '../../src/core/policy/transform/json-map.ts';
import { atOnce } from '../../src/core/policy/transform/sliced.ts';
import { codecsOf } from '../../src/gateway/transform/xml-codec.ts';

const LIMITS = { maxBytes: 1_000_000, maxDepth: 8, maxElements: 400, maxAttributes: 6 };

function codec(document: Partial<XmlDocument> = {}, namespaces: Record<string, string> | null = null) {
  const whole = { root: 'r', arrays: [], lists: {}, types: {}, ...document };
  const policy = { upstream: 'json', prefer: 'json', request: null, response: null } as const;
  return codecsOf(whole, { ...policy, namespaces, limits: LIMITS }).body;
}

const DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n';
const XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"';

function read(xml: string | Buffer, ...shape: Parameters<typeof codec>): JsonValue {
  // Without the prototypes that tell nothing.
  return JSON.parse(JSON.stringify(atOnce(codec(...shape).read(Buffer.from(xml)))));
}

function written(value: JsonValue, ...shape: Parameters<typeof codec>): string {
  return atOnce(codec(...shape).write(value))
    .toString()
    .replace(DECLARATION, '');
}

const SHAPE: Partial<XmlDocument> = {
  arrays: ['tag', 'lines/line/note'],
  lists: { lines: 'line' },
  types: { total: 'number', paid: 'boolean', 'lines/line/@qty': 'number' },
};

/** XML, JSON, and what both mean to each other by which shape. */
const BOTH_WAYS: [string, JsonValue, Partial<XmlDocument>?, Record<string, string>?][] = [
  ['<r></r>', ''],
  ['<r>text &amp; &lt;more&gt; \n é😀</r>', 'text & <more> \n é😀'],
  ['<r><a>1</a><b></b><a.b-c>2</a.b-c></r>', { a: '1', b: '', 'a.b-c': '2' }],
  ['<r><a>1</a><a>2</a></r>', { a: ['1', '2'] }],
  ['<r a="1" b="&quot;&#9;&#10;"><c></c></r>', { '@a': '1', '@b': '"\t\n', c: '' }],
  ['<r a="1">text</r>', { '@a': '1', '#text': 'text' }],
  [`<r ${XSI} xsi:nil="true"></r>`, null],
  [`<r ${XSI}><a xsi:nil="true"></a></r>`, { a: null }],
  [`<r ${XSI} xsi:type="x">1</r>`, { '@xsi:type': 'x', '#text': '1' }],
  ['<r><tag>1</tag></r>', { tag: ['1'] }, SHAPE],
  ['<r><lines></lines></r>', { lines: [] }, SHAPE],
  [
    '<r><lines><line qty="2"><note>n</note></line><line>x</line></lines><total>1.5</total><paid>false</paid></r>',
    { lines: [{ '@qty': 2, note: ['n'] }, 'x'], total: 1.5, paid: false },
    SHAPE,
  ],
  ['<r><o><id>1</id></o><o></o></r>', [{ id: '1' }, ''], { lists: { '.': 'o' } }],
  ['<r>7</r>', 7, { types: { '.': 'number' } }],
  [
    '<r xmlns="urn:a" xmlns:b="urn:b"><b:c b:d="1"></b:c></r>',
    {
      '@xmlns': 'urn:a',
      '@xmlns:b': 'urn:b',
      'b:c': { '@b:d': '1' },
    },
  ],
  [
    '<r xmlns="urn:a" xmlns:b="urn:b"><b:c b:d="1">x</b:c></r>',
    { 'b:c': { '@b:d': '1', '#text': 'x' } },
    {},
    {
      '': 'urn:a',
      b: 'urn:b',
    },
  ],
  [
    '<r xml:lang="de"><_x0031_2><urn_x003A_x>1</urn_x003A_x><a_x0020_b>2</a_x0020_b></_x0031_2></r>',
    {
      '@xml:lang': 'de',
      '12': { 'urn:x': '1', 'a b': '2' },
    },
  ],
  [
    '<r><__proto__><constructor>1</constructor></__proto__></r>',
    JSON.parse('{"__proto__":{"constructor":"1"}}'),
  ],
];

describe('XML and JSON', () => {
  it.each(BOTH_WAYS)('%s is %j, both ways', (xml, json, shape, namespaces = undefined) => {
    expect(read(xml, shape, namespaces ?? null)).toEqual(json);
    expect(written(json, shape, namespaces ?? null)).toBe(xml);
  });

  it.each<[string, JsonValue, Partial<XmlDocument>?, Record<string, string>?]>([
    ['\uFEFF<?xml version="1.0"?><!-- a --><?p q?><r><![CDATA[<&]]>a&#65;</r>\n', '<&aA'],
    ['<r>\n  <a>1</a>\n  <b>2</b>\n</r>', { a: '1', b: '2' }],
    ['<r>one <b>two</b> three</r>', { b: 'two', '#text': 'one  three' }],
    ['<r><total> +1.50e1 </total><paid>1</paid></r>', { total: 15, paid: true }, SHAPE],
    [`<r xmlns:i="http://www.w3.org/2001/XMLSchema-instance"><a i:nil="1"/></r>`, { a: null }],
    [
      '<x:r xmlns:x="urn:a"><x:a y:b="1" xmlns:y="urn:b"/></x:r>',
      { a: { '@b:b': '1' } },
      {},
      { '': 'urn:a', b: 'urn:b' },
    ],
    ['<r><_x0040_a>1</_x0040_a><_x0023_text>2</_x0023_text></r>', { _x0040_a: '1', _x0023_text: '2' }],
  ])('%s is read as %j', (xml, json, shape, namespaces = undefined) => {
    expect(read(xml, shape, namespaces ?? null)).toEqual(json);
  });

  it.each<[JsonValue, string, Partial<XmlDocument>?]>([
    [{ a: [] }, '<r></r>'],
    [{ a: {} }, '<r><a></a></r>'],
    [
      [[1, true], null],
      `<r ${XSI}><item><item>1</item><item>true</item></item><item xsi:nil="true"></item></r>`,
    ],
    [{ '@a': null, '#text': null, b: -1.5e-9 }, '<r><b>-1.5e-9</b></r>'],
    ['\r\n', '<r>&#13;\n</r>'],
  ])('%j is written as %s', (json, xml, shape) => {
    expect(written(json, shape)).toBe(xml);
  });

  const many = (count: number, text: string) => text.repeat(count);
  it.each<[string | Buffer, string, Partial<XmlDocument>?, Record<string, string>?]>([
    ['', 'no well-formed XML'],
    ['<r>', 'no well-formed XML'],
    ['<r><a></r></a>', 'no well-formed XML'],
    ['<r/><r/>', 'no well-formed XML'],
    ['<r a="1" a="2"/>', 'no well-formed XML'],
    ['<r xmlns:a="u" xmlns:b="u" a:x="1" b:x="2"/>', 'no well-formed XML'],
    ['<a:r/>', 'no well-formed XML'],
    ['<r>&e;</r>', 'no well-formed XML'],
    ['<r>&constructor;</r>', 'no well-formed XML'],
    ['<r>&#0;</r>', 'no well-formed XML'],
    ['<r>&#x1F;</r>', 'no well-formed XML'],
    ['<r>]]></r>', 'no well-formed XML'],
    ['<!DOCTYPE r><r/>', 'document type'],
    ['<!DOCTYPE r [<!ENTITY e SYSTEM "file:///etc/passwd">]><r>&e;</r>', 'document type'],
    [
      '<!DOCTYPE r [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;"><!ENTITY c "&b;&b;&b;">]><r>&c;</r>',
      'document type',
    ],
    ['<!DOCTYPE r SYSTEM "http://127.0.0.1:1/x.dtd"><r/>', 'document type'],
    [Buffer.from([0x3c, 0x72, 0x3e, 0xff, 0x3c, 0x2f, 0x72, 0x3e]), 'no UTF-8'],
    [Buffer.from('\uFEFF<r/>', 'utf16le'), 'not in UTF-8'],
    ['<?xml version="1.0" encoding="ISO-8859-1"?><r/>', 'not in UTF-8'],
    ['<?xml version="1.1"?><r/>', 'not XML 1.0'],
    ['<q/>', 'root element is not <r>'],
    [`${many(9, '<r>')}${many(9, '</r>')}`, 'nested deeper than 8'],
    [`<r>${many(400, '<a/>')}</r>`, 'more than 400 elements'],
    [`<r ${Array.from({ length: 7 }, (_, i) => `a${i}="1"`).join(' ')}/>`, 'more than 6 attributes'],
    ['<r><total>1,5</total></r>', '"total" is no number', SHAPE],
    ['<r><total>1e999</total></r>', '"total" is no number', SHAPE],
    ['<r><total/></r>', '"total" is no number', SHAPE],
    ['<r><paid>yes</paid></r>', '"paid" is neither true nor false', SHAPE],
    ['<r><lines><item/></lines></r>', '"lines" is a list of <line>, but holds <item>', SHAPE],
    ['<r><lines a="1"/></r>', '"lines" is a list, which has no attributes', SHAPE],
    ['<r><lines>x</lines></r>', '"lines" is a list, which has no text', SHAPE],
    [`<r ${XSI}><a xsi:nil="true">x</a></r>`, '"a" has content'],
    ['<r/>', '<r> is in no namespace', {}, { '': 'urn:a' }],
    ['<r xmlns="urn:b"/>', 'namespace that is not expected', {}, { '': 'urn:a' }],
  ])('refuses %s: %s', (xml, message, shape, namespaces = undefined) => {
    expect(() => read(xml, shape, namespaces ?? null)).toThrow(message);
  });

  it.each<[JsonValue, string, Record<string, string>?]>([
    ['\u0000', 'XML cannot carry'],
    [{ a: '\ud800' }, 'XML cannot carry'],
    [{ '@a': '\uffff' }, 'XML cannot carry'],
    [{ '': 1 }, 'a name in it is empty'],
    [{ '@a': [1] }, '"@a" is an attribute'],
    [{ '#text': {} }, 'more than one value'],
    [{ '@xmlns:xml': 'u' }, 'declares a namespace'],
    [{ '@xmlns:a b="1" x': 'u' }, 'declares a namespace'],
    [{ '@xmlns:': 'u' }, 'declares a namespace'],
    [{ '@xmlns:a': '' }, 'declares a namespace'],
    [{ '@xmlns:xsi': 'u' }, 'declares a namespace'],
    [{ '@xmlns': 'u' }, 'declares a namespace', { '': 'urn:a' }],
    [{ '@xmlns:a': 'u', '@xmlns:b': 'u', '@a:x': 1, '@b:x': 2 }, 'an attribute twice'],
    [JSON.parse('{"a":1e999}'), 'too large'],
    [JSON.parse(`${'{"a":'.repeat(9)}1${'}'.repeat(9)}`), 'nested deeper than 8'],
    [Array(400).fill(1), 'more than 400 elements'],
    [{ a: Array(399).fill('x'.repeat(3_000)) }, 'larger than'],
  ])('refuses to write %j: %s', (json, message, namespaces = undefined) => {
    expect(() => written(json, {}, namespaces ?? null)).toThrow(message);
  });

  it('reads in a time that grows with the size only', () => {
    const shape = codecsOf(
      { root: 'r', arrays: [], lists: {}, types: {} },
      {
        upstream: 'json',
        prefer: 'json',
        request: null,
        response: null,
        namespaces: null,
        limits: { maxBytes: 4_000_000, maxDepth: 256, maxElements: 1_000_000, maxAttributes: 1_000 },
      },
    ).body;
    const nulls = { a: Array(50_000).fill(null) };
    expect((atOnce(shape.read(atOnce(shape.write(nulls)))) as { a: unknown[] }).a).toHaveLength(50_000);
    const text = `<r>${'&amp;'.repeat(200_000)}</r>`;
    expect(atOnce(shape.read(Buffer.from(text)))).toHaveLength(200_000);
  });
});
