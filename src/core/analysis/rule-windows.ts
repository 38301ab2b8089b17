/**
 * The windows that the rules of a plan look back over, and the past that cuts are taken from. Derived data: filled
 * again from the same seconds. Knows neither wealth nor verdicts.
 * @module
 */

import type { Rule } from '../domain/rule.ts';
import { asTraffic } from './mirrored.ts';
import { betsOnCounters } from './rule-bets.ts';
import type { Second, TimedArms } from './second.ts';
import { SlidingWindow } from './sliding-window.ts';

/** The cut of a comparison of quantiles comes from this much of the baseline's past … */
const CUT_WINDOW_MS = 300_000;
/** … is taken again this often … */
const CUT_EVERY_MS = 60_000;
/** … and for the first time when there are this many requests. */
const CUT_REQUESTS = 100;

/** Of a comparison of quantiles: the lowest slow bin, and when it was taken, epoch milliseconds. */
export interface Cut {
  readonly bin: number;
  readonly atMs: number;
}

export class RuleWindows {
  /**
   * By rule; rules with the same span share one. Rules on counters and on mirrored answers have their own, as theirs
   * are other counts.
   */
  readonly #byRule: readonly SlidingWindow[];
  readonly #distinct: ReadonlySet<SlidingWindow>;
  readonly #ofMirrors: readonly SlidingWindow[];
  readonly #past: SlidingWindow;

  constructor(rules: readonly Rule[]) {
    const bySpan = new Map<number, SlidingWindow>();
    const spanning = (spanMs: number): SlidingWindow => {
      const window = bySpan.get(spanMs) ?? new SlidingWindow(spanMs, true);
      bySpan.set(spanMs, window);
      return window;
    };
    const ofMirrors: SlidingWindow[] = [];
    this.#byRule = rules.map((rule) => {
      if (!betsOnCounters(rule) && rule.condition.kind !== 'differs') return spanning(rule.overMs);
      const window = new SlidingWindow(rule.overMs, false);
      if (rule.condition.kind === 'differs') ofMirrors.push(window);
      return window;
    });
    this.#ofMirrors = ofMirrors;
    this.#past = spanning(CUT_WINDOW_MS);
    this.#distinct = new Set(bySpan.values());
  }

  add(second: TimedArms & Pick<Second, 'mirrored'>): void {
    for (const window of this.#distinct) window.add(second);
    for (const window of this.#ofMirrors) window.add(asTraffic(second));
  }

  of(rule: number): SlidingWindow {
    return this.#byRule[rule] as SlidingWindow;
  }

  /** From the past only: what the second itself holds must not move the cut that it is judged by. */
  cut({ condition }: Rule, before: Cut | null, startMs: number): Cut | null {
    if (condition.kind !== 'quantile-ratio') return null;
    if (before !== null && startMs - before.atMs < CUT_EVERY_MS) return before;
    const baseline = this.#past.baseline.latencyUs;
    if (baseline === null || baseline.total < CUT_REQUESTS) return before;
    const bin = baseline.quantileBin(condition.quantile);
    return bin === undefined ? before : { bin: bin + 1, atMs: startMs };
  }
}
