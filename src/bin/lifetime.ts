/**
 * A process verb from its start to its stop: what it has opened is closed however it ends, also half-way through a
 * start and on a signal meanwhile. Knows no verb.
 * @module
 */

import { untilStopped } from './process-signals.ts';

/** Registers what has to be closed at the end; newest first. */
export type Own = (close: () => Promise<void>) => void;

export interface Lifetime {
  /** SIGHUP; null: it ends the process. */
  readonly onHangUp: (() => Promise<void>) | null;
  /** Before anything is closed. */
  readonly onStop: () => void;
}

/**
 * Resolves once everything is closed after a signal; rejects when `start` does, with everything closed as well.
 * `stopping` ends what a start waits for.
 */
export async function liveUntilStopped(
  start: (own: Own, stopping: AbortSignal) => Promise<Lifetime>,
): Promise<void> {
  const closers: (() => Promise<void>)[] = [];
  const stopping = new AbortController();
  let over = false;
  const own: Own = (close) => {
    // Opened by a start that nobody waits for any more.
    if (over) void close();
    else closers.unshift(close);
  };
  let life: Lifetime | null = null;
  const stopped = untilStopped(() => life?.onHangUp ?? null);
  try {
    life = await Promise.race([start(own, stopping.signal), stopped.then(() => null)]);
    await stopped;
    life?.onStop();
  } finally {
    over = true;
    stopping.abort();
    for (const close of closers) await close();
  }
}
