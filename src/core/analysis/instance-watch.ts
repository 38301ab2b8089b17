/**
 * Tells one bad instance from a bad version: what the evidence against the canary is without the instance in which its
 * failures gather. It only ever takes evidence away, so that the guarantee against false aborts stands.
 * @module
 */

import type { Rule } from '../domain/rule.ts';
import { betRatio, emptyWealth, idleUntil, tells, total, type Wealth } from './e-value.ts';
import { mergeWires } from './histogram.ts';
import { type BetContext, bets, betWhenTelling, emptyWorse, type WorseWealth, worseBy } from './rule-bets.ts';
import { countsApart } from './rule-counts.ts';
import { type ArmSecond, QUIET_ARM, type Second } from './second.ts';
import { addArms } from './second-parts.ts';
import { SlidingWindow } from './sliding-window.ts';

/** Instances that are told apart; of more, those that stand out least are given up. */
const MAX_INSTANCES = 32;
/** Evidence that an instance is worse than the others, from which on it is suspected. Little: a wrong suspicion only delays. */
const SUSPECTED = 5;
/** An instance that stands out in so many seconds … */
const RECENT_S = 15;
/** … by so many failures and standard errors is failing now. */
const MIN_BAD = 3;
const STANDS_OUT = 3;
/** What an instance did is taken out of the account when it has been well for this long. */
const RECOVERED_MS = 60_000;
/** Seconds that are kept to look back over without an instance. */
const KEPT_S = 900;

export interface InstanceRule {
  /** That it is worse than the rest of the canary. */
  readonly apart: Wealth;
  /** Against the canary without it. */
  readonly without: WorseWealth;
}

/** By instance and rule; null for rules that do not bet. */
type Accounts = Readonly<Record<string, readonly (InstanceRule | null)[]>>;

/** The instance that stands out most in a rule was failing; times are epoch milliseconds. */
interface Failing {
  readonly instance: string;
  readonly sinceMs: number;
  readonly atMs: number;
}

/** JSON as it is. */
export interface InstanceMemory {
  readonly accounts: Accounts;
  /** By rule; null: nobody has, since the accounts began. */
  readonly failing: readonly (Failing | null)[];
}

export function noInstances(rules: readonly Rule[]): InstanceMemory {
  return { accounts: {}, failing: rules.map(() => null) };
}

/** The canary without the instance in which its failures gather. */
export interface Suspicion {
  readonly instance: string;
  readonly without: number;
}

/** What the bets of a second start from, by rule. */
export interface InstanceBets {
  readonly wealth: readonly (WorseWealth | null)[];
  readonly contexts: readonly BetContext[];
}

export interface InstanceStep {
  readonly memory: InstanceMemory;
  /** By rule: what is left of the evidence after the failures of an instance that has recovered. */
  readonly acquitted: ReadonlyMap<number, WorseWealth>;
}

export class InstanceWatch {
  readonly #rules: readonly Rule[];
  /** The newest seconds, as long as instances are told apart. */
  #kept: Second[] = [];

  constructor(rules: readonly Rule[]) {
    this.#rules = rules;
  }

  recall(second: Second): void {
    if (second.instances === undefined) return;
    this.#kept.push(second);
    if (this.#kept.length > 2 * KEPT_S) this.#kept = this.#kept.slice(-KEPT_S);
  }

  add(before: InstanceMemory, second: Second, { wealth, contexts }: InstanceBets): InstanceStep {
    const { instances, baseline, startMs } = second;
    if (instances === undefined) return { memory: before, acquitted: new Map() };
    this.recall(second);
    const all = Object.values(instances).reduce(addArms);
    const accounts: Record<string, readonly (InstanceRule | null)[]> = {};
    for (const [instance, rules] of Object.entries(this.#withNew(before.accounts, instances, wealth))) {
      const own = instances[instance];
      const rest = own === undefined ? all : subtract(all, own);
      accounts[instance] = rules.map((of, at) => {
        const [rule, context] = [this.#rules[at], contexts[at]];
        if (of === null || rule === undefined || context === undefined) return null;
        const elapsed = wealth[at]?.worse.seconds ?? 0;
        const apart = betApart(rule, of.apart, { own, rest, elapsed }, context);
        const without = betWhenTelling(rule, of.without, { canary: rest, baseline }, elapsed, context);
        return apart === of.apart && without === of.without ? of : { apart, without };
      });
    }
    const failing = this.#rules.map((rule, at): Failing | null => {
      const last = before.failing[at] ?? null;
      const instance = standsOut(accounts, at)?.instance;
      if (instance === undefined || !this.#isFailing(rule, instance, contexts[at]?.cutBin ?? null))
        return last;
      return { instance, sinceMs: last?.sinceMs ?? startMs, atMs: startMs };
    });
    return this.#acquit({ accounts, failing }, startMs);
  }

  /** The instance that stands out most; null when none does, or when there is no other. */
  suspect({ accounts }: InstanceMemory, rule: number): Suspicion | null {
    const most = standsOut(accounts, rule);
    return most && { instance: most.instance, without: worseBy(most.of.without) };
  }

  /** Whether an instance has begun to fail since then, and nobody knows yet whether it will be well again. */
  troubles({ failing }: InstanceMemory, rule: number, sinceMs: number): boolean {
    const last = failing[rule];
    return last != null && last.sinceMs > sinceMs;
  }

  /** The rule's window, of the canary without an instance. */
  windowWithout(instance: string, { overMs }: Rule): SlidingWindow {
    const window = new SlidingWindow(overMs, true);
    const sinceMs = (this.#kept.at(-1)?.startMs ?? 0) - Math.min(overMs, KEPT_S * 1000);
    for (const { startMs, instances = {}, baseline } of this.#kept) {
      if (startMs <= sinceMs) continue;
      const others = Object.entries(instances).filter(([name]) => name !== instance);
      const canary = others.map(([, arm]) => arm).reduce(addArms, QUIET_ARM);
      window.add({ startMs, canary, baseline });
    }
    return window;
  }

  /** An instance that appears late starts from the evidence against all that were there before it. */
  #withNew(
    before: Accounts,
    instances: Readonly<Record<string, ArmSecond>>,
    wealth: readonly (WorseWealth | null)[],
  ): Accounts {
    const fresh = Object.keys(instances).filter((name) => !Object.hasOwn(before, name));
    if (fresh.length === 0) return before;
    const first = Object.keys(before).length === 0;
    const added = fresh.map((name) => [
      name,
      this.#rules.map((rule, at) => {
        const known = wealth[at];
        if (!bets(rule) || known == null) return null;
        const { seconds } = known.worse;
        const without = first ? idleWorse(rule, seconds) : known;
        return { apart: idleUntil(emptyWealth(), seconds), without };
      }),
    ]);
    const entries = [
      ...Object.entries(before),
      ...Object.entries<readonly (InstanceRule | null)[]>(Object.fromEntries(added)),
    ];
    if (entries.length <= MAX_INSTANCES) return Object.fromEntries(entries);
    return Object.fromEntries(
      entries.sort(([, a], [, b]) => standing(b) - standing(a)).slice(0, MAX_INSTANCES),
    );
  }

