/**
 * Watches a client that does not take its response as fast as it comes: below the listener's minimum speed, or when it
 * takes nothing for the route's idle time, the response ends. Costs nothing while nothing waits; blames no version.
 * @module
 */

import { isStream } from '../core/policy/attempt-time.ts';
import { ReadingAllowance, type ReadingSpeed } from '../core/policy/reading-speed.ts';
import { Deadline } from './deadlines.ts';
import type { Exchange } from './exchange.ts';
import { READER_IDLE_MS } from './limits.ts';

const LOOK_EVERY_MS = 1_000;

const ANY_SPEED: ReadingSpeed = { bytesPerSecond: 0, graceMs: 0 };

/** Something waits for the client: from now on somebody looks at how fast it takes it. */
export function watchReader(exchange: Exchange): void {
  // Without a listener no client waits.
  if (exchange.listener === null) return;
  exchange.reader ??= new ReaderWatch(exchange, speedOf(exchange));
}

/** The same at the end of a response: only if its client has not taken all of it. */
export function watchRest(exchange: Exchange): void {
  const { response } = exchange;
  if (response.writableLength > 0 || !response.writableEnded) watchReader(exchange);
}

/** Streams of events and calls last as long as both sides want: only who takes nothing at all ends them. */
function speedOf({ calls, attempt, listener }: Exchange): ReadingSpeed {
  if (listener === null || calls || isStream(attempt?.field('content-type'))) return ANY_SPEED;
  return { bytesPerSecond: listener.limits.minReadBytesPerSecond, graceMs: listener.limits.readGraceMs };
}

class ReaderWatch extends Deadline {
  readonly #exchange: Exchange;
  readonly #allowance: ReadingAllowance;
  #taken = 0;
  #progressMs: number;

  constructor(exchange: Exchange, speed: ReadingSpeed) {
    super();
    this.#exchange = exchange;
    this.#progressMs = exchange.runtime.monotonicMs();
    const { bytesOut, response, runtime } = exchange;
    this.#allowance = new ReadingAllowance(speed, this.#progressMs, bytesOut, response.writableLength);
    runtime.wheel.arm(this, this.#progressMs + LOOK_EVERY_MS);
  }

  #cut(): void {
    const exchange = this.#exchange;
    if (exchange.errorCode === '') exchange.errorCode = 'CLIENT_TOO_SLOW';
    exchange.response.destroy();
  }

  override expire(nowMs: number): void {
    const exchange = this.#exchange;
    const { response, runtime, route, bytesOut } = exchange;
    if (response.destroyed) return;
    const waiting = response.writableLength;
    const keepsUp = this.#allowance.keepsUp(nowMs, bytesOut, waiting);
    // A response that is changed on its way may still grow while it is read.
    const taken = bytesOut - waiting;
    if (waiting === 0 || taken > this.#taken) this.#progressMs = nowMs;
    this.#taken = Math.max(taken, this.#taken);
    const idleMs = route?.timeout.idleMs ?? READER_IDLE_MS;
    if (!keepsUp || nowMs - this.#progressMs >= idleMs) this.#cut();
    else runtime.wheel.arm(this, nowMs + LOOK_EVERY_MS);
  }
}
