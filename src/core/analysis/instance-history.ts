/**
 * The newest seconds of a canary by instance: whether one of them is failing now, and what the canary looks like without
 * one. Derived data, filled again from the same seconds; knows no evidence.
 * @module
 */

import type { Rule } from '../domain/rule.ts';
import { countsApart } from './rule-counts.ts';
import { type ArmSecond, QUIET_ARM, type Second } from './second.ts';
import { subtractArms, sumArms } from './second-parts.ts';
import { SlidingWindow } from './sliding-window.ts';

/** An instance that stands out in so many seconds … */
const RECENT_S = 15;
/** … by so many failures and standard errors is failing now. */
const MIN_BAD = 3;
const STANDS_OUT = 3;
/** The longest look back, seconds; no further than the rules look. */
const MAX_KEPT_S = 900;
/** Seconds that may wait to be thrown away together. */
const SLACK_S = 100;

type Instances = NonNullable<Second['instances']>;

/** A second, and the sum of its instances once somebody has asked for it. */
interface KeptSecond {
  readonly startMs: number;
  readonly instances: Instances;
  readonly baseline: ArmSecond;
  all: ArmSecond | null;
}

/** A window that grows with the seconds, as long as it is the same instance that is left out. */
interface Without {
  readonly instance: string;
  readonly window: SlidingWindow;
  /** Start of the newest second in it. */
  toMs: number;
}

export class InstanceHistory {
  readonly #keptS: number;
  #kept: KeptSecond[] = [];
  /** By span, milliseconds. */
  readonly #without = new Map<number, Without>();

  constructor(rules: readonly Rule[]) {
    const longestS = Math.max(0, ...rules.map(({ overMs }) => overMs)) / 1000;
    this.#keptS = Math.min(MAX_KEPT_S, Math.max(RECENT_S, Math.ceil(longestS)));
  }

  add({ startMs, instances, baseline }: Second): void {
    if (instances === undefined) return;
    this.#kept.push({ startMs, instances, baseline, all: null });
    if (this.#kept.length > this.#keptS + SLACK_S) this.#kept = this.#kept.slice(-this.#keptS);
  }

  isFailing(rule: Rule, instance: string, cutBin: number | null): boolean {
    const sums = { canary: 0, baseline: 0, canaryBad: 0, baselineBad: 0 };
    for (const second of this.#kept.slice(-RECENT_S)) {
      const own = second.instances[instance] ?? QUIET_ARM;
      const counts = countsApart(rule, { canary: own, baseline: othersOf(second, instance) }, cutBin);
      sums.canary += counts?.canary ?? 0;
      sums.baseline += counts?.baseline ?? 0;
      sums.canaryBad += counts?.canaryBad ?? 0;
      sums.baselineBad += counts?.baselineBad ?? 0;
    }
    const expected = sums.baseline === 0 ? 0 : (sums.baselineBad * sums.canary) / sums.baseline;
    return sums.canaryBad >= MIN_BAD && sums.canaryBad > expected + STANDS_OUT * Math.sqrt(expected);
  }

  /** The rule's window, of the canary without an instance. To be read before the next second comes. */
  windowWithout(instance: string, { overMs }: Rule): SlidingWindow {
    const spanMs = Math.min(overMs, this.#keptS * 1000);
    const newestMs = this.#kept.at(-1)?.startMs ?? 0;
    const known = this.#without.get(spanMs);
    const without =
      known?.instance === instance
        ? known
        : { instance, window: new SlidingWindow(spanMs, true), toMs: newestMs - spanMs };
    this.#without.set(spanMs, without);
    for (const second of this.#newerThan(without.toMs)) {
      const { startMs, baseline } = second;
      without.window.add({ startMs, canary: othersOf(second, instance), baseline });
    }
    without.toMs = newestMs;
    return without.window;
  }

  /** In order. */
  #newerThan(startMs: number): readonly KeptSecond[] {
    let from = this.#kept.length;
    while (from > 0 && (this.#kept[from - 1] as KeptSecond).startMs > startMs) from -= 1;
    return this.#kept.slice(from);
  }
}

function othersOf(second: KeptSecond, instance: string): ArmSecond {
  second.all ??= sumArms(Object.values(second.instances));
  const own = second.instances[instance];
  return own === undefined ? second.all : subtractArms(second.all, own);
}
