/**
 * The judge: aborts when a rule's limit is broken and the bets against a healthy canary have won enough; says a step
 * is proven when the bets on a healthy one have. Wires windows, bets, segments and instances; moves no rollout.
 *
 * The guarantee: if the canary is no worse than the baseline (or keeps its fixed limits), the probability that it is
 * ever aborted by the rules that bet is at most `falseAbort`, over all of them, all segments, all steps and every look.
 * The sum counts broken limits only, which is never more than the weighed mean of all e-processes.
 * @module
 */

import type { Plan } from '../domain/plan.ts';
import type { Proof, Rule } from '../domain/rule.ts';
import { FULL_BP } from '../domain/weight.ts';
import { guiltyOf } from './blame.ts';
import { type Budget, budgetOf, SUSPICION } from './budget.ts';
import { checkOf } from './checks.ts';
import { betInterval, isCounted, secondOf } from './counter-bets.ts';
import type { CounterInterval } from './counter-interval.ts';
import { idleUntil, total } from './e-value.ts';
import { addFailures, clusterSize, NO_FAILURES } from './failure-clusters.ts';
import { InstanceWatch, noInstances } from './instance-watch.ts';
import type { Judge, JudgeInput, JudgeMemory, JudgeOutput, RuleMemory } from './judge.ts';
import { betWhole } from './mirror-bets.ts';
import { outOfPlace } from './mirrored.ts';
import {
  type BetContext,
  bets,
  betsOnCounters,
  emptyRuleWealth,
  fineBy,
  restartFine,
  type WorseWealth,
  worseBy,
} from './rule-bets.ts';
import { evidenceIn, type Look, lasts, lookAt, type RuleLook } from './rule-look.ts';
import { RuleWindows } from './rule-windows.ts';
import { evidenceOfSample } from './sample-evidence.ts';
import type { Second } from './second.ts';
import { SegmentWatch } from './segment-watch.ts';
import { betSplit, NO_SPLIT, splitMismatch } from './split-check.ts';
import { isProven } from './step-proof.ts';

/** A breach is forgotten when nobody has looked for this long: `for` means "without a break". */
const MEMORY_GAP_MS = 30_000;
/** One bad instance keeps a rule from aborting for so long; then the version answers for it. */
const INSTANCE_PATIENCE_MS = 120_000;

/** The memory of a run that was never judged. */
export function emptyMemory(plan: Plan): JudgeMemory {
  return {
    judgedToMs: null,
    step: 0,
    failures: NO_FAILURES,
    split: NO_SPLIT,
    rules: plan.abort.map((rule) => ({
      breachedSinceMs: null,
      excusedSinceMs: null,
      wealth: bets(rule) ? emptyRuleWealth(rule) : null,
      cut: null,
    })),
    segments: {},
    instances: noInstances(plan.abort),
    checkedAtMs: null,
  };
}

export function createSequentialJudge(plan: Plan, memory: JudgeMemory): Judge {
  return new SequentialJudge(plan, memory);
}

/** When is looked, and whether the last look was lately. */
interface Moment extends JudgeInput {
  readonly continuous: boolean;
}

class SequentialJudge implements Judge {
  readonly #plan: Plan;
  readonly #budget: Budget;
  readonly #windows: RuleWindows;
  readonly #segments: SegmentWatch;
  readonly #instances: InstanceWatch;
  /** The split that was set at the last look. */
  #set = { revision: -1, share: 0 };
  memory: JudgeMemory;

  constructor(plan: Plan, memory: JudgeMemory) {
    this.#plan = plan;
    this.#budget = budgetOf(plan);
    // One that an earlier version of Sluice has stored may lack what is new.
    this.memory = {
      ...emptyMemory(plan),
      ...memory,
      instances: { ...noInstances(plan.abort), ...memory.instances },
    };
    this.#windows = new RuleWindows(plan.abort);
    this.#segments = new SegmentWatch(plan.abort, this.#budget.segmentShare);
    this.#instances = new InstanceWatch(plan.abort);
  }

