/**
 * Bodies on their way through filters, taken from the last one as fast as somebody asks. Knows streams; neither what
 * they do nor what becomes of it.
 * @module
 */

import { pipeline, Readable, type Transform } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { KeptBytes } from '../../core/policy/kept-bytes.ts';
import { bufferOf } from '../kept-buffer.ts';
import { BODY_PART_BYTES } from '../limits.ts';

/** Throws what `source` or a filter fails with. Ends all of them when the reader leaves. */
export async function* throughFilters(
  source: AsyncIterable<Uint8Array>,
  filters: readonly Transform[],
): AsyncGenerator<Buffer, void, undefined> {
  const chain = [Readable.from(source), ...filters];
  // The last one throws what any of them fails with.
  pipeline(chain, () => {});
  for await (const piece of chain.at(-1) ?? []) yield piece;
}

/** The same for a body that is here as a whole. */
export async function wholeThroughFilters(body: Buffer, filters: readonly Transform[]): Promise<Buffer> {
  const kept = new KeptBytes();
  for await (const piece of throughFilters(partsOf(body), filters)) kept.add(piece);
  return bufferOf(kept.joined());
}

/** In several turns of the event loop, so that a large one does not hold up everybody else. */
async function* partsOf(body: Buffer): AsyncGenerator<Uint8Array, void, undefined> {
  for (let from = 0; from < body.length; from += BODY_PART_BYTES) {
    if (from > 0) await nextTurn();
    yield body.subarray(from, from + BODY_PART_BYTES);
  }
}
