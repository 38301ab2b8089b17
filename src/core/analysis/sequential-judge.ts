/**
 * The judge: aborts when a rule's limit is broken and the bets against a healthy canary have won enough; says a step
 * is proven when the bets on a healthy one have. Knows how rules share one error budget; moves no rollout.
 *
 * The guarantee: if the canary is no worse than the baseline (or keeps its fixed limits), the probability that it is
 * ever aborted by the rules that bet is at most `falseAbort`, over all of them, all steps and every look. The sum
 * counts rules with a broken limit only, which is never more than the mean of all e-processes.
 * @module
 */

import type { Plan } from '../domain/plan.ts';
import type { Check, Evidence, Proof, Rule, Verdict } from '../domain/rule.ts';
import { FULL_BP } from '../domain/weight.ts';
import { assess, formatEvidence } from './assess.ts';
import { breaksClearly, evidenceOf } from './breach.ts';
import { type BetLimits, capAt, total } from './e-value.ts';
import { addFailures, clusterSize, NO_FAILURES } from './failure-clusters.ts';
import type { Judge, JudgeInput, JudgeMemory, JudgeOutput, RuleMemory } from './judge.ts';
import { betSecond, bets, emptyRuleWealth, fineBy, restartFine, worseBy } from './rule-bets.ts';
import { evidenceOfSample, none } from './sample-evidence.ts';
import type { Second } from './second.ts';
import { SlidingWindow } from './sliding-window.ts';
import { betSplit, NO_SPLIT, splitMismatch } from './split-check.ts';

/** Accepted probability, over a whole run, of calling a canary fine that breaks a limit. */
export const FALSE_ADVANCE = 0.05;
/** Evidence of trouble that is no proof yet but takes the short way forward away. */
const SUSPICION = 10;
/** A breach is forgotten when nobody has looked for this long: `for` means "without a break". */
const MEMORY_GAP_MS = 30_000;
/** The cut of a comparison of quantiles comes from this much of the baseline's past … */
const CUT_WINDOW_MS = 300_000;
/** … is taken again this often … */
const CUT_EVERY_MS = 60_000;
/** … and for the first time when there are this many requests. */
const CUT_REQUESTS = 100;

/** The memory of a run that was never judged. */
export function emptyMemory(plan: Plan): JudgeMemory {
  return {
    judgedToMs: null,
    step: 0,
    failures: NO_FAILURES,
    split: NO_SPLIT,
    rules: plan.abort.map((rule) => ({
      breachedSinceMs: null,
      wealth: bets(rule) ? emptyRuleWealth(rule) : null,
      cut: null,
    })),
    checkedAtMs: null,
  };
}

export function createSequentialJudge(plan: Plan, memory: JudgeMemory): Judge {
  return new SequentialJudge(plan, memory);
}

interface Look {
  readonly evidence: Evidence;
  readonly breached: boolean;
  readonly enough: boolean;
  readonly summary: string;
  readonly breachedSinceMs: number | null;
}

class SequentialJudge implements Judge {
  readonly #plan: Plan;
  /** By rule; rules with the same span share one. */
  readonly #windows: readonly SlidingWindow[];
  readonly #distinctWindows: readonly SlidingWindow[];
  readonly #share: number;
  readonly #worse: BetLimits;
  readonly #fine: BetLimits;
  readonly #needed: number;
  readonly #fineNeeded: number;
  #past: SlidingWindow;
  /** The split that was set at the last look. */
  #set = { revision: -1, share: 0 };
  memory: JudgeMemory;

