/**
 * Sums of one second: what summaries of several gateways say of a version, of its segments and of its instances.
 * Knows no order of seconds and no rules.
 * @module
 */

import {
  badOf,
  INSTANCE_DIMENSION,
  OTHER_INSTANCES,
  type SegmentSummary,
  type Segments,
  seenOf,
  totalOf,
  type VersionSummary,
} from '../domain/telemetry.ts';
import { condenseWire, Histogram, mergeWires } from './histogram.ts';
import { type ArmSecond, type Arms, QUIET_ARM, type Second } from './second.ts';

/** As many as one gateway tells apart of instances, which are the most; names come from configuration, never from clients. */
const MAX_PARTS = 256;

const QUIET_ARMS: Arms = { canary: QUIET_ARM, baseline: QUIET_ARM };

/** One version of one summary, added to what is known of the second. */
export function addVersion(before: ArmSecond = QUIET_ARM, version: VersionSummary | undefined): ArmSecond {
  if (version === undefined) return before;
  const { attempts, running, distinctBad } = version;
  const bad = badOf(attempts.outcomes);
  return addArms(before, {
    total: totalOf(attempts.outcomes),
    bad,
    distinctBad: distinctBad ?? bad,
    seen: seenOf(attempts.outcomes),
    latencyUs: running === undefined ? attempts.latencyUs : mergeWires(attempts.latencyUs, running),
  });
}

export function addArms(a: ArmSecond, b: ArmSecond): ArmSecond {
  return {
    total: a.total + b.total,
    bad: a.bad + b.bad,
    distinctBad: a.distinctBad + b.distinctBad,
    seen: a.seen + b.seen,
    latencyUs: mergeWires(a.latencyUs, b.latencyUs),
  };
}

/** More arms than two: as `addArms` of one after another, in time that grows with what is in them only. */
export function sumArms(arms: readonly ArmSecond[]): ArmSecond {
  const latencies = new Histogram();
  const sum = { total: 0, bad: 0, distinctBad: 0, seen: 0 };
  for (const { total, bad, distinctBad, seen, latencyUs } of arms) {
    sum.total += total;
    sum.bad += bad;
    sum.distinctBad += distinctBad;
    sum.seen += seen;
    latencies.merge(latencyUs);
  }
  return { ...sum, latencyUs: latencies.toWire() };
}

/** What is left of a sum without one of its arms. */
export function subtractArms(a: ArmSecond, b: ArmSecond): ArmSecond {
  const negative = b.latencyUs.map((value, at) => (at % 2 === 0 ? value : -value));
  return {
    total: a.total - b.total,
    bad: a.bad - b.bad,
    distinctBad: a.distinctBad - b.distinctBad,
    seen: a.seen - b.seen,
    latencyUs: mergeWires(a.latencyUs, negative),
  };
}

/** The same to whoever counts latencies from one of `bins` upwards only; ascending, from 0. */
export function condenseArm(arm: ArmSecond, bins: readonly number[]): ArmSecond {
  return { ...arm, latencyUs: condenseWire(arm.latencyUs, bins) };
}

/** Segments of both versions by name; instances are no segments, as versions have none in common. */
export function addSegments(
  before: Second['segments'],
  canary: Segments | undefined,
  baseline: Segments | undefined,
): Second['segments'] {
  if (canary === undefined && baseline === undefined) return before;
  const sums: Record<string, Arms> = { ...before };
  for (const [name, summary] of named(canary)) {
    const known = sums[name] ?? (hasRoom(sums) ? QUIET_ARMS : undefined);
    if (known) sums[name] = { ...known, canary: addArms(known.canary, armOf(summary)) };
  }
  for (const [name, summary] of named(baseline)) {
    const known = sums[name] ?? (hasRoom(sums) ? QUIET_ARMS : undefined);
    if (known) sums[name] = { ...known, baseline: addArms(known.baseline, armOf(summary)) };
  }
  return hasNone(sums) ? before : sums;
}

export function addInstances(before: Second['instances'], canary: Segments | undefined): Second['instances'] {
  const instances = canary?.[INSTANCE_DIMENSION];
  if (instances === undefined) return before;
  const sums: Record<string, ArmSecond> = { ...before };
  for (const [instance, summary] of Object.entries(instances)) {
    const name = Object.hasOwn(sums, instance) || hasRoom(sums) ? instance : OTHER_INSTANCES;
    sums[name] = addArms(sums[name] ?? QUIET_ARM, armOf(summary));
  }
  return sums;
}

function* named(segments: Segments | undefined): Generator<readonly [name: string, SegmentSummary]> {
  for (const [dimension, values] of Object.entries(segments ?? {})) {
    if (dimension === INSTANCE_DIMENSION) continue;
    for (const [value, summary] of Object.entries(values)) yield [`${dimension}=${value}`, summary];
  }
}

function armOf({ total, bad, distinctBad = bad, latencyUs }: SegmentSummary): ArmSecond {
  return { total, bad, distinctBad, seen: total, latencyUs };
}

function hasRoom(sums: object): boolean {
  return Object.keys(sums).length < MAX_PARTS;
}

function hasNone(sums: object): boolean {
  return Object.keys(sums).length === 0;
}
