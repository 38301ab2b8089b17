/**
 * Which endpoints of a version take attempts now, and with what weight: the well ones, those of the gateway's own
 * zone first. Pure; what it returns holds until someone's health changes.
 * @module
 */

import type { BalanceTarget } from './target-state.ts';

export interface ZonePreference {
  /** Of the gateway. */
  readonly zone: string;
  /** 0–1: with this share of the zone's endpoints well (by weight), all attempts stay in it. */
  readonly enough: number;
}

export interface Rotation<T> {
  readonly targets: readonly T[];
  /** One for each of `targets`. */
  readonly weights: readonly number[];
  /** All that are well, in whatever zone; never fewer than `targets`. */
  readonly well: readonly T[];
  /** Fewer than half are well: health is ignored. */
  readonly panicking: boolean;
  /** 0–1: share of attempts that stay in the gateway's zone; 1 when zones do not matter. */
  readonly localShare: number;
}

/** With fewer than this share in rotation, all are: what is left would only be run over. */
const PANIC_SHARE = 0.5;

export function rotationOf<T extends BalanceTarget>(
  targets: readonly T[],
  preference: ZonePreference | null,
  nowMs: number,
): Rotation<T> {
  // One that joins neither serves nor counts while there are others.
  const settled = targets.filter(({ state }) => !state.joining);
  const members = settled.length > 0 ? settled : targets;
  const well = members.filter(
    ({ state }) => (state.healthy || state.joining) && state.ejectedUntilMs <= nowMs,
  );
  if (well.length < PANIC_SHARE * members.length) {
    const weights = members.map(({ weight }) => weight);
    return { targets: members, weights, well: members, panicking: true, localShare: 1 };
  }
  return { ...byZone(well, members, preference), well, panicking: false };
}

function byZone<T extends BalanceTarget>(
  well: readonly T[],
  members: readonly T[],
  preference: ZonePreference | null,
): Pick<Rotation<T>, 'targets' | 'weights' | 'localShare'> {
  const everywhere = { targets: well, weights: well.map(({ weight }) => weight), localShare: 1 };
  if (preference === null) return everywhere;
  const isLocal = ({ zone }: T): boolean => zone === preference.zone;
  const all = weightOf(members.filter(isLocal));
  const local = weightOf(well.filter(isLocal));
  const remote = weightOf(well) - local;
  if (all === 0 || remote === 0) return everywhere;
  if (local === 0) return { ...everywhere, localShare: 0 };
  const localShare = Math.min(1, local / all / preference.enough);
  if (localShare === 1) {
    const targets = well.filter(isLocal);
    return { targets, weights: targets.map(({ weight }) => weight), localShare };
  }
  const weights = well.map((target) =>
    isLocal(target) ? (target.weight / local) * localShare : (target.weight / remote) * (1 - localShare),
  );
  return { targets: well, weights, localShare };
}

function weightOf(targets: readonly BalanceTarget[]): number {
  return targets.reduce((sum, { weight }) => sum + weight, 0);
}