  recall(second: Second): void {
    this.#windows.add(second);
    this.#segments.recall(second);
    this.#instances.recall(second);
  }

  add(second: Second): void {
    const { rules, segments, instances, failures } = this.memory;
    // From the past only, like the cut.
    const clustering = clusterSize(failures);
    const fine = { ...this.#budget.fine, clustering };
    const cuts = rules.map(({ cut }, at) => this.#windows.cut(this.#rule(at), cut, second.startMs));
    const contexts = this.#budget.worse.map(
      (worse, at): BetContext => ({ worse: { ...worse, clustering }, fine, cutBin: cuts[at]?.bin ?? null }),
    );
    const wealth = rules.map((memory, at) => (betsOnCounters(this.#rule(at)) ? null : memory.wealth));
    const elapsed = wealth.find((each) => each !== null)?.worse.seconds ?? 0;
    const told = this.#instances.add(instances, second, { wealth, contexts });
    const inSegment = { worse: { ...this.#budget.inSegment, clustering }, fine };
    const bet = this.#segments.add(segments, second, elapsed, inSegment);
    this.memory = {
      ...this.memory,
      judgedToMs: second.startMs + 1000,
      rules: rules.map((memory, at) => ({
        ...memory,
        cut: cuts[at] ?? null,
        wealth: this.#bet(memory, at, second, contexts[at] as BetContext, told.acquitted.get(at)),
      })),
      segments: this.#segments.acquit(bet, new Set(told.acquitted.keys())),
      instances: told.memory,
      failures: addFailures(failures, second),
      split: this.#betSplit(second),
    };
    this.#windows.add(second);
  }

  count(interval: CounterInterval): void {
    const at = interval.rule;
    const memory = this.memory.rules[at] as RuleMemory;
    this.#windows.of(at).add(secondOf(interval));
    if (isCounted(memory, interval)) return;
    const clustering = clusterSize(this.memory.failures);
    const worse = { ...(this.#budget.worse[at] as BetContext['worse']), clustering };
    const limits = { worse, fine: { ...this.#budget.fine, clustering } };
    const next = betInterval(this.#rule(at), memory, interval, limits);
    this.memory = { ...this.memory, rules: this.memory.rules.with(at, next) };
  }

  check(input: JudgeInput): JudgeOutput {
    this.#enterStep(input.step);
    const { checkedAtMs } = this.memory;
    const continuous = checkedAtMs !== null && input.nowMs - checkedAtMs <= MEMORY_GAP_MS;
    const moment = { ...input, continuous };
    const looks = this.#plan.abort.map((rule, at) => this.#look(rule, at, moment));
    const segments = this.#segments.look(this.memory.segments, input, continuous);
    const guilty = guiltyOf(this.#plan.abort, this.#budget, looks, segments.looks, {
      nowMs: input.nowMs,
      troubled: (rule) =>
        this.#instances.troubles(this.memory.instances, rule, input.nowMs - INSTANCE_PATIENCE_MS),
    });
    this.memory = {
      ...this.memory,
      checkedAtMs: input.nowMs,
      segments: segments.memory,
      rules: this.memory.rules.map((memory, at) => ({
        ...memory,
        breachedSinceMs: looks[at]?.breachedSinceMs ?? null,
        excusedSinceMs: this.#excusedSince(memory, at, looks[at] as RuleLook, moment),
      })),
    };
    const share = input.weightBp / FULL_BP;
    this.#set = { revision: input.revision, share };
    const { segmentShare } = this.#budget;
    return {
      checks: looks.map((look, at) =>
        checkOf(this.#rule(at), at, look, segments.looks, guilty, segmentShare),
      ),
      proven: isProven(this.#plan.abort, looks, segments.looks, input.weightBp),
      mismatch: splitMismatch(this.memory.split, share),
    };
  }

  #rule(at: number): Rule {
    return this.#plan.abort[at] as Rule;
  }

  #bet(
    { wealth }: RuleMemory,
    at: number,
    second: Second,
    context: BetContext,
    acquitted: WorseWealth | undefined,
  ): RuleMemory['wealth'] {
    if (wealth === null || betsOnCounters(this.#rule(at))) return wealth;
    const next = betWhole(this.#rule(at), wealth, second, context);
    if (acquitted === undefined || worseBy(acquitted) >= worseBy(next)) return next;
    const { worse, floor } = acquitted;
    const { seconds } = next.worse;
    return { ...next, worse: idleUntil(worse, seconds), floor: floor && idleUntil(floor, seconds) };
  }

  #betSplit({ users }: Second): JudgeMemory['split'] {
    if (users === undefined || users.revision !== this.#set.revision) return this.memory.split;
    return betSplit(this.memory.split, users, this.#set.share);
  }

  #enterStep(step: number): void {
    if (step === this.memory.step) return;
    const rules = this.memory.rules.map((memory, at) =>
      memory.wealth === null ? memory : { ...memory, wealth: restartFine(this.#rule(at), memory.wealth) },
    );
    this.memory = { ...this.memory, step, rules };
  }

  #look(rule: Rule, at: number, input: Moment): RuleLook {
    const memory = this.memory.rules[at] as RuleMemory;
    const window = this.#windows.of(at);
    const sample = input.samples[at] ?? null;
    const evidence =
      outOfPlace(rule, input.mirroring === true) ??
      (sample === null ? evidenceIn(rule, window, input) : evidenceOfSample(rule, sample));
    const proof = this.#proof(memory, at);
    const alarming = proof !== null && proof.share * proof.worse >= SUSPICION;
    const breachedSinceMs = input.continuous ? memory.breachedSinceMs : null;
    const look = lookAt(rule, evidence, window, input, { breachedSinceMs, alarming });
    return proof === null || !look.breached
      ? { ...look, proof, excused: false }
      : this.#withoutInstance(rule, at, look, proof, input);
  }

  /** A broken limit again, without the instance in which the failures gather, if there is such a one. */
  #withoutInstance(rule: Rule, at: number, look: Look, proof: Proof, input: Moment): RuleLook {
    const suspicion = this.#instances.suspect(this.memory.instances, at);
    if (suspicion === null) return { ...look, proof, excused: false };
    const { instance, without } = suspicion;
    const excusedSinceMs = this.memory.rules[at]?.excusedSinceMs ?? null;
    if (excusedSinceMs !== null && input.nowMs - excusedSinceMs > INSTANCE_PATIENCE_MS) {
      return { ...look, proof: { ...proof, instance }, excused: false };
    }
    const rest = this.#instances.windowWithout(instance, rule);
    const alarming = proof.share * without >= SUSPICION;
    const others = lookAt(rule, evidenceIn(rule, rest, input), rest, input, {
      breachedSinceMs: null,
      alarming,
    });
    const worse = Math.min(proof.worse, without);
    return { ...look, proof: { ...proof, instance, worse }, excused: !others.breached };
  }

  #proof({ wealth }: RuleMemory, at: number): Proof | null {
    if (wealth === null) return null;
    const { shares, needed, fineNeeded } = this.#budget;
    return {
      worse: worseBy(wealth),
      share: shares[at] as number,
      needed,
      fine: fineBy(wealth),
      fineNeeded,
      environment: wealth.baseline !== null && total(wealth.baseline) >= needed,
    };
  }

  /** Since when the rule would have aborted but for an instance. */
  #excusedSince(
    { wealth, excusedSinceMs }: RuleMemory,
    at: number,
    look: RuleLook,
    input: Moment,
  ): number | null {
    const { shares, needed } = this.#budget;
    const enough = wealth !== null && worseBy(wealth) * (shares[at] as number) >= needed;
    if (!enough || look.proof?.instance === undefined || !lasts(this.#rule(at), look, input.nowMs))
      return null;
    return (input.continuous ? excusedSinceMs : null) ?? input.nowMs;
  }
}
