/**
 * The live stream with reconnects: what a verb that follows a rollout iterates over. Knows the messages of the
 * stream; knows no verb and prints nothing.
 * @module
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { SluiceError } from '../core/domain/errors.ts';
import type { RolloutEvent } from '../core/domain/rollout-event.ts';
import type { RolloutView } from '../core/view/rollout-view.ts';
import type { ControlClient } from './client.ts';
import { readServerEvents, type ServerEvent } from './sse-reader.ts';

export type LiveMessage =
  | { readonly kind: 'snapshot'; readonly views: readonly RolloutView[] }
  | { readonly kind: 'view'; readonly view: RolloutView }
  | { readonly kind: 'transition'; readonly event: RolloutEvent }
  /** The connection is gone; the stream goes on by itself once it is back. */
  | { readonly kind: 'lost'; readonly reason: string };

export interface LiveOptions {
  readonly rollouts: readonly string[];
  /** Ends the iteration. */
  readonly signal: AbortSignal;
  /** Delay before the first reconnect, milliseconds; doubles up to 5 s. */
  readonly reconnectMs?: number;
}

const RECONNECT_MS = 500;
const RECONNECT_MAX_MS = 5000;
/** Three pings missed: the connection is dead even if nobody has said so. */
const SILENCE_MS = 45_000;

/**
 * Rejects when the first connection fails, and when a later one is refused for good (token, name); a server
 * that is merely away is waited for.
 */
export async function* followLive(client: ControlClient, options: LiveOptions): AsyncGenerator<LiveMessage> {
  const { rollouts, signal } = options;
  let lastEventId: string | null = null;
  let connected = false;
  let delayMs = options.reconnectMs ?? RECONNECT_MS;
  while (!signal.aborted) {
    const silence = new Watchdog(SILENCE_MS);
    try {
      const until = AbortSignal.any([signal, silence.signal]);
      const body = await client.openStream(rollouts, lastEventId, until);
      connected = true;
      delayMs = options.reconnectMs ?? RECONNECT_MS;
      for await (const received of readServerEvents(body, () => silence.reset(), until)) {
        lastEventId = received.id ?? lastEventId;
        const message = messageOf(received);
        if (message) yield message;
      }
      if (signal.aborted) return;
      yield { kind: 'lost', reason: 'the server ended the stream' };
    } catch (error) {
      if (signal.aborted) return;
      if (!connected || (error instanceof SluiceError && !isTemporary(error))) throw error;
      yield { kind: 'lost', reason: error instanceof Error ? error.message : 'no answer' };
    } finally {
      silence.close();
    }
    await sleep(delayMs, undefined, { signal }).catch(() => undefined);
    delayMs = Math.min(delayMs * 2, RECONNECT_MAX_MS);
  }
}

function isTemporary(error: SluiceError): boolean {
  return error.status >= 500;
}

/** The casts state the stream's contract, as in the client. Unknown kinds are skipped: the API may grow. */
function messageOf(received: ServerEvent): LiveMessage | undefined {
  switch (received.event) {
    case 'snapshot': {
      const { rollouts } = JSON.parse(received.data) as { rollouts: RolloutView[] };
      return { kind: 'snapshot', views: rollouts };
    }
    case 'view':
      return { kind: 'view', view: JSON.parse(received.data) as RolloutView };
    case 'transition':
      return { kind: 'transition', event: JSON.parse(received.data) as RolloutEvent };
    default:
      return undefined;
  }
}

/** Aborts its signal when it has not been reset for a while. */
class Watchdog {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;

  constructor(afterMs: number) {
    this.#timer = setTimeout(() => this.#controller.abort(), afterMs);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  reset(): void {
    this.#timer.refresh();
  }

  close(): void {
    clearTimeout(this.#timer);
    // Also frees a stream whose reader stopped early.
    this.#controller.abort();
  }
}
