/**
 * The judge's interface: seconds and samples in, checks out. Pure: it reads no clock and keeps nothing that is not in
 * its memory or can't be filled again from the same seconds. `sequential-judge.ts` implements it.
 * @module
 */

import type { Check, NoEvidenceCause, QuantileArm } from '../domain/rule.ts';
import type { CounterInterval } from './counter-interval.ts';
import type { FailureCounts } from './failure-clusters.ts';
import type { InstanceMemory } from './instance-watch.ts';
import type { RuleWealth } from './rule-bets.ts';
import type { Cut } from './rule-windows.ts';
import type { Second } from './second.ts';
import type { SegmentMemory } from './segment-watch.ts';
import type { SplitMemory } from './split-check.ts';

/** What a metric source answered for one threshold, or why there is nothing to judge a rule on counters by. */
export type RuleSample =
  | {
      readonly kind: 'quantile';
      readonly canary: QuantileArm;
      readonly baseline: QuantileArm | null;
      readonly sampledAtMs: number;
    }
  | { readonly kind: 'scalar'; readonly query: string; readonly value: number; readonly sampledAtMs: number }
  | { readonly kind: 'none'; readonly cause: NoEvidenceCause; readonly detail: string };

/** What is remembered of one rule. */
export interface RuleMemory {
  /** Since when its limit has been broken without a break, epoch milliseconds. */
  readonly breachedSinceMs: number | null;
  /** Since when it would have aborted but for one bad instance, epoch milliseconds. */
  readonly excusedSinceMs: number | null;
  /** Null: a threshold without a guarantee. */
  readonly wealth: RuleWealth | null;
  /** Of a comparison of quantiles: the lowest slow bin, and when it was taken; null before there is one. */
  readonly cut: Cut | null;
  /** Of a rule on counters: what was counted up to here has been bet on, epoch milliseconds; left out before. */
  readonly countedToMs?: number;
}

/** What a judge remembers between two checks; stored with the rollout, so that a restart forgets nothing. */
export interface JudgeMemory {
  /** Seconds before this one have been bet on, epoch milliseconds; null before the first. */
  readonly judgedToMs: number | null;
  /** Step that the evidence for advancing is about. */
  readonly step: number;
  readonly rules: readonly RuleMemory[];
  /** Failures of both versions in the near past, all and distinct ones: how many come of one cause. */
  readonly failures: FailureCounts;
  /** Whether users are split as the weights say. */
  readonly split: SplitMemory;
  readonly segments: SegmentMemory;
  readonly instances: InstanceMemory;
  /** When it last judged, epoch milliseconds; null before the first time. */
  readonly checkedAtMs: number | null;
}

export interface JudgeInput {
  /** Index of the step under way. */
  readonly step: number;
  /** Share that the canary has now; at 100 % there is no baseline to compare with. */
  readonly weightBp: number;
  /** The step only mirrors: rules about traffic have nothing to judge. Left out: it does not. */
  readonly mirroring?: boolean;
  /** Of the split that is set; users count while gateways serve this one. */
  readonly revision: number;
  /** Gateways have gone silent: nothing in the window is new. */
  readonly stale: boolean;
  /** By rule: the newest answer of a metric source; null where the rule is judged from seconds or intervals. */
  readonly samples: readonly (RuleSample | null)[];
  readonly nowMs: number;
}

export interface JudgeOutput {
  /** One per rule of the plan, in its order. */
  readonly checks: readonly Check[];
  /** Every rule that can prove anything has proven that the canary keeps its limit, in this step. */
  readonly proven: boolean;
  /** One sentence when users are not split as the weights say: no comparison holds then. */
  readonly mismatch: string | null;
}

export interface Judge {
  /** A second that was judged before (a restart) or came before the run: fills windows, wins nothing. */
  recall(second: Second): void;
  /** The next second, in ascending order and each one once. */
  add(second: Second): void;
  /** The next interval of a rule on counters; bets are made on each one once, in ascending order. */
  count(interval: CounterInterval): void;
  check(input: JudgeInput): JudgeOutput;
  readonly memory: JudgeMemory;
}
