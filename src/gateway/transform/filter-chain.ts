/**
 * Filters that a body goes through on its way to the client, one behind the other, each waiting for the next. Knows the
 * client's response; nothing of what the filters do.
 * @module
 */

import type { Transform } from 'node:stream';
import type { Exchange } from '../exchange.ts';
import { watchReader } from '../slow-reader.ts';
import { noteRefused } from './body-outcome.ts';
import type { UnreadableBody } from './unreadable-body.ts';

/** Calls back once each at most. */
export interface FirstFilters {
  /** The first piece of what comes out is there, or its end. */
  ready(): void;
  /** One of them has failed, before or after `ready`; nothing more comes out. */
  failed(error: Error): void;
}

/** Runs the first filters of a body before it is settled what goes out: nothing is taken from the last of them. */
export function runFirst(exchange: Exchange, filters: readonly Transform[], told: FirstFilters): void {
  let failed = false;
  for (const [index, filter] of filters.entries()) {
    filter.on('error', (error) => {
      if (failed) return;
      failed = true;
      for (const each of filters) each.destroy();
      told.failed(error);
    });
    const next = filters[index + 1];
    if (next !== undefined) filter.pipe(next);
  }
  filters.at(-1)?.once('readable', () => {
    if (!failed) told.ready();
  });
  destroyWith(exchange, filters);
}

/** From one filter to the next and to the client, each waiting for the one behind it. The head has been written. */
export function connectFilters(exchange: Exchange, chain: readonly Transform[]): void {
  const { response } = exchange;
  for (const [index, filter] of chain.entries()) {
    filter.on('error', () => cutOff(exchange, null));
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
  destroyWith(exchange, chain);
}

function destroyWith({ response }: Exchange, filters: readonly Transform[]): void {
  response.once('close', () => {
    for (const filter of filters) filter.destroy();
  });
}

/**
 * A piece of the body cannot be brought into its form, and the head is out: a response that is cut off is not taken for
 * a whole one. `trouble` null: nothing is known of it.
 */
export function cutOff(exchange: Exchange, trouble: UnreadableBody | null): void {
  const { response } = exchange;
  if (response.destroyed || response.writableEnded) return;
  exchange.errorCode = 'RESPONSE_UNREADABLE';
  if (trouble !== null) noteRefused(exchange, 'response', trouble);
  leaveRest(exchange);
  // What is written goes out first: its client sees which response it is that breaks off.
  setImmediate(() => response.destroy());
}

/** What the upstream has said counts as its status says, though nobody wants the rest. */
export function leaveRest({ attempt, hold }: Exchange): void {
  if (attempt?.phase === 'streaming' && (hold === null || hold.settled)) attempt.discard();
}
