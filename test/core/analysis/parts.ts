/** Seconds of traffic that is known by its routes and instances, for tests of segments and instances. */

import { type ArmSecond, QUIET_ARM, type Second } from '../../../src/core/analysis/second.ts';
import { addArms } from '../../../src/core/analysis/second-parts.ts';
import type { RandomModule } from '../../bench/judges.ts';
import { type ArmLike, arm } from './seconds.ts';

export type Draws = InstanceType<RandomModule['Random']>;

export interface PartsOfSecond {
  /** Name of the segment → both sides. */
  readonly segments: Readonly<Record<string, { readonly canary: ArmLike; readonly baseline: ArmLike }>>;
  /** The canary's instances; they have to sum up to the canary of the segments where both are given. */
  readonly instances?: Readonly<Record<string, ArmLike>>;
}

/** The whole is the sum of the segments. */
export function secondOfParts(at: number, { segments, instances }: PartsOfSecond): Second {
  const parts = Object.entries(segments).map(([name, { canary, baseline }]) => ({
    name,
    arms: { canary: arm(canary), baseline: arm(baseline) },
  }));
  const whole = (side: 'canary' | 'baseline'): ArmSecond =>
    parts.map(({ arms }) => arms[side]).reduce(addArms, QUIET_ARM);
  return {
    startMs: at * 1000,
    canary: whole('canary'),
    baseline: whole('baseline'),
    segments: Object.fromEntries(parts.map(({ name, arms }) => [name, arms])),
    ...(instances && {
      instances: Object.fromEntries(Object.entries(instances).map(([name, of]) => [name, arm(of)])),
    }),
  };
}

/** So many requests on average, of which each fails with the given chance. */
export function drawn(random: Draws, mean: number, rate: number): ArmLike {
  return { ok: random.poisson(mean * (1 - rate)), bad: random.poisson(mean * rate) };
}
