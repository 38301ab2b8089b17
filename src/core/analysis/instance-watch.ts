/**
 * Tells one bad instance from a bad version: what the evidence against the canary is without the instance in which its
 * failures gather. It only ever takes evidence away, so that the guarantee against false aborts stands.
 * @module
 */

import type { Rule } from '../domain/rule.ts';
import { betRatio, emptyWealth, idleUntil, tells, total, type Wealth } from './e-value.ts';
import { InstanceHistory } from './instance-history.ts';
import { type BetContext, bets, betWhenTelling, emptyWorse, type WorseWealth, worseBy } from './rule-bets.ts';
import { binsOf, countsApart } from './rule-counts.ts';
import { type ArmSecond, QUIET_ARM, type Second } from './second.ts';
import { addArms, condenseArm, subtractArms } from './second-parts.ts';
import type { SlidingWindow } from './sliding-window.ts';

/**
 * Instances with an account, which is stored with the rollout. All instances of a second are bet on; of more than these,
 * those that stand out least begin anew in the next second.
 */
const MAX_ACCOUNTS = 32;
/**
 * Evidence that an instance is worse than the others, from which on it is suspected. Little: a wrong suspicion only
 * delays. Among many there is always one with bad luck, so that every four instances ask for as much again.
 */
const SUSPECTED = 5;
const PER_SUSPICION = 4;
/** What an instance did is taken out of the account when it has been well for this long. */
const RECOVERED_MS = 60_000;

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
  /** Instances that were bet on in one second, at the most. */
  readonly most: number;
  /** By rule; null: nobody has, since the accounts began. */
  readonly failing: readonly (Failing | null)[];
}

