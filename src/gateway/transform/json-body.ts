/**
 * JSON bodies reshaped by a route's rules: whole ones, and newline-delimited ones line by line as they pass. Knows
 * bytes and media types; what happens to a body that is none of this is decided by who asks.
 * @module
 */

import { Transform, type TransformCallback } from 'node:stream';
import type { PathMatch } from '../../config/gateway-model.ts';
import type { JsonMapping } from '../../config/policies/json-map.ts';
import { type JsonValue, mapJson } from '../../core/policy/transform/json-map.ts';
import type { TextTemplate } from '../../core/policy/transform/text-template.ts';
import { fieldText, mediaTypeOf } from './field-list.ts';
import type { CompiledJson, TransformSubject } from './transform-model.ts';
import { compileText } from './variables.ts';

const LINES: ReadonlySet<string> = new Set([
  'application/x-ndjson',
  'application/jsonl',
  'application/json-lines',
]);
const NEWLINE = 0x0a;

export function compileJson(mapping: JsonMapping | null | undefined, route: PathMatch): CompiledJson | null {
  if (!mapping) return null;
  const set = mapping.set.map(({ path, value }) => ({
    path,
    fill:
      typeof value === 'object' && value !== null
        ? compileText(value as TextTemplate, route, (each) => each)
        : (): JsonValue => value,
  }));
  const map = (subject: TransformSubject, body: Buffer): Buffer | undefined => {
    try {
      const values = set.map(({ path, fill }) => ({ path, value: fill(subject) }));
      return Buffer.from(
        JSON.stringify(mapJson(JSON.parse(strictText(body)) as JsonValue, { ...mapping, set: values })),
      );
    } catch {
      // No JSON, no UTF-8, or nested deeper than can be walked.
      return undefined;
    }
  };
  return {
    maxBytes: mapping.maxBytes,
    refuses: mapping.onError === 'refuse',
    kindOf,
    map,
    lines: (subject) => new JsonLines((line) => map(subject, line), mapping),
  };
}

const UTF8 = new TextDecoder('utf-8', { fatal: true });

/** Throws on what is no UTF-8, where a lenient reader would change bytes silently. */
function strictText(body: Buffer): string {
  return UTF8.decode(body);
}

/** `unreadable`: JSON, in a coding that is not undone here. */
function kindOf(fields: readonly string[]): 'whole' | 'lines' | 'unreadable' | null {
  const type = mediaTypeOf(fields);
  const lines = LINES.has(type);
  if (!lines && type !== 'application/json' && !(type.startsWith('application/') && type.endsWith('+json'))) {
    return null;
  }
  const coding = fieldText(fields, 'content-encoding')?.toLowerCase() ?? 'identity';
  if (coding !== 'identity') return 'unreadable';
  return lines ? 'lines' : 'whole';
}

/** Reshapes each line on its own; what is in memory is one line. */
class JsonLines extends Transform {
  readonly #map: (line: Buffer) => Buffer | undefined;
  readonly #limits: JsonMapping;
  #pieces: Buffer[] = [];
  #bytes = 0;
  /** The line is too long and passes as it is, up to its end. */
  #passing = false;

  constructor(map: (line: Buffer) => Buffer | undefined, limits: JsonMapping) {
    super();
    this.#map = map;
    this.#limits = limits;
  }

  override _transform(piece: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    try {
      let start = 0;
      for (let end = piece.indexOf(NEWLINE); end >= 0; end = piece.indexOf(NEWLINE, start)) {
        this.#take(piece.subarray(start, end));
        this.#finishLine();
        this.push('\n');
        start = end + 1;
      }
      this.#take(piece.subarray(start));
      done();
    } catch (error) {
      done(error as Error);
    }
  }

  override _flush(done: TransformCallback): void {
    try {
      this.#finishLine();
      done();
    } catch (error) {
      done(error as Error);
    }
  }

  #take(part: Buffer): void {
    if (part.length === 0) return;
    if (this.#passing) {
      this.push(part);
      return;
    }
    this.#pieces.push(part);
    this.#bytes += part.length;
    if (this.#bytes <= this.#limits.maxBytes) return;
    if (this.#limits.onError === 'refuse') throw new Error('a line is too long');
    this.push(Buffer.concat(this.#pieces));
    this.#passing = true;
  }

  #finishLine(): void {
    const line = this.#passing ? Buffer.alloc(0) : Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.#bytes = 0;
    this.#passing = false;
    // Empty lines part records, as some senders keep a connection alive with them.
    if (line.length === 0 || (line.length === 1 && line[0] === 0x0d)) {
      this.push(line);
      return;
    }
    const mapped = this.#map(line);
    if (mapped === undefined && this.#limits.onError === 'refuse') throw new Error('a line is no JSON');
    this.push(mapped ?? line);
  }
}
