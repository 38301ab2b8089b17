/**
 * Asks the shared state about limits, but never for long: when it does not answer in time, each limit goes on as
 * its `whenDown` says. Owns the substitute table and the memory of an outage; knows no requests.
 * @module
 */

import type { WhenDown } from '../config/policies/limits-schema.ts';
import { type LimitAnswer, LimitTable, type LimitTake } from '../core/policy/limit-table.ts';
import type { Clock } from '../ports/clock.ts';
import type { SharedState } from '../ports/shared-state.ts';
import type { Logger } from '../telemetry/logger.ts';
import { Alarm } from './alarm.ts';
import type { DeadlineWheel } from './deadlines.ts';
import { MAX_LOCAL_LIMIT_KEYS, SHARED_STATE_RETRY_MS, SHARED_STATE_WAIT_MS } from './limits.ts';

export interface LimitVerdict {
  /** One per limit; null: let pass unseen (`allow`). */
  readonly answers: readonly (LimitAnswer | null)[];
  /** Refused because nobody could be asked (`deny`). */
  readonly denied: boolean;
  readonly withoutState: boolean;
}

export interface LimitKeeperOptions {
  readonly shared: SharedState;
  readonly wheel: DeadlineWheel;
  readonly clock: Clock;
  readonly monotonicMs: () => number;
  readonly logger: Logger;
}

export class LimitKeeper {
  readonly #options: LimitKeeperOptions;
  readonly #local = new LimitTable(MAX_LOCAL_LIMIT_KEYS);
  /** While it lasts nobody is asked; then one request tries for all. */
  #downUntilMs = 0;
  #down = false;

  constructor(options: LimitKeeperOptions) {
    this.#options = options;
  }

  /** `whenDown` has one entry per take. Calls back, at once where the state is in this process. */
  take(
    takes: readonly LimitTake[],
    whenDown: readonly WhenDown[],
    done: (verdict: LimitVerdict) => void,
  ): void {
    const { shared, wheel, monotonicMs } = this.#options;
    if (this.#down) {
      const nowMs = monotonicMs();
      if (nowMs < this.#downUntilMs) {
        done(this.#without(takes, whenDown));
        return;
      }
      this.#downUntilMs = nowMs + SHARED_STATE_RETRY_MS;
    }
    const asked = shared.takeLimits(takes);
    if (!(asked instanceof Promise)) {
      done({ answers: asked, denied: false, withoutState: false });
      return;
    }
    let waiting = true;
    const giveUp = (error: unknown): void => {
      if (!waiting) return;
      waiting = false;
      wheel.disarm(alarm);
      this.#lost(error);
      done(this.#without(takes, whenDown));
    };
    const alarm = new Alarm(() => giveUp(new Error(`no answer within ${SHARED_STATE_WAIT_MS} ms`)));
    wheel.arm(alarm, monotonicMs() + SHARED_STATE_WAIT_MS);
    asked.then((answers) => {
      this.#found();
      if (!waiting) return;
      waiting = false;
      wheel.disarm(alarm);
      done({ answers, denied: false, withoutState: false });
    }, giveUp);
  }

  #lost(error: unknown): void {
    const { logger, monotonicMs } = this.#options;
    if (!this.#down) logger.warn({ err: error }, 'limits are not shared: the state cannot be reached');
    this.#down = true;
    this.#downUntilMs = monotonicMs() + SHARED_STATE_RETRY_MS;
  }

  #found(): void {
    if (!this.#down) return;
    this.#down = false;
    this.#options.logger.info({}, 'limits are shared again');
  }

  #without(takes: readonly LimitTake[], whenDown: readonly WhenDown[]): LimitVerdict {
    if (whenDown.includes('deny')) return { answers: [], denied: true, withoutState: true };
    const counted = takes.filter((_, index) => whenDown[index] === 'local');
    const found = this.#local.take(counted, Math.floor(this.#options.clock.nowMs() * 1000));
    let next = 0;
    const answers = whenDown.map((mode) => {
      if (mode !== 'local') return null;
      next += 1;
      return found[next - 1] ?? null;
    });
    return { answers, denied: false, withoutState: true };
  }
}
