/**
 * The split document: the one message that the operator sends to gateways over the weight channel, and the
 * acknowledgement that comes back. Knows neither transport nor how a user is assigned (see `core/split`).
 * @module
 */

import { FULL_BP, type Weights, weightsProblem } from './weight.ts';

/** Forces a version for requests that carry a value, such as testers. Forced requests are never judged. */
export interface MatchOverride {
  /** A request header (lower case) or a claim of the validated JWT. */
  readonly source: { readonly header: string } | { readonly claim: string };
  readonly equals: string;
  readonly version: string;
}

/** A canary's weight is lent: when nobody renews it for `ttlMs`, each gateway acts by itself. */
export interface WeightLease {
  readonly ttlMs: number;
  /** `baseline`: send the canary's share to the baseline; `keep`: go on with the last weights. */
  readonly onExpiry: 'baseline' | 'keep';
}

/** Requests of the baseline that another version is asked too, with nobody getting its answers. Lent like a weight. */
export interface SplitMirror {
  readonly version: string;
  /** Basis points of the baseline's sticky keys, 1–10 000. */
  readonly shareBp: number;
}

export interface SplitDocument {
  readonly service: string;
  /** Grows by exactly one with every write; 0 is never written. */
  readonly revision: number;
  /** Fencing token of the operator's lease on the service; a lower one than the last written is refused. */
  readonly epoch: number;
  /** `orders-v2#3` (rollout and run) while one is active, else null. */
  readonly rollout: string | null;
  /** Takes whatever the other versions leave. */
  readonly baseline: string;
  /** The version under test; null when none is. */
  readonly canary: string | null;
  /** Basis points by version; versions that are left out have 0. */
  readonly weights: Weights;
  /** Left out: nothing is mirrored. */
  readonly mirror?: SplitMirror;
  readonly matches: readonly MatchOverride[];
  /** Seeds the hash that parts canary users from baseline users. */
  readonly salt: string;
  /** Null when the weights hold for ever (no canary under test). */
  readonly lease: WeightLease | null;
  /** Operator's clock, epoch milliseconds. For people; no decision depends on it. */
  readonly issuedAtMs: number;
}

/** What a gateway does with a split right now. */
export type AppliedState = 'applied' | 'lease-expired';

/** Sent by a gateway when it applies a revision, and again every few seconds as a sign of life. */
export interface Acknowledgement {
  /** Stable name of the gateway, unique among the live ones. */
  readonly gateway: string;
  /** Random per process start. */
  readonly incarnation: string;
  readonly service: string;
  readonly revision: number;
  readonly state: AppliedState;
}

/** Says what is wrong with a document before it is written, or `undefined` when it is sound. */
export function splitProblem(split: SplitDocument): string | undefined {
  if (split.canary === split.baseline) return `canary and baseline are both ${split.baseline}`;
  if (!Number.isSafeInteger(split.revision) || split.revision < 1)
    return 'revision must be a positive integer';
  if (!Number.isSafeInteger(split.epoch) || split.epoch < 0) return 'epoch must be a non-negative integer';
  return weightsProblem(split.weights) ?? mirrorProblem(split);
}

function mirrorProblem({ mirror, baseline }: SplitDocument): string | undefined {
  if (mirror === undefined) return undefined;
  if (mirror.version === baseline) return `${baseline} is mirrored to itself`;
  const { shareBp } = mirror;
  const sound = Number.isInteger(shareBp) && shareBp > 0 && shareBp <= FULL_BP;
  return sound
    ? undefined
    : `a mirror's share must be an integer from 1 to ${FULL_BP} basis points, got ${shareBp}`;
}

/** Whether `split` is newer than `known`: by epoch first, since a new operator may start again at revision 1. */
export function supersedes(
  split: Pick<SplitDocument, 'epoch' | 'revision'>,
  known: Pick<SplitDocument, 'epoch' | 'revision'> | undefined,
): boolean {
  if (known === undefined) return true;
  return split.epoch === known.epoch ? split.revision > known.revision : split.epoch > known.epoch;
}

/** The split of a service that no operator has written yet: everything to its declared default version. */
export function initialSplit(service: string, version: string): SplitDocument {
  return {
    service,
    revision: 0,
    epoch: 0,
    rollout: null,
    baseline: version,
    canary: null,
    weights: { [version]: FULL_BP },
    matches: [],
    salt: service,
    lease: null,
    issuedAtMs: 0,
  };
}

/** What a gateway serves once the lease has run out: the canary's share goes to the baseline, and nothing is mirrored. */
export function withoutCanary({ mirror: _, ...split }: SplitDocument): SplitDocument {
  if (split.canary === null) return split;
  const canaryBp = split.weights[split.canary] ?? 0;
  const baselineBp = (split.weights[split.baseline] ?? 0) + canaryBp;
  return { ...split, weights: { ...split.weights, [split.canary]: 0, [split.baseline]: baselineBp } };
}
