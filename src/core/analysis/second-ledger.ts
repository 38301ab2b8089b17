/**
 * Sums what gateways report into whole seconds, each handed out once, when it is complete: every gateway that is
 * heard has reported it, or has been waited for long enough. Knows no rules and no clock.
 * @module
 */

import type { TelemetrySummary } from '../domain/telemetry.ts';
import { addMirrored } from './mirrored.ts';
import { QUIET_ARM, type Second } from './second.ts';
import { addInstances, addSegments, addVersion } from './second-parts.ts';
import type { SplitSecond } from './split-check.ts';

const SECOND_MS = 1000;
/** A gateway that reports later than this after the end of a second is not waited for. */
const PATIENCE_MS = 4_000;
/** A gateway that has not reported for this long is not expected to. */
const EXPECTED_MS = 10_000;
/** Quiet seconds in a row are handed out one by one up to here; a longer gap is skipped. */
const MAX_GAP_S = 86_400;

interface Arms {
  readonly canary: string;
  readonly baseline: string;
}

export class SecondLedger {
  readonly #arms: Arms;
  readonly #open = new Map<number, Second>();
  /** By gateway: start of the newest second that it has reported, and when that arrived. */
  readonly #reported = new Map<string, { secondMs: number; atMs: number }>();
  #nextMs: number;

  /** `nextMs`: start of the first second to hand out; what is reported of earlier ones counts in it. */
  constructor(arms: Arms, nextMs: number) {
    this.#arms = arms;
    this.#nextMs = Math.floor(nextMs / SECOND_MS) * SECOND_MS;
  }

  /** Start of the next second to be handed out, epoch milliseconds. */
  get nextMs(): number {
    return this.#nextMs;
  }

  /** A summary that was not folded before. Late ones count in the second that is open by now. */
  fold({ gateway, secondMs, revision, versions }: TelemetrySummary, nowMs: number): void {
    const startMs = Math.max(this.#nextMs, Math.floor(secondMs / SECOND_MS) * SECOND_MS);
    const before = this.#open.get(startMs);
    const [canary, baseline] = [versions[this.#arms.canary], versions[this.#arms.baseline]];
    const users = addUsers(before?.users, {
      revision,
      canary: canary?.newKeys ?? 0,
      baseline: baseline?.newKeys ?? 0,
    });
    const segments = addSegments(before?.segments, canary?.segments, baseline?.segments);
    const instances = addInstances(before?.instances, canary?.segments);
    const mirrored = addMirrored(before?.mirrored, canary, baseline);
    this.#open.set(startMs, {
      startMs,
      canary: addVersion(before?.canary, canary),
      baseline: addVersion(before?.baseline, baseline),
      ...(users && { users }),
      ...(segments && { segments }),
      ...(instances && { instances }),
      ...(mirrored && { mirrored }),
    });
    const newestMs = Math.max(secondMs, this.#reported.get(gateway)?.secondMs ?? secondMs);
    this.#reported.set(gateway, { secondMs: newestMs, atMs: nowMs });
  }

  /** The seconds that are complete by now, in order, quiet ones too. Never the same one again. */
  close(nowMs: number): Second[] {
    const seconds: Second[] = [];
    if (nowMs - this.#nextMs > MAX_GAP_S * SECOND_MS) this.#skipTo(nowMs - MAX_GAP_S * SECOND_MS);
    while (this.#isComplete(this.#nextMs, nowMs)) {
      const startMs = this.#nextMs;
      seconds.push(this.#open.get(startMs) ?? { startMs, canary: QUIET_ARM, baseline: QUIET_ARM });
      this.#open.delete(startMs);
      this.#nextMs += SECOND_MS;
    }
    return seconds;
  }

  /** All that is open, complete or not, in order. */
  drain(): Second[] {
    const seconds = [...this.#open.values()].sort((a, b) => a.startMs - b.startMs);
    this.#open.clear();
    return seconds;
  }

  #isComplete(startMs: number, nowMs: number): boolean {
    const sinceEndMs = nowMs - startMs - SECOND_MS;
    if (sinceEndMs < 0) return false;
    if (sinceEndMs >= PATIENCE_MS) return true;
    let heard = false;
    for (const [gateway, { secondMs, atMs }] of this.#reported) {
      if (nowMs - atMs > EXPECTED_MS) {
        this.#reported.delete(gateway);
        continue;
      }
      if (secondMs < startMs) return false;
      heard = true;
    }
    return heard;
  }

  /** Nobody looked for more than a day: what is left of that time says nothing second by second. */
  #skipTo(atMs: number): void {
    this.#nextMs = Math.floor(atMs / SECOND_MS) * SECOND_MS;
    for (const startMs of [...this.#open.keys()]) if (startMs < this.#nextMs) this.#open.delete(startMs);
  }
}

/** Users count under one split only: gateways that are behind say nothing about the newest. */
function addUsers(before: SplitSecond | undefined, more: SplitSecond): SplitSecond | undefined {
  if (before === undefined || more.revision > before.revision) {
    return more.canary + more.baseline > 0 ? more : undefined;
  }
  if (more.revision < before.revision) return before;
  const { revision, canary, baseline } = before;
  return { revision, canary: canary + more.canary, baseline: baseline + more.baseline };
}
