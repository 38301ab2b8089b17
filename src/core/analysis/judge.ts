/**
 * The judge's interface: evidence in, checks out, as one pure function. `point-judge.ts` implements it by
 * point estimates with a minimum sample; another judge only has to keep this shape.
 * @module
 */

import type { Plan } from '../domain/plan.ts';
import type { Check, NoEvidenceCause, QuantileArm, RateArm } from '../domain/rule.ts';
import type { EvidenceWindow } from './evidence-window.ts';

/** What a metric source answered for one rule. */
export type RuleSample =
  | {
      readonly kind: 'rate';
      readonly canary: RateArm;
      readonly baseline: RateArm | null;
      readonly sampledAtMs: number;
    }
  | {
      readonly kind: 'quantile';
      readonly canary: QuantileArm;
      readonly baseline: QuantileArm | null;
      readonly sampledAtMs: number;
    }
  | { readonly kind: 'scalar'; readonly query: string; readonly value: number; readonly sampledAtMs: number }
  | { readonly kind: 'none'; readonly cause: NoEvidenceCause; readonly detail: string };

/** What a judge remembers between two checks; stored with the rollout, so that a restart forgets nothing. */
export interface JudgeMemory {
  /** By rule: since when its condition has held without a break, epoch milliseconds. */
  readonly breachedSinceMs: readonly (number | null)[];
  /** When it last judged, epoch milliseconds; null before the first time. */
  readonly checkedAtMs: number | null;
}

export interface JudgeInput {
  readonly plan: Plan;
  /** Share that the canary has now; at 100 % there is no baseline to compare with. */
  readonly weightBp: number;
  /** The gateways' own evidence. */
  readonly window: EvidenceWindow;
  /** Gateways have gone silent: nothing in the window is new. */
  readonly stale: boolean;
  /** By rule: the newest answer of a metric source; null where the rule is judged from the window. */
  readonly samples: readonly (RuleSample | null)[];
  readonly memory: JudgeMemory;
  readonly nowMs: number;
}

export interface JudgeOutput {
  /** One per rule of the plan, in its order. */
  readonly checks: readonly Check[];
  readonly memory: JudgeMemory;
}

export type Judge = (input: JudgeInput) => JudgeOutput;

/** The memory of a run that was never judged. */
export function emptyMemory(plan: Plan): JudgeMemory {
  return { breachedSinceMs: plan.abort.map(() => null), checkedAtMs: null };
}
