/**
 * Whether a response is compressed on its way out, and how (RFC 9110 §8.4): by what the client takes, what the
 * response is, and what it forbids. Knows zlib and fields, no sockets.
 * @module
 */

import type { Transform } from 'node:stream';
import { constants, createBrotliCompress, createGzip } from 'node:zlib';
import type { CompressPolicy } from '../../config/policies/compress.ts';
import { chooseEncoding } from '../../core/policy/transform/accept.ts';
import { fieldsOfChangedBody, fieldText, mediaTypeOf, weakTag, withVary } from './field-list.ts';
import type { Compressed, TransformSubject } from './transform-model.ts';

/** Cheap enough for a gateway: most of the gain, little of the time of the highest levels. */
const GZIP_LEVEL = 5;
const BROTLI_QUALITY = 4;

export function compileCompress(
  policy: CompressPolicy,
): (subject: TransformSubject, status: number, fields: readonly string[], hasBody: boolean) => Compressed {
  const matches = policy.types.map(compileType);
  const isCompressible = (fields: readonly string[]): boolean => {
    const type = mediaTypeOf(fields);
    return type !== '' && matches.some((match) => match(type));
  };
  return (subject, status, fields, hasBody) => {
    if (status === 304) return { fields: notModified(subject, fields), filter: null };
    if (status === 204 || status === 206 || status === 416 || !isCompressible(fields))
      return { fields, filter: null };
    if (forbids(fields)) return { fields, filter: null };
    // Also on what is not compressed: the next client may take it.
    const varied = withVary(fields, 'Accept-Encoding');
    const length = fieldText(fields, 'content-length');
    if (length !== undefined && Number(length) < policy.minBytes) return { fields: varied, filter: null };
    const { 'accept-encoding': accepted } = subject.request.headers;
    const encoding = chooseEncoding(
      Array.isArray(accepted) ? accepted.join(',') : accepted,
      policy.encodings,
    );
    if (encoding === null) return { fields: varied, filter: null };
    subject.note('compress', encoding);
    return {
      fields: [...fieldsOfChangedBody(varied), 'Content-Encoding', encoding],
      filter: hasBody ? open(encoding, length === undefined) : null,
    };
  };
}

function compileType(pattern: string): (type: string) => boolean {
  const star = pattern.indexOf('*');
  if (star < 0) return (type) => type === pattern;
  const before = pattern.slice(0, star);
  const after = pattern.slice(star + 1);
  return (type) => type.startsWith(before) && type.endsWith(after);
}

/** Already in some coding, a part of something, or not to be touched (RFC 9111 §5.2.2.6). */
function forbids(fields: readonly string[]): boolean {
  const coding = fieldText(fields, 'content-encoding');
  if (coding !== undefined && coding.toLowerCase() !== 'identity') return true;
  if (fieldText(fields, 'content-range') !== undefined) return true;
  return /(?:^|[,\s])no-transform(?:$|[,\s])/i.test(fieldText(fields, 'cache-control') ?? '');
}

/** A 304 confirms what the client has: under the weak name, if that is the one it knows. */
function notModified({ request }: TransformSubject, fields: readonly string[]): string[] {
  const known = request.headers['if-none-match'] ?? '';
  const edited = withVary(fields, 'Accept-Encoding');
  for (let i = 0; i + 1 < edited.length; i += 2) {
    if (edited[i]?.toLowerCase() !== 'etag') continue;
    const weak = weakTag(edited[i + 1] as string);
    if (known.includes(weak)) edited[i + 1] = weak;
  }
  return edited;
}

/** `streams`: nobody knows when the next piece comes, so that each goes out at once. */
function open(encoding: 'br' | 'gzip', streams: boolean): Transform {
  if (encoding === 'gzip') {
    return createGzip({ level: GZIP_LEVEL, flush: streams ? constants.Z_SYNC_FLUSH : constants.Z_NO_FLUSH });
  }
  return createBrotliCompress({
    flush: streams ? constants.BROTLI_OPERATION_FLUSH : constants.BROTLI_OPERATION_PROCESS,
    params: { [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY },
  });
}