  constructor(plan: Plan, memory: JudgeMemory) {
    this.#plan = plan;
    // One that an earlier version of Sluice has stored may lack what is new.
    this.memory = { ...emptyMemory(plan), ...memory };
    const bySpan = new Map<number, SlidingWindow>();
    this.#windows = plan.abort.map((rule) => {
      const window = bySpan.get(rule.overMs) ?? new SlidingWindow(rule.overMs, true);
      bySpan.set(rule.overMs, window);
      return window;
    });
    this.#distinctWindows = [...bySpan.values()];
    this.#past = bySpan.get(CUT_WINDOW_MS) ?? new SlidingWindow(CUT_WINDOW_MS, true);
    const betting = plan.abort.filter(bets).length;
    this.#share = betting === 0 ? 0 : 1 / betting;
    this.#needed = 1 / plan.falseAbort;
    this.#fineNeeded = plan.steps.length / FALSE_ADVANCE;
    this.#worse = { cap: capAt(plan.falseAbort * this.#share), clustering: 1 };
    this.#fine = { cap: capAt(1 / this.#fineNeeded), clustering: 1 };
  }

  recall(second: Second): void {
    for (const window of this.#distinctWindows) window.add(second);
    if (!this.#distinctWindows.includes(this.#past)) this.#past.add(second);
  }

  add(second: Second): void {
    // From the past only, like the cut.
    const clustering = clusterSize(this.memory.failures);
    const worse = { ...this.#worse, clustering };
    const fine = { ...this.#fine, clustering };
    const rules = this.memory.rules.map((memory, at) => {
      const rule = this.#plan.abort[at] as Rule;
      if (memory.wealth === null) return memory;
      const cut = this.#cut(rule, memory, second.startMs);
      const context = { worse, fine, cutBin: cut?.bin ?? null };
      return { ...memory, cut, wealth: betSecond(rule, memory.wealth, second, context) };
    });
    this.memory = {
      ...this.memory,
      rules,
      failures: addFailures(this.memory.failures, second),
      split: this.#betSplit(second),
      judgedToMs: second.startMs + 1000,
    };
    this.recall(second);
  }

  check(input: JudgeInput): JudgeOutput {
    this.#enterStep(input.step);
    const { checkedAtMs } = this.memory;
    const continuous = checkedAtMs !== null && input.nowMs - checkedAtMs <= MEMORY_GAP_MS;
    const looks = this.#plan.abort.map((rule, at) => this.#look(rule, at, input, continuous));
    const proofs = this.memory.rules.map((memory) => this.#proof(memory));
    const failing = this.#failing(looks, proofs, input.nowMs);
    const checks = looks.map((look, at): Check => {
      const rule = this.#plan.abort[at] as Rule;
      const proof = proofs[at] ?? null;
      const verdict = failing.includes(at) ? 'fail' : verdictOf(look);
      const { breachedSinceMs, evidence } = look;
      const summary = look.summary + proofText(look, proof);
      return { rule: at, text: rule.text, verdict, breachedSinceMs, evidence, proof, summary };
    });
    this.memory = {
      ...this.memory,
      checkedAtMs: input.nowMs,
      rules: this.memory.rules.map((memory, at) => ({
        ...memory,
        breachedSinceMs: looks[at]?.breachedSinceMs ?? null,
      })),
    };
    const share = input.weightBp / FULL_BP;
    this.#set = { revision: input.revision, share };
    return {
      checks,
      proven: this.#isProven(input, looks, proofs),
      mismatch: splitMismatch(this.memory.split, share),
    };
  }

  #betSplit({ users }: Second): JudgeMemory['split'] {
    if (users === undefined || users.revision !== this.#set.revision) return this.memory.split;
    return betSplit(this.memory.split, users, this.#set.share);
  }

  #enterStep(step: number): void {
    if (step === this.memory.step) return;
    const rules = this.memory.rules.map((memory, at) => {
      const rule = this.#plan.abort[at] as Rule;
      return memory.wealth === null ? memory : { ...memory, wealth: restartFine(rule, memory.wealth) };
    });
    this.memory = { ...this.memory, step, rules };
  }

  /** From the past only: what the second itself holds must not move the cut that it is judged by. */
  #cut(rule: Rule, { cut }: RuleMemory, startMs: number): RuleMemory['cut'] {
    if (rule.condition.kind !== 'quantile-ratio') return null;
    if (cut !== null && startMs - cut.atMs < CUT_EVERY_MS) return cut;
    const baseline = this.#past.baseline.latencyUs;
    if (baseline === null || baseline.total < CUT_REQUESTS) return cut;
    const bin = baseline.quantileBin(rule.condition.quantile);
    return bin === undefined ? cut : { bin: bin + 1, atMs: startMs };
  }

  #look(rule: Rule, at: number, input: JudgeInput, continuous: boolean): Look {
    const window = this.#windows[at] as SlidingWindow;
    const sample = input.samples[at] ?? null;
    const evidence = sample === null ? this.#evidence(rule, window, input) : evidenceOfSample(rule, sample);
    const { breached, enough, summary } = assess(rule, evidence);
    const memory = this.memory.rules[at] as RuleMemory;
    const before = continuous ? memory.breachedSinceMs : null;
    // A look at a part of the window matters only when the bets have as good as won.
    const alarming = memory.wealth !== null && this.#share * worseBy(memory.wealth) >= SUSPICION;
    const broken = breached || (evidence.kind !== 'none' && alarming && breaksClearly(rule, window));
    return {
      evidence,
      breached: broken,
      enough: enough || (broken && !breached),
      summary,
      breachedSinceMs: breachStart(input, evidence, enough, broken, before),
    };
  }

  #evidence(rule: Rule, window: SlidingWindow, { weightBp, stale }: JudgeInput): Evidence {
    if (rule.condition.kind === 'promql') return none('not-asked-yet', 'Prometheus has not been asked yet');
    if (stale) return none('stale', 'no gateway has reported for a while');
    const evidence = evidenceOf(rule, window);
    if (evidence === null) return none('no-traffic', 'no canary request in the window');
    if (compares(rule) && (weightBp === FULL_BP || !('baseline' in evidence) || evidence.baseline === null)) {
      return none('no-baseline', 'the baseline had no request to compare with');
    }
    return evidence;
  }

  #proof({ wealth }: RuleMemory): Proof | null {
    if (wealth === null) return null;
    return {
      worse: worseBy(wealth),
      share: this.#share,
      needed: this.#needed,
      fine: fineBy(wealth),
      fineNeeded: this.#fineNeeded,
      environment: wealth.baseline !== null && total(wealth.baseline) >= this.#needed,
    };
  }

  /** The rules to blame: none as long as the broken ones together have not won enough. */
  #failing(looks: readonly Look[], proofs: readonly (Proof | null)[], nowMs: number): readonly number[] {
    const lasting = looks.flatMap((look, at) => (this.#lasts(look, at, nowMs) ? [at] : []));
    const guilty = lasting.filter((at) => proofs[at] === null);
    const betting = lasting.filter((at) => proofs[at]?.environment === false);
    const sum = betting.reduce((won, at) => won + this.#share * (proofs[at]?.worse ?? 0), 0);
    if (sum < this.#needed) return guilty;
    const most = Math.max(...betting.map((at) => proofs[at]?.worse ?? 0));
    return [...guilty, ...betting.filter((at) => (proofs[at]?.worse ?? 0) >= Math.min(most, this.#needed))];
  }

  #lasts({ evidence, enough, breached, breachedSinceMs }: Look, at: number, nowMs: number): boolean {
    if (evidence.kind === 'none' || !enough || !breached || breachedSinceMs === null) return false;
    return nowMs - breachedSinceMs >= (this.#plan.abort[at]?.forMs ?? 0);
  }

  #isProven({ weightBp }: JudgeInput, looks: readonly Look[], proofs: readonly (Proof | null)[]): boolean {
    if (looks.some((look) => look.breached)) return false;
    let proving = 0;
    let suspicion = 0;
    for (const [at, proof] of proofs.entries()) {
      if (proof === null || (weightBp === FULL_BP && compares(this.#plan.abort[at] as Rule))) continue;
      proving += 1;
      suspicion += proof.share * proof.worse;
      if (proof.fine < proof.fineNeeded) return false;
    }
    return proving > 0 && suspicion < SUSPICION;
  }
}

/** Only where a limit is broken: what the bets make of it. */
function proofText({ breached, evidence }: Look, proof: Proof | null): string {
  if (!breached || proof === null || evidence.kind === 'none') return '';
  if (proof.environment) return ', and so is the baseline';
  const won = formatEvidence(proof.share * proof.worse);
  return `; evidence ${won} of ${formatEvidence(proof.needed)} needed`;
}

function compares({ condition }: Rule): boolean {
  return condition.kind === 'rate-ratio' || condition.kind === 'quantile-ratio';
}

function verdictOf({ evidence, enough, breached }: Look): Verdict {
  if (evidence.kind === 'none') return 'no-evidence';
  return enough && !breached ? 'pass' : 'undecided';
}

/** Without evidence a breach neither goes on nor ends, unless the rule cannot apply at this weight at all. */
function breachStart(
  { weightBp, nowMs }: JudgeInput,
  evidence: Evidence,
  enough: boolean,
  breached: boolean,
  beforeMs: number | null,
): number | null {
  if (evidence.kind === 'none') {
    const inapplicable = evidence.cause === 'no-baseline' && weightBp === FULL_BP;
    return inapplicable ? null : beforeMs;
  }
  if (breached) return enough || beforeMs !== null ? (beforeMs ?? nowMs) : null;
  return enough ? null : beforeMs;
}
