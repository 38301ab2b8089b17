/**
 * Why a decision was what it was, from the event that recorded it: counts, estimates with their intervals, evidence
 * against what was needed, and the numbers that would have turned it. Computes from the record alone.
 * @module
 */

import { type Interval, rateInterval } from '../analysis/rate-interval.ts';
import type { RolloutEvent } from '../domain/rollout-event.ts';
import type { Check, QuantileArm, RateArm } from '../domain/rule.ts';

export interface ExplainedArm {
  readonly version: string;
  readonly requests: number;
  /** Null for latencies. */
  readonly bad: number | null;
  /** 0–1 of a rate, milliseconds of a latency. */
  readonly estimate: number;
  /** Of a rate; null for latencies. */
  readonly interval: Interval | null;
}

export interface ExplainedCheck {
  readonly check: Check;
  readonly arms: readonly ExplainedArm[];
  /** One sentence: at which numbers the limit would have held, or been broken; null without numbers. */
  readonly turningPoint: string | null;
}

export interface Explanation {
  readonly event: RolloutEvent;
  readonly checks: readonly ExplainedCheck[];
}

/** The newest event that rests on evidence, or the one asked for; undefined when there is none. */
export function explain(events: readonly RolloutEvent[], sequence: number | null): Explanation | undefined {
  const event =
    sequence === null
      ? events.findLast(({ evidence }) => evidence.length > 0)
      : events.find((each) => each.sequence === sequence);
  return event && { event, checks: event.evidence.map((check) => explainCheck(event, check)) };
}

function explainCheck(event: RolloutEvent, check: Check): ExplainedCheck {
  const { evidence } = check;
  switch (evidence.kind) {
    case 'rate':
      return {
        check,
        arms: [
          rateArm(event.canary, evidence.canary),
          ...(evidence.baseline ? [rateArm(event.baseline, evidence.baseline)] : []),
        ],
        turningPoint:
          evidence.limit === undefined ? null : rateTurn(evidence.canary, evidence.limit, evidence.of),
      };
    case 'quantile':
      return {
        check,
        arms: [
          quantileArm(event.canary, evidence.canary),
          ...(evidence.baseline ? [quantileArm(event.baseline, evidence.baseline)] : []),
        ],
        turningPoint: evidence.limitMs === undefined ? null : quantileTurn(evidence.canary, evidence.limitMs),
      };
    case 'scalar':
    case 'none':
      return { check, arms: [], turningPoint: null };
  }
}

function rateArm(version: string, { bad, total }: RateArm): ExplainedArm {
  const estimate = total > 0 ? bad / total : 0;
  return { version, requests: total, bad, estimate, interval: rateInterval(bad, total) };
}

function quantileArm(version: string, { total, valueMs }: QuantileArm): ExplainedArm {
  return { version, requests: total, bad: null, estimate: valueMs, interval: null };
}

function rateTurn({ bad, total }: RateArm, limit: number, of: 'differences' | undefined): string {
  const most = Math.floor(limit * total + 1e-9);
  const counted = of ?? 'failures';
  const among = `${Math.round(total)} ${of === undefined ? 'requests' : 'answers'}`;
  return bad > most
    ? `With ${most} or fewer ${counted} among these ${among} the limit would have held.`
    : `From ${most + 1} ${counted} among these ${among} on the limit would have been broken.`;
}

function quantileTurn({ valueMs }: QuantileArm, limitMs: number): string {
  const limit = `${Math.round(limitMs)}ms`;
  return valueMs > limitMs
    ? `At ${limit} or less the limit would have held.`
    : `Above ${limit} the limit would have been broken.`;
}
