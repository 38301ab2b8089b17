/**
 * A body that is here as a whole goes out part by part, each once the client has room for it: so one can see how fast it
 * is taken, and a client that leaves costs no more than a part. Knows the response only.
 * @module
 */

import type { Exchange } from '../exchange.ts';
import { BODY_PART_BYTES } from '../limits.ts';
import { watchReader, watchRest } from '../slow-reader.ts';

/** Sends `body` and ends the response. */
export function endWith(exchange: Exchange, body: Buffer): void {
  const { response } = exchange;
  let position = 0;
  const go = (): void => {
    while (body.length - position > BODY_PART_BYTES) {
      const part = body.subarray(position, position + BODY_PART_BYTES);
      position += part.length;
      exchange.bytesOut += part.length;
      if (!response.write(part)) {
        if (response.destroyed) return;
        watchReader(exchange);
        response.once('drain', go);
        return;
      }
    }
    const last = body.subarray(position);
    exchange.bytesOut += last.length;
    if (last.length === 0) response.end();
    else response.end(last);
    watchRest(exchange);
  };
  go();
}
