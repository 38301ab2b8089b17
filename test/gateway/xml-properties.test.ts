import fc from 'fast-check';
import { SaxesParser } from 'saxes';
import { describe, expect, it } from 'vitest';
import type { JsonValue } from '../../src/core/policy/transform/json-map.ts';
import { atOnce } from '../../src/core/policy/transform/sliced.ts';
import { escapedName, unescapedName } from '../../src/core/policy/transform/xml-names.ts';
import { UnreadableBody } from '../../src/gateway/transform/unreadable-body.ts';
import { codecsOf } from '../../src/gateway/transform/xml-codec.ts';

const LIMITS = { maxBytes: 1_000_000, maxDepth: 8, maxElements: 400, maxAttributes: 6 };
const XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"';

function codec(namespaces: Record<string, string> | null = null) {
  const policy = { upstream: 'json', prefer: 'json', request: null, response: null } as const;
  const document = { root: 'r', arrays: [], lists: {}, types: {} };
  return codecsOf(document, { ...policy, namespaces, limits: LIMITS }).body;
}

const read = (xml: Buffer): JsonValue => atOnce(codec().read(xml));
const write = (value: JsonValue, namespaces: Record<string, string> | null = null): Buffer =>
  atOnce(codec(namespaces).write(value));

const name = fc.oneof(
  fc.constantFrom(
    'a',
    'b',
    'a b',
    '12',
    '_x0041_',
    '_x',
    'x:y',
    'xml:id',
    'xsi:a',
    '__proto__',
    'é',
    '\ud800',
    '-',
  ),
  fc.string({ minLength: 1, maxLength: 6, unit: 'binary' }),
);

describe('any name', () => {
  it('is a name of XML once it is escaped, and comes back', () => {
    fc.assert(
      fc.property(name, (given) => {
        const escaped = escapedName(given);
        expect(escaped).toMatch(/^[\p{L}_\u{10000}-\u{EFFFF}\u0080-\uFFFD]/u);
        fc.pre(!given.startsWith('@') && given !== '#text');
        expect(unescapedName(escaped)).toBe(given);
      }),
      { numRuns: 2_000 },
    );
  });
});

const text = fc.string({ unit: 'grapheme', maxLength: 8 });
/** What XML can say: texts, no empty arrays or objects, no arrays of one or in arrays. */
const sayable = fc.letrec<{ element: JsonValue; members: JsonValue }>((tie) => ({
  element: fc.oneof({ maxDepth: 3 }, text, fc.constant<JsonValue>(null), tie('members')),
  members: fc
    .tuple(
      fc.dictionary(
        name.filter((each) => !each.startsWith('@') && each !== '#text'),
        fc.oneof(tie('element'), fc.array(tie('element'), { minLength: 2, maxLength: 3 })),
        { minKeys: 1, maxKeys: 3 },
      ),
      fc.dictionary(
        name.filter((each) => !each.startsWith('xmlns')).map((each) => `@${each}`),
        text,
        { maxKeys: 3 },
      ),
    )
    .map(([elements, attributes]) => ({ ...attributes, ...elements })),
})).element;

/** Anything, with names that mean something. */
const anything = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.oneof(fc.string({ unit: 'binary', maxLength: 4 }), fc.double(), fc.boolean(), fc.constant(null)),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(
      fc.oneof(
        name,
        name.map((each) => `@${each}`),
        fc.constantFrom(
          '#text',
          '@xmlns',
          '@xmlns:a',
          '@xmlns:b',
          '@a:x',
          '@b:x',
          'a:y',
          '@xsi:type',
          '@xmlns:xsi',
          '',
        ),
      ),
      fc.oneof(
        tie('value'),
        fc.constantFrom<JsonValue>('urn:a', 'http://www.w3.org/2001/XMLSchema-instance'),
      ),
      { maxKeys: 4 },
    ),
  ),
})).value;

describe('any JSON value', () => {
  it('is well-formed XML or refused', () => {
    let wrote = 0;
    fc.assert(
      fc.property(anything, fc.boolean(), (value, declared) => {
        let xml: Buffer;
        try {
          xml = write(JSON.parse(JSON.stringify(value)), declared ? { '': 'urn:r', a: 'urn:a' } : null);
        } catch (error) {
          expect(error).toBeInstanceOf(UnreadableBody);
          return;
        }
        wrote += 1;
        new SaxesParser({ xmlns: true }).write(xml.toString()).close();
      }),
      { numRuns: 3_000 },
    );
    expect(wrote).toBeGreaterThan(300);
  });
});

/** Pieces of documents, sound and broken. */
const pieces = fc.constantFrom(
  ...[
    '<a>',
    '</a>',
    '<a/>',
    '<b x="1">',
    '</b>',
    '<p:c xmlns:p="urn:p" p:y="&lt;"/>',
    't',
    ' ',
    '&amp;',
    '&e;',
    '<!-- c -->',
  ],
  ...[
    '<![CDATA[<]]>',
    '<?p?>',
    '<!DOCTYPE r>',
    '<a xsi:nil="true"/>',
    '<_x0040_a/>',
    '<_x/>',
    '<',
    '>',
    '"',
    '\u0000',
    'é',
  ],
);

describe('any text', () => {
  it('is read and means the same once it is written again, or is refused', () => {
    let sound = 0;
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 12 }), fc.boolean(), (inner, framed) => {
        const frame = framed ? ['<a>', '</a>'] : ['', ''];
        const xml = `<r ${XSI}>${frame[0]}${inner.join('')}${frame[1]}</r>`;
        let value: JsonValue;
        try {
          value = read(Buffer.from(xml));
        } catch (error) {
          expect(error).toBeInstanceOf(UnreadableBody);
          return;
        }
        sound += 1;
        expect(read(write(value))).toEqual(value);
      }),
      { numRuns: 5_000 },
    );
    expect(sound).toBeGreaterThan(300);
  });
});

describe('a JSON value of texts', () => {
  it('comes back from XML as it was', () => {
    fc.assert(
      fc.property(sayable, (value) => {
        const plain = JSON.parse(JSON.stringify(value));
        expect(read(write(plain))).toEqual(plain);
      }),
      { numRuns: 1_000 },
    );
  });
});
