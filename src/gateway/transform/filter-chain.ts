/**
 * Filters that a body goes through on its way to the client, one behind the other, each waiting for the next. Knows the
 * client's response; nothing of what the filters do.
 * @module
 */

import type { Transform } from 'node:stream';
import type { Exchange } from '../exchange.ts';
import { watchReader } from '../slow-reader.ts';

/** From one filter to the next and to the client, each waiting for the one behind it. */
export function connectFilters(exchange: Exchange, chain: readonly Transform[]): void {
  const { response } = exchange;
  for (const [index, filter] of chain.entries()) {
    // The head is out: a response that is cut off is not taken for a whole one.
    filter.on('error', () => cutOff(exchange));
    const next = chain[index + 1];
    if (next !== undefined) filter.pipe(next);
  }
  const last = chain.at(-1);
  last?.on('data', (piece: Buffer) => {
    exchange.bytesOut += piece.length;
    if (response.write(piece) || response.destroyed) return;
    watchReader(exchange);
    last.pause();
    response.once('drain', () => last.resume());
  });
  last?.on('end', () => response.end());
  response.once('close', () => {
    for (const filter of chain) filter.destroy();
  });
}

/** A piece of the body cannot be brought into its form. */
function cutOff(exchange: Exchange): void {
  const { response } = exchange;
  if (response.destroyed || response.writableEnded) return;
  exchange.errorCode = 'RESPONSE_UNREADABLE';
  leaveRest(exchange);
  response.destroy();
}

/** What the upstream has said counts as its status says, though nobody wants the rest. */
export function leaveRest({ attempt, hold }: Exchange): void {
  if (attempt?.phase === 'streaming' && (hold === null || hold.settled)) attempt.discard();
}
