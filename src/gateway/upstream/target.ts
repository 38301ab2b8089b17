/**
 * An endpoint in its role for one version: its weight, its pool, and what is known of its state, which is kept
 * over reloads. Knows how state is passed on; the balancer knows what it means.
 * @module
 */

import { type BalanceTarget, TargetState } from '../../core/policy/balancer.ts';
import type { Endpoint } from './endpoint.ts';

export interface Target extends BalanceTarget {
  readonly endpoint: Endpoint;
}

/** States by service, version and origin. */
export type TargetStates = ReadonlyMap<string, TargetState>;

/**
 * The state of a target as the configuration before knew it. One that is new to a version that has others is
 * eased in from `nowMs`; all others start with their full share.
 */
export function adoptState(
  previous: TargetStates | undefined,
  next: Map<string, TargetState>,
  version: string,
  origin: string,
  nowMs: number,
): TargetState {
  const key = `${version} ${origin}`;
  const known = next.get(key) ?? previous?.get(key);
  const state = known ?? new TargetState(isNewVersion(previous, version) ? undefined : nowMs);
  next.set(key, state);
  return state;
}

function isNewVersion(previous: TargetStates | undefined, version: string): boolean {
  if (previous === undefined) return true;
  for (const key of previous.keys()) if (key.startsWith(`${version} `)) return false;
  return true;
}
