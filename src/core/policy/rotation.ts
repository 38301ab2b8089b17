/**
 * Which endpoints of a version take attempts now, and with what weight: the well ones of the first priority that
 * has enough of them, those of the gateway's own zone first. Pure; what it returns holds until someone's health changes.
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
  /** All that are well, in whatever zone and of whatever priority; never fewer than `targets`. */
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
  const isWell = ({ state }: T): boolean => (state.healthy || state.joining) && state.ejectedUntilMs <= nowMs;
  const groups = byPriority(members);
  for (const group of groups) {
    const well = group.filter(isWell);
    if (well.length === 0 || well.length < PANIC_SHARE * group.length) continue;
    const elsewhere = members.filter((target) => isWell(target) && !group.includes(target));
    return { ...byZone(well, group, preference), well: [...well, ...elsewhere], panicking: false };
  }
  const all = groups[0] ?? [];
  const weights = all.map(({ weight }) => weight);
  return { targets: all, weights, well: members, panicking: all.length > 0, localShare: 1 };
}

/** The lowest number first. */
function byPriority<T extends BalanceTarget>(members: readonly T[]): T[][] {
  const groups = new Map<number, T[]>();
  for (const target of members) {
    const group = groups.get(target.priority) ?? [];
    group.push(target);
    groups.set(target.priority, group);
  }
  return [...groups.entries()].sort(([a], [b]) => a - b).map(([, group]) => group);
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
