/**
 * What one attempt sends as its body: the client's, read from the start, through filters of its own where a route
 * reshapes it as it passes. Knows neither rules nor connections.
 * @module
 */

import type { Readable } from 'node:stream';
import type { Exchange } from '../exchange.ts';
import { throughFilters } from '../transform/through-filters.ts';
import type { RequestReshaping } from '../transform/transform-model.ts';
import { troubleOfFilter } from '../transform/unreadable-body.ts';
import { READER_LEFT, type RequestBody } from './request-body.ts';

/** Null: there is none. */
export function sentBody({ wholeBody, body, reshaping }: Exchange): Readable | Buffer | null {
  if (wholeBody !== null || body === null) return wholeBody;
  const pieces = reshaping === null ? body.read() : reshaped(body, reshaping);
  // undici takes asynchronous iterables (its documentation says so), though its types do not name them.
  return pieces as unknown as Readable;
}

/**
 * Each filter waits for the next one, the last for the upstream, the client for the first. What cannot be reshaped fails
 * the body before anybody could take what came of it for all.
 */
async function* reshaped(
  body: RequestBody,
  reshaping: RequestReshaping,
): AsyncGenerator<Buffer, void, undefined> {
  try {
    yield* throughFilters(body.read(), reshaping.open());
    reshaping.passed();
  } catch (error) {
    if (error !== READER_LEFT) body.unreadable(troubleOfFilter(error, reshaping.coding));
    throw error;
  }
}