export function noInstances(rules: readonly Rule[]): InstanceMemory {
  return { accounts: {}, most: 0, failing: rules.map(() => null) };
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
  readonly #history: InstanceHistory;

  constructor(rules: readonly Rule[]) {
    this.#rules = rules;
    this.#history = new InstanceHistory(rules);
  }

  recall(second: Second): void {
    this.#history.add(second);
  }

  add(before: InstanceMemory, second: Second, from: InstanceBets): InstanceStep {
    const { instances, startMs } = second;
    if (instances === undefined) return { memory: before, acquitted: new Map() };
    this.#history.add(second);
    const all = this.#bet(before.accounts, instances, second.baseline, from);
    const most = Math.max(before.most, Object.keys(all).length);
    const accounts = kept(all, before.failing);
    const failing = this.#rules.map((rule, at): Failing | null => {
      const last = before.failing[at] ?? null;
      const instance = standsOut(accounts, most, at)?.instance;
      const cutBin = from.contexts[at]?.cutBin ?? null;
      if (instance === undefined || !this.#history.isFailing(rule, instance, cutBin)) return last;
      return { instance, sinceMs: last?.sinceMs ?? startMs, atMs: startMs };
    });
    return this.#acquit({ accounts, most, failing }, startMs);
  }

  /** The instance that stands out most; null when none does, or when there is no other. */
  suspect({ accounts, most }: InstanceMemory, rule: number): Suspicion | null {
    const found = standsOut(accounts, most, rule);
    return found && { instance: found.instance, without: worseBy(found.of.without) };
  }

  /** Whether an instance has begun to fail since then, and nobody knows yet whether it will be well again. */
  troubles({ failing }: InstanceMemory, rule: number, sinceMs: number): boolean {
    const last = failing[rule];
    return last != null && last.sinceMs > sinceMs;
  }

  /** The rule's window, of the canary without an instance. */
  windowWithout(instance: string, rule: Rule): SlidingWindow {
    return this.#history.windowWithout(instance, rule);
  }

  /** Those that had an account before, and all of this second. */
  #bet(
    before: Accounts,
    instances: Readonly<Record<string, ArmSecond>>,
    baseline: ArmSecond,
    { wealth, contexts }: InstanceBets,
  ): Accounts {
    const bins = binsOf(this.#rules, contexts);
    const seen = new Map(Object.entries(instances).map(([name, arm]) => [name, condenseArm(arm, bins)]));
    const all = [...seen.values()].reduce(addArms, QUIET_ARM);
    const compared = condenseArm(baseline, bins);
    const fresh = this.#fresh(Object.keys(before).length === 0, wealth);
    const names = new Set([...Object.keys(before), ...seen.keys()]);
    const accounts = [...names].map((name) => {
      const own = seen.get(name);
      const rest = own === undefined ? all : subtractArms(all, own);
      const account = Object.hasOwn(before, name) ? (before[name] ?? fresh) : fresh;
      return [
        name,
        account.map((of, at) => {
          const [rule, context] = [this.#rules[at], contexts[at]];
          if (of === null || rule === undefined || context === undefined) return null;
          const elapsed = wealth[at]?.worse.seconds ?? 0;
          const apart = betApart(rule, of.apart, { own, rest, elapsed }, context);
          const arms = { canary: rest, baseline: compared };
          const without = betWhenTelling(rule, of.without, arms, elapsed, context);
          return apart === of.apart && without === of.without ? of : { apart, without };
        }),
      ];
    });
    return Object.fromEntries(accounts);
  }

  /** An instance that appears late starts from the evidence against all that were there before it. */
  #fresh(first: boolean, wealth: readonly (WorseWealth | null)[]): readonly (InstanceRule | null)[] {
    return this.#rules.map((rule, at) => {
      const known = wealth[at];
      if (!bets(rule) || known == null) return null;
      const { seconds } = known.worse;
      const without = first ? idleWorse(rule, seconds) : known;
      return { apart: idleUntil(emptyWealth(), seconds), without };
    });
  }

  /**
   * Of an instance that has failed and is well again only the others' evidence is kept, and the accounts of all
   * instances begin anew: giving evidence up is always allowed.
   */
  #acquit({ accounts, most, failing }: InstanceMemory, startMs: number): InstanceStep {
    const acquitted = new Map<number, WorseWealth>();
    for (const [at, last] of failing.entries()) {
      if (last === null || startMs - last.atMs < RECOVERED_MS) continue;
      const of = accounts[last.instance]?.[at];
      if (of != null) acquitted.set(at, of.without);
    }
    if (acquitted.size === 0) return { memory: { accounts, most, failing }, acquitted };
    const renewed = Object.entries(accounts).map(([instance, rules]) => [
      instance,
      rules.map((of, at) => (of !== null && acquitted.has(at) ? renew(this.#rules[at] as Rule, of) : of)),
    ]);
    const still = failing.map((last, at) => (acquitted.has(at) ? null : last));
    return { memory: { accounts: Object.fromEntries(renewed), most, failing: still }, acquitted };
  }
}

/** One that is failing keeps its account: what it did is to be taken out again. */
function kept(accounts: Accounts, failing: readonly (Failing | null)[]): Accounts {
  const entries = Object.entries(accounts);
  if (entries.length <= MAX_ACCOUNTS) return accounts;
  const names = new Set(failing.map((last) => last?.instance));
  const ranked = entries.map((entry) => ({
    entry,
    rank: names.has(entry[0]) ? Number.POSITIVE_INFINITY : standing(entry[1]),
  }));
  ranked.sort((a, b) => b.rank - a.rank);
  return Object.fromEntries(ranked.slice(0, MAX_ACCOUNTS).map(({ entry }) => entry));
}

/** The instance that is worse than the others with most evidence, and enough; null without one, or without others. */
function standsOut(
  accounts: Accounts,
  most: number,
  rule: number,
): { readonly instance: string; readonly of: InstanceRule } | null {
  const entries = Object.entries(accounts);
  if (entries.length < 2) return null;
  let found: { instance: string; of: InstanceRule } | null = null;
  let apart = SUSPECTED * Math.max(1, most / PER_SUSPICION);
  for (const [instance, rules] of entries) {
    const of = rules[rule];
    if (of == null || total(of.apart) < apart) continue;
    apart = total(of.apart);
    found = { instance, of };
  }
  return found;
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