  #isFailing(rule: Rule, instance: string, cutBin: number | null): boolean {
    const sums = { canary: 0, baseline: 0, canaryBad: 0, baselineBad: 0 };
    for (const { instances = {} } of this.#kept.slice(-RECENT_S)) {
      const own = instances[instance] ?? QUIET_ARM;
      const rest = subtract(Object.values(instances).reduce(addArms, QUIET_ARM), own);
      const counts = countsApart(rule, { canary: own, baseline: rest }, cutBin);
      sums.canary += counts?.canary ?? 0;
      sums.baseline += counts?.baseline ?? 0;
      sums.canaryBad += counts?.canaryBad ?? 0;
      sums.baselineBad += counts?.baselineBad ?? 0;
    }
    const expected = sums.baseline === 0 ? 0 : (sums.baselineBad * sums.canary) / sums.baseline;
    return sums.canaryBad >= MIN_BAD && sums.canaryBad > expected + STANDS_OUT * Math.sqrt(expected);
  }

  /**
   * Of an instance that has failed and is well again only the others' evidence is kept, and the accounts of all
   * instances begin anew: giving evidence up is always allowed.
   */
  #acquit({ accounts, failing }: InstanceMemory, startMs: number): InstanceStep {
    const acquitted = new Map<number, WorseWealth>();
    for (const [at, last] of failing.entries()) {
      if (last === null || startMs - last.atMs < RECOVERED_MS) continue;
      const of = accounts[last.instance]?.[at];
      if (of != null) acquitted.set(at, of.without);
    }
    if (acquitted.size === 0) return { memory: { accounts, failing }, acquitted };
    const renewed = Object.entries(accounts).map(([instance, rules]) => [
      instance,
      rules.map((of, at) => (of !== null && acquitted.has(at) ? renew(this.#rules[at] as Rule, of) : of)),
    ]);
    const still = failing.map((last, at) => (acquitted.has(at) ? null : last));
    return { memory: { accounts: Object.fromEntries(renewed), failing: still }, acquitted };
  }
}

/** The instance that is worse than the others with most evidence, and enough; null without one, or without others. */
function standsOut(
  accounts: Accounts,
  rule: number,
): { readonly instance: string; readonly of: InstanceRule } | null {
  const entries = Object.entries(accounts);
  if (entries.length < 2) return null;
  let most: { instance: string; of: InstanceRule } | null = null;
  let apart = SUSPECTED;
  for (const [instance, rules] of entries) {
    const of = rules[rule];
    if (of == null || total(of.apart) < apart) continue;
    apart = total(of.apart);
    most = { instance, of };
  }
  return most;
}

interface Apart {
  /** Undefined: the instance had no traffic. */
  readonly own: ArmSecond | undefined;
  readonly rest: ArmSecond;
  /** Seconds before this one. */
  readonly elapsed: number;
}

function betApart(
  rule: Rule,
  apart: Wealth,
  { own, rest, elapsed }: Apart,
  { cutBin, worse }: BetContext,
): Wealth {
  const counts = own === undefined ? null : countsApart(rule, { canary: own, baseline: rest }, cutBin);
  if (counts === null || !tells(counts)) return apart;
  return betRatio(idleUntil(apart, elapsed), 1, counts, { ...worse, clustering: 1 });
}

function renew(rule: Rule, { apart }: InstanceRule): InstanceRule {
  const { seconds } = apart;
  return {
    apart: idleUntil(emptyWealth(), seconds),
    without: idleWorse(rule, seconds),
  };
}

function idleWorse(rule: Rule, seconds: number): WorseWealth {
  const { worse, floor } = emptyWorse(rule);
  return { worse: idleUntil(worse, seconds), floor: floor && idleUntil(floor, seconds) };
}

/** How much an instance stands out, over all rules. */
function standing(rules: readonly (InstanceRule | null)[]): number {
  return Math.max(0, ...rules.map((of) => (of === null ? 0 : total(of.apart))));
}

function subtract(a: ArmSecond, b: ArmSecond): ArmSecond {
  const negative = b.latencyUs.map((value, at) => (at % 2 === 0 ? value : -value));
  return {
    total: a.total - b.total,
    bad: a.bad - b.bad,
    distinctBad: a.distinctBad - b.distinctBad,
    seen: a.seen - b.seen,
    latencyUs: mergeWires(a.latencyUs, negative),
  };
}
