/**
 * Makes of the bytes of a response what can be compared: fields by name, the body decoded and, if it is JSON, parsed.
 * Knows encodings and media types; nothing of what differs.
 * @module
 */

import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate } from 'node:zlib';
import type { MirrorAnswer, MirrorBody } from '../../core/policy/mirror-compare.ts';
import { firstField } from '../upstream/raw-fields.ts';

/** A response as it came. */
export interface RawAnswer {
  readonly status: number;
  /** Name, value, name, value … */
  readonly rawFields: readonly Buffer[];
  /** Null: too large to be kept. */
  readonly body: Buffer | null;
}

/** A packed body may be this many times larger than the packed bytes that are kept. */
const MAX_UNPACKED = 8;
const JSON_TYPE = /^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i;
const DECODERS: Readonly<
  Record<string, (body: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>>
> = {
  gzip: promisify(gunzip),
  'x-gzip': promisify(gunzip),
  deflate: promisify(inflate),
  br: promisify(brotliDecompress),
};

/** `names` of fields in lower case. Never rejects: what cannot be read is unknown. */
export async function answerOf(
  { status, rawFields, body }: RawAnswer,
  names: readonly string[],
  maxBytes: number,
): Promise<MirrorAnswer> {
  const fields = new Map<string, string>();
  for (const name of names) {
    const value = firstField(rawFields, name);
    if (value !== undefined) fields.set(name, value);
  }
  return { status, fields, body: await bodyOf(rawFields, body, maxBytes) };
}

async function bodyOf(
  rawFields: readonly Buffer[],
  body: Buffer | null,
  maxBytes: number,
): Promise<MirrorBody> {
  if (body === null) return { kind: 'unknown' };
  const encoding = firstField(rawFields, 'content-encoding')?.trim().toLowerCase() ?? 'identity';
  const decode = Object.hasOwn(DECODERS, encoding) ? DECODERS[encoding] : undefined;
  let bytes = body;
  if (decode !== undefined && body.length > 0) {
    try {
      bytes = await decode(body, { maxOutputLength: Math.max(1, maxBytes * MAX_UNPACKED) });
    } catch {
      return { kind: 'unknown' };
    }
  }
  if (JSON_TYPE.test(firstField(rawFields, 'content-type') ?? '')) {
    try {
      return { kind: 'json', value: JSON.parse(bytes.toString('utf8')) };
    } catch {
      // Broken JSON is text: it differs from whole JSON.
    }
  }
  return { kind: 'text', text: bytes.toString('latin1') };
}
