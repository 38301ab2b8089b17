/**
 * Bodies as clients and upstreams may send them: JSON and XML that is sound, nearly sound or meant to harm, packed and
 * not. Knows media types and codings, no framing.
 * @module
 */

import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import type { Field } from './h2-frames.ts';
import type { Seeded } from './seeded.ts';

export interface FuzzBody {
  readonly bytes: Buffer;
  /** What is said of it; not always true. */
  readonly fields: readonly Field[];
}

const JSONS = [
  '{"secret":1,"kept":"é","list":[{"secret":2}]}',
  '[]',
  '{"kept":[1,2,{"deep":null}]}',
  '{"secret":1,"secret":2,"s\\u0065cret":3}',
  '{"__proto__":{"secret":1},"constructor":1}',
  '{"kept":1}{"secret":2}',
  '\ufeff{"secret":1}',
  '{"kept":"\ud800"}',
  `${'['.repeat(5_000)}${']'.repeat(5_000)}`,
  '{"kept":1e400,"n":-0}',
  '{"a":"\n"}',
  '{"secret":1,}',
  'null',
  '',
];
const XMLS = [
  '<order><secret>1</secret><tag>a</tag><total>9.5</total></order>',
  '<order/>',
  '<order xmlns="urn:x"><x:a xmlns:x="urn:y"/></order>',
  '<!DOCTYPE order [<!ENTITY a "ha">]><order>&a;</order>',
  '<!DOCTYPE order [<!ENTITY e SYSTEM "file:///etc/passwd">]><order>&e;</order>',
  '<order>&#0;</order>',
  '<order a="1" a="2"/>',
  '<order><tag></order></tag>',
  `${'<order>'.repeat(500)}${'</order>'.repeat(500)}`,
  `<order ${Array.from({ length: 200 }, (_, index) => `a${index}="1"`).join(' ')}/>`,
  '<?xml version="1.1"?><order/>',
  '<?xml version="1.0" encoding="UTF-16"?><order/>',
  '<__proto__><constructor/></__proto__>',
  '<order><![CDATA[]]></order>',
];
const JSON_TYPES = [
  'application/json',
  'application/vnd.shop+json',
  'application/json;charset=utf-16',
  'text/json',
];
const XML_TYPES = [
  'application/xml',
  'text/xml; charset="utf-8"',
  'application/soap+xml',
  'application/xml;charset=x',
];
const CODINGS = ['gzip', 'br', 'deflate', 'x-gzip', 'identity', 'zstd', 'gzip, br', 'gzip,gzip', ''];
/** Ten megabytes that are ten kilobytes on the way. */
const BOMB = Buffer.alloc(10_000_000, ' ');
const BOMBS = [gzipSync(BOMB), brotliCompressSync(BOMB), deflateSync(BOMB)];

const PACKERS = [gzipSync, brotliCompressSync, deflateSync, deflateRawSync];

export function bodyFrom(random: Seeded): FuzzBody {
  const xml = random.chance(0.4);
  const text = random.chance(0.5) ? random.mostly(xml ? XMLS : JSONS) : random.pick(xml ? XMLS : JSONS);
  const fields: Field[] = [['content-type', random.mostly(xml ? XML_TYPES : JSON_TYPES)]];
  if (random.chance(0.05)) fields.push(['Content-Type', 'text/plain']);
  let bytes: Buffer = Buffer.from(text);
  if (random.chance(0.05)) bytes = random.damaged(bytes);
  if (random.chance(0.3)) {
    const packing = random.below(PACKERS.length);
    bytes = (PACKERS[packing] as typeof gzipSync)(bytes);
    if (random.chance(0.1)) bytes = random.pick(BOMBS);
    if (random.chance(0.3)) bytes = random.damaged(bytes);
    fields.push(['content-encoding', random.chance(0.7) ? (CODINGS[packing] ?? '') : random.pick(CODINGS)]);
  }
  return { bytes, fields };
}
