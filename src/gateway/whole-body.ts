/**
 * Reads the whole body of a request before anything is made of it: within a limit, from a client that may be neither slow
 * nor stand still. Knows not what it is for.
 * @module
 */

import type { Exchange } from './exchange.ts';
import { collectBody, watchSender } from './slow-sender.ts';
import { RequestBody } from './upstream/request-body.ts';

/** Calls one of `done` and `failed`, at most once; neither when the client breaks off. `limit`: bytes. */
export function readWholeBody(
  exchange: Exchange,
  limit: number,
  done: (whole: Buffer) => void,
  failed: (failure: 'too-large' | 'too-slow') => void,
): void {
  const body = new RequestBody({
    source: exchange.request,
    limit,
    replayLimit: limit,
    coarseNowMs: () => exchange.runtime.wheel.coarseNowMs,
    onFailure: (failure) => {
      if (failure === 'too-large' || failure === 'too-slow') failed(failure);
    },
  });
  exchange.body = body;
  watchSender(exchange, body);
  if (exchange.expectsContinue) exchange.response.writeContinue();
  collectBody(exchange, body, (whole) => {
    exchange.wholeBody = whole;
    done(whole);
  });
}
