/**
 * Makes the stored split say what the rollout's state wants, renews its lease, and reports which gateways
 * serve it. Level-triggered: called on every tick, writes only a difference.
 * @module
 */

import type { SplitDocument } from '../core/domain/split-document.ts';
import { type DesiredSplit, saysSame } from '../core/rollout/desired-split.ts';
import type { GatewayView } from '../core/view/rollout-view.ts';
import type { LiveAcknowledgement, WeightChannel, WriteResult } from '../ports/weight-channel.ts';

/** A gateway that has been silent for longer serves nobody, or only until its lease runs out. */
const LIVE_MS = 10_000;

export interface Reconciled {
  /** Null when somebody with a newer epoch has written: this operator must stop. */
  readonly split: SplitDocument | null;
  readonly gateways: readonly GatewayView[];
  /** Every live gateway, and at least one, serves exactly `split`. */
  readonly applied: boolean;
}

/** `lastRevision`: the newest that this operator has seen of the service; 0 for none. */
export async function reconcile(
  channel: WeightChannel,
  desired: DesiredSplit,
  epoch: number,
  lastRevision: number,
  nowMs: number,
): Promise<Reconciled> {
  const [stored, acknowledgements] = await Promise.all([
    channel.read(desired.service),
    channel.acknowledgements(desired.service),
  ]);
  const split = await ensure(channel, stored, desired, epoch, lastRevision, nowMs);
  const gateways = gatewayViews(acknowledgements, split?.revision ?? -1);
  return { split, gateways, applied: gateways.length > 0 && gateways.every((gateway) => gateway.current) };
}

async function ensure(
  channel: WeightChannel,
  stored: SplitDocument | null,
  desired: DesiredSplit,
  epoch: number,
  lastRevision: number,
  nowMs: number,
): Promise<SplitDocument | null> {
  // A new holder also rewrites an equal document: its epoch then shuts out the holder before it.
  if (stored && stored.epoch === epoch && saysSame(stored, desired)) {
    if (desired.lease === null) return stored;
    return outcome(await channel.renew(desired.service, stored.revision, epoch), stored);
  }
  // After a loss of data revisions go on: a gateway's acknowledgement of an old one must not fit a new one.
  const revision = (stored?.revision ?? lastRevision) + 1;
  const next: SplitDocument = { ...desired, revision, epoch, issuedAtMs: nowMs };
  return outcome(await channel.write(next), next);
}

function outcome(result: WriteResult, written: SplitDocument): SplitDocument | null {
  if (result.ok) return written;
  // A conflict of revisions is settled by the next tick, which reads what is there now.
  return result.cause === 'stale-epoch' ? null : result.current;
}

function gatewayViews(acknowledgements: readonly LiveAcknowledgement[], revision: number): GatewayView[] {
  return acknowledgements
    .filter((acknowledgement) => acknowledgement.ageMs <= LIVE_MS)
    .map(({ gateway, revision: applied, state, ageMs }) => ({
      name: gateway,
      revision: applied,
      state,
      ageMs,
      current: applied === revision && state === 'applied',
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}
