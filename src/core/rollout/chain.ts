/**
 * The hash chain of a rollout's event log: each event carries the hash of the one before, so that a change or
 * a gap in the audit trail shows. The digest is an argument; the core has no crypto.
 * @module
 */

import { canonical } from '../domain/canonical-json.ts';
import type { RolloutEvent, Transition } from '../domain/rollout-event.ts';
import type { RolloutRecord } from './state.ts';

/** SHA-256 in hex. */
export type Digest = (text: string) => string;

type Head = Pick<RolloutRecord, 'rollout' | 'service' | 'run' | 'plan' | 'lastSequence' | 'lastHash'>;

/** Turns transitions into events that continue the log after `head`. */
export function chain(
  head: Head,
  transitions: readonly Transition[],
  atMs: number,
  digest: Digest,
): readonly RolloutEvent[] {
  let sequence = head.lastSequence;
  let prevHash = head.lastHash;
  return transitions.map((transition) => {
    sequence += 1;
    const { rollout, service, run, plan } = head;
    const body = {
      ...transition,
      rollout,
      service,
      run,
      sequence,
      atMs,
      baseline: plan.baseline,
      canary: plan.canary,
      prevHash,
    };
    const hash = digest(canonical(body));
    prevHash = hash;
    return { ...body, hash };
  });
}

/** The sequence of the first event that does not fit its predecessor or its own hash; null when all do. */
export function brokenLink(events: readonly RolloutEvent[], digest: Digest): number | null {
  let previous: RolloutEvent | undefined;
  for (const event of events) {
    const { hash, ...body } = event;
    const follows = previous
      ? event.prevHash === previous.hash && event.sequence === previous.sequence + 1
      : true;
    if (!follows || digest(canonical(body)) !== hash) return event.sequence;
    previous = event;
  }
  return null;
}
