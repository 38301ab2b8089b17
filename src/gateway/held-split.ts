/**
 * One service's split as a gateway holds it: the newest document, what of it is served, and whether its lease still
 * runs. Knows neither where documents come from nor who is told.
 * @module
 */

import {
  type AppliedState,
  initialSplit,
  type MatchOverride,
  type SplitDocument,
  withoutCanary,
} from '../core/domain/split-document.ts';
import { FULL_BP } from '../core/domain/weight.ts';
import { type Assigner, compileAssigner } from '../core/split/assign.ts';
import { compileMirrorShare, type MirrorShare } from '../core/split/mirrored.ts';

/** What the split table must know of a service. */
export interface SplitService {
  readonly name: string;
  /** In the order of the configuration. */
  readonly versions: readonly string[];
  readonly defaultVersion: string;
  readonly salt: string;
}

/** The part that requests read. The object stays the same for the life of the gateway; its fields change. */
export interface SplitSlot {
  readonly service: string;
  assign: Assigner;
  matches: readonly MatchOverride[];
  revision: number;
  /** Null: no rollout mirrors. */
  mirror: MirrorShare | null;
  /** A canary is under test: its share of users is of interest. */
  testing: boolean;
}

export interface Held {
  service: SplitService;
  readonly slot: SplitSlot;
  split: SplitDocument;
  served: SplitDocument;
  state: AppliedState;
  /** When the operator was last heard of: it renewed, or published a document. Monotonic; null: never. */
  renewedMs: number | null;
  /** The split comes from disk, and the channel has not said yet that it is still the newest. */
  fromDisk: boolean;
  /** Names a version that the configuration does not; looked at again after a reload. */
  refused: SplitDocument | null;
}

/** Everything to the default version, as long as nothing else is known. */
export function initiallyHeld(service: SplitService): Held {
  const initial = initialSplit(service.name, service.defaultVersion);
  return {
    service,
    slot: {
      service: service.name,
      assign: () => service.defaultVersion,
      matches: [],
      revision: 0,
      mirror: null,
      testing: false,
    },
    split: initial,
    served: initial,
    state: 'applied',
    renewedMs: null,
    fromDisk: false,
    refused: null,
  };
}

/** Makes requests see what `split` and `state` say. */
export function serveHeld(held: Held): void {
  held.served = held.state === 'applied' ? held.split : withoutCanary(held.split);
  held.slot.assign = compileAssigner(held.served, held.service.versions, held.service.salt);
  held.slot.matches = held.split.matches;
  held.slot.revision = held.split.revision;
  held.slot.mirror = compileMirrorShare(held.served);
  const share = held.state === 'applied' ? canaryBp(held.split) : 0;
  held.slot.testing = share > 0 && share < FULL_BP;
}

/** A weight that is lent needs to hear of its lender, and how long ago a stored document was written nobody knows. */
export function mayServeCanary({ split, renewedMs }: Held, nowMs: number): boolean {
  const { lease } = split;
  if (lease === null || lease.onExpiry === 'keep' || !isLent(split)) return true;
  return renewedMs !== null && nowMs - renewedMs < lease.ttlMs;
}

/** It has what an operator has to go on wanting: users of a canary, or a mirror. */
export function isLent(split: SplitDocument): boolean {
  return canaryBp(split) > 0 || split.mirror !== undefined;
}

function canaryBp(split: SplitDocument): number {
  return split.canary === null ? 0 : (split.weights[split.canary] ?? 0);
}

/** A version that gets traffic by this split, or a copy of it, and that the service does not have. */
export function unknownVersion(split: SplitDocument, service: SplitService): string | undefined {
  const named = Object.entries(split.weights)
    .filter(([, weightBp]) => weightBp > 0)
    .map(([version]) => version);
  const mirrored = split.mirror === undefined ? [] : [split.mirror.version];
  return [split.baseline, ...named, ...mirrored].find((version) => !service.versions.includes(version));
}
