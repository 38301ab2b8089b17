/**
 * Bodies in JSON as values and back. Knows bytes and what is wrong with them; not whose body it is.
 * @module
 */

import type { JsonValue } from '../../core/policy/transform/json-map.ts';
import { JSON_SLICE_BYTES, readJson, writeJson } from '../../core/policy/transform/json-text.ts';
import type { Sliced } from '../../core/policy/transform/sliced.ts';
import { encoded } from './encoded.ts';
import { UnreadableBody } from './unreadable-body.ts';

/** Throws UnreadableBody. */
export function* readJsonBody(body: Buffer): Sliced<JsonValue> {
  try {
    return yield* readJson(body);
  } catch (error) {
    throw error instanceof RangeError ? tooDeep() : new UnreadableBody('malformed', 'it is no JSON');
  }
}

/** Throws UnreadableBody. `bytes`: of the body that the value is made of, which says whether it is worth slices. */
export function* writeJsonBody(value: JsonValue, bytes: number): Sliced<Buffer> {
  if (bytes > JSON_SLICE_BYTES) return yield* encoded(yield* writeJson(value));
  try {
    return Buffer.from(JSON.stringify(value));
  } catch {
    throw tooDeep();
  }
}

function tooDeep(): UnreadableBody {
  return new UnreadableBody('malformed', 'it is nested deeper than can be walked');
}
