/**
 * Comparisons within segments: a regression of one route or tenant that the whole of the traffic hides. Each segment
 * has a small fixed share of the error budget, so that looking into many of them costs no false aborts.
 * @module
 */

import type { Rule } from '../domain/rule.ts';
import { MAX_SEGMENTS, SUSPICION } from './budget.ts';
import { idleUntil } from './e-value.ts';
import { type BetContext, betWhenTelling, emptyWorse, type WorseWealth, worseBy } from './rule-bets.ts';
import { compares } from './rule-counts.ts';
import { type Circumstances, evidenceIn, type Look, lookAt } from './rule-look.ts';
import { type Cut, RuleWindows } from './rule-windows.ts';
import { QUIET_ARM, type Second } from './second.ts';

/** A refill may meet segments in another order than the one that gave them their shares. */
const MAX_WINDOWS = 4 * MAX_SEGMENTS;

export interface SegmentRule extends WorseWealth {
  readonly cut: Cut | null;
  /** Known from when the bets began to alarm. */
  readonly breachedSinceMs: number | null;
}

/** By segment and rule; null for rules that compare nothing. JSON as it is. */
export type SegmentMemory = Readonly<Record<string, readonly (SegmentRule | null)[]>>;

/** A segment whose bets alarm. */
export interface SegmentLook extends Look {
  readonly segment: string;
  readonly rule: number;
  readonly worse: number;
}

export class SegmentWatch {
  readonly #rules: readonly Rule[];
  /** Evidence from which on a segment is looked at. */
  readonly #alarm: number;
  readonly #windows = new Map<string, RuleWindows>();
  #newestMs = 0;

  /** `share`: of the budget, of each segment in each rule; 0: segments are not looked into. */
  constructor(rules: readonly Rule[], share: number) {
    this.#rules = share > 0 ? rules : [];
    this.#alarm = SUSPICION / share;
  }

  recall({ startMs, segments = {} }: Second): void {
    if (this.#rules.length === 0) return;
    for (const [name, arms] of Object.entries(segments)) this.#windowsOf(name)?.add({ startMs, ...arms });
  }

  /** `elapsed`: seconds that were bet on before this one. `context` without a cut. */
  add(
    memory: SegmentMemory,
    second: Second,
    elapsed: number,
    context: Omit<BetContext, 'cutBin'>,
  ): SegmentMemory {
    const { startMs, segments } = second;
    this.#newestMs = startMs;
    if (segments === undefined || this.#rules.length === 0) return memory;
    const next: Record<string, readonly (SegmentRule | null)[]> = { ...memory };
    for (const [name, arms] of Object.entries(segments)) {
      const windows = this.#windowsOf(name);
      const before = next[name] ?? (Object.keys(next).length < MAX_SEGMENTS ? this.#empty() : null);
      if (windows === undefined || before === null) continue;
      next[name] = mapOrKeep(before, (of, at) => {
        const rule = this.#rules[at] as Rule;
        if (of === null) return null;
        const cut = windows.cut(rule, of.cut, startMs);
        const bet = betWhenTelling(rule, of, arms, elapsed, { ...context, cutBin: cut?.bin ?? null });
        return bet === of && cut === of.cut ? of : { ...of, cut, worse: bet.worse, floor: bet.floor };
      });
      windows.add({ startMs, canary: arms.canary, baseline: arms.baseline });
    }
    return next;
  }

  /** What a bad instance did to these rules is taken out of the account, in all segments. */
  acquit(memory: SegmentMemory, rules: ReadonlySet<number>): SegmentMemory {
    if (rules.size === 0) return memory;
    const renewed = Object.entries(memory).map(([segment, of]) => [
      segment,
      of.map(
        (each, at) => each && (rules.has(at) ? { ...each, ...renew(this.#rules[at] as Rule, each) } : each),
      ),
    ]);
    return Object.fromEntries(renewed);
  }

  /** The segments that alarm; `memory` with since when their limits are broken. */
  look(
    memory: SegmentMemory,
    input: Circumstances,
    continuous: boolean,
  ): { readonly memory: SegmentMemory; readonly looks: readonly SegmentLook[] } {
    const looks: SegmentLook[] = [];
    const changed: Record<string, readonly (SegmentRule | null)[]> = {};
    for (const [segment, rules] of Object.entries(memory)) {
      changed[segment] = mapOrKeep(rules, (of, rule) => {
        if (of === null) return null;
        const look = this.#lookAt(segment, rule, of, input, continuous);
        if (look !== null) looks.push(look);
        const breachedSinceMs = look?.breachedSinceMs ?? null;
        return breachedSinceMs === of.breachedSinceMs ? of : { ...of, breachedSinceMs };
      });
    }
    return { memory: changed, looks };
  }

  #lookAt(
    segment: string,
    at: number,
    of: SegmentRule,
    input: Circumstances,
    continuous: boolean,
  ): SegmentLook | null {
    const worse = worseBy(of);
    const windows = this.#windows.get(segment);
    if (worse < this.#alarm || windows === undefined) return null;
    const rule = this.#rules[at] as Rule;
    // A segment without traffic has no seconds of its own to slide its window on.
    windows.add({ startMs: this.#newestMs, canary: QUIET_ARM, baseline: QUIET_ARM });
    const window = windows.of(at);
    const before = { breachedSinceMs: continuous ? of.breachedSinceMs : null, alarming: true };
    const look = lookAt(rule, evidenceIn(rule, window, input), window, input, before);
    return { ...look, say: () => `${segment}: ${look.say()}`, segment, rule: at, worse };
  }

  #windowsOf(name: string): RuleWindows | undefined {
    const known = this.#windows.get(name);
    if (known !== undefined || this.#windows.size >= MAX_WINDOWS) return known;
    const windows = new RuleWindows(this.#rules);
    this.#windows.set(name, windows);
    return windows;
  }

  #empty(): readonly (SegmentRule | null)[] {
    return this.#rules.map((rule) =>
      rule.source === 'telemetry' && compares(rule)
        ? { ...emptyWorse(rule), cut: null, breachedSinceMs: null }
        : null,
    );
  }
}

/** The same list when nothing in it changes. */
function mapOrKeep<Item>(items: readonly Item[], change: (item: Item, at: number) => Item): readonly Item[] {
  const changed = items.map(change);
  return changed.every((item, at) => item === items[at]) ? items : changed;
}

/** Giving evidence up is always allowed. */
function renew(rule: Rule, before: WorseWealth): WorseWealth {
  const { worse, floor } = emptyWorse(rule);
  const { seconds } = before.worse;
  const idle = { worse: idleUntil(worse, seconds), floor: floor && idleUntil(floor, seconds) };
  return worseBy(idle) < worseBy(before) ? idle : before;
}
