/**
 * A rollout as this operator looks after it: its record, its evidence, and what was seen at the last tick.
 * Data and its bookkeeping only; who works on it and when is in `session-table.ts`.
 * @module
 */

import type { EvidenceGap } from '../core/analysis/evidence-gap.ts';
import type { Judge } from '../core/analysis/judge.ts';
import type { RolloutEvent } from '../core/domain/rollout-event.ts';
import type { Check } from '../core/domain/rule.ts';
import { type Frame, frameLine, headLine } from '../core/rollout/recording.ts';
import { isActive, type RolloutRecord } from '../core/rollout/state.ts';
import { labelOf, project, type Sighting } from '../core/view/project.ts';
import type { RolloutView } from '../core/view/rollout-view.ts';
import { type CounterWatch, createCounterWatch } from './counter-watch.ts';
import { createEvidenceCollector, type EvidenceCollector } from './evidence-collector.ts';
import { createGateWatch, type GateWatch } from './gate-watch.ts';
import type { OperatorContext } from './operator-context.ts';
import { createRuleSampler, type RuleSampler } from './rule-sampler.ts';

const MAX_EVENTS = 20;
const MAX_RECENT = 30;

/** What is known beyond the record, all of it from the record and the retained streams. */
export interface SessionEvidence {
  readonly collector: EvidenceCollector;
  readonly judge: Judge;
  readonly counters: CounterWatch;
}

export interface Session {
  record: RolloutRecord;
  /** Epoch of the lease under which this operator writes. */
  epoch: number;
  evidence: SessionEvidence;
  readonly sampler: RuleSampler;
  readonly gate: GateWatch;
  sighting: Sighting;
  gap: EvidenceGap | null;
  /** Newest events, oldest first. */
  events: readonly RolloutEvent[];
  /** By rule: canary values of recent checks, for sparklines. */
  recent: readonly (readonly (number | null)[])[];
  /** When progress was last written, epoch milliseconds. */
  savedAtMs: number;
  /** Whether the end of the run has reached every live gateway. */
  settled: boolean;
  /** Its first look is still to be recorded, with what the session found in the store. */
  begins: boolean;
  /** Sequence of the newest event that listeners were told of. */
  announcedSequence: number;
  /** A look has failed midway: what it has collected is in no record, so the next one begins as after a restart. */
  interrupted: boolean;
  /** Nothing may be written through it any more. */
  closed: boolean;
  close(): void;
}

const NOTHING_SEEN: Sighting = {
  split: null,
  gateways: [],
  checks: [],
  gap: null,
  canaryRequests: 0,
  totalRequests: 0,
  compared: 0,
  leftOut: {},
  closed: null,
  supersededBy: null,
  unseen: false,
};

export function openSession(
  context: OperatorContext,
  record: RolloutRecord,
  epoch: number,
  events: readonly RolloutEvent[],
): Session {
  const { plan } = record;
  const sampler = createRuleSampler(plan, record.startedAtMs, context.metrics, context.metricsIntervalMs);
  const gate = createGateWatch(context.gates, context.logger);
  return {
    record,
    epoch,
    evidence: gatherEvidence(context, record),
    sampler,
    gate,
    sighting: NOTHING_SEEN,
    gap: null,
    events: events.slice(-MAX_EVENTS),
    recent: plan.abort.map(() => []),
    savedAtMs: context.clock.nowMs(),
    settled: false,
    begins: true,
    announcedSequence: record.lastSequence,
    interrupted: false,
    closed: false,
    close() {
      this.closed = true;
      sampler.close();
      this.evidence.counters.close();
      gate.close();
    },
  };
}

function gatherEvidence(
  context: OperatorContext,
  { plan, startedAtMs, memory }: RolloutRecord,
): SessionEvidence {
  return {
    collector: createEvidenceCollector(plan, startedAtMs, memory.judgedToMs, context.backend.telemetry),
    judge: context.createJudge(plan, memory),
    counters: createCounterWatch({
      plan,
      sinceMs: startedAtMs,
      memory,
      source: context.metrics,
      intervalMs: context.metricsIntervalMs,
      scrapeMs: context.scrapeIntervalMs,
    }),
  };
}

/** Goes on from the record, as another operator would: no second is lost to a look that failed, and none counts twice. */
export function recover(context: OperatorContext, session: Session): void {
  session.evidence.counters.close();
  session.evidence = gatherEvidence(context, session.record);
  session.begins = true;
  session.interrupted = false;
}

/** Adds committed events to the ones kept for the view. */
export function rememberEvents(session: Session, events: readonly RolloutEvent[]): void {
  session.events = [...session.events, ...events].slice(-MAX_EVENTS);
}

/** Adds the canary's newest values to the sparklines. */
export function rememberChecks(session: Session, checks: readonly Check[]): void {
  session.recent = checks.map((check, index) =>
    [...(session.recent[index] ?? []), canaryValue(check)].slice(-MAX_RECENT),
  );
}

function canaryValue(check: Check): number | null {
  const { evidence } = check;
  switch (evidence.kind) {
    case 'rate':
      return evidence.canary.bad / evidence.canary.total;
    case 'quantile':
      return evidence.canary.valueMs;
    case 'scalar':
      return evidence.value;
    case 'none':
      return null;
  }
}

/** Adds what was looked at and decided to the run's recording. */
export function recordFrame(context: OperatorContext, session: Session, frame: Frame): void {
  const { rollout, run, startedAtMs, plan } = session.record;
  context.recordings?.append(
    rollout,
    run,
    () => headLine({ rollout, run, startedAtMs, plan }),
    frameLine(frame),
  );
}

export function viewOf(session: Session, nowMs: number): RolloutView {
  const { record, sighting, recent } = session;
  const checks = sighting.checks.map((check) => ({
    ...check,
    recent: recent[check.rule] ?? [],
    ...labelOf(record.plan.abort[check.rule]),
  }));
  const gap = isActive(record.state) ? session.gap : null;
  return project(record, { ...sighting, checks, gap }, session.events, nowMs);
}
