/**
 * Builds the RolloutView from a record and what the operator has just seen. Wording and arithmetic only: it
 * never decides, and every reader shows the same words.
 * @module
 */

import type { EvidenceGap } from '../analysis/evidence-gap.ts';
import { bets } from '../analysis/rule-bets.ts';
import { formatDuration } from '../domain/duration.ts';
import type { Plan, Step } from '../domain/plan.ts';
import type { RolloutEvent } from '../domain/rollout-event.ts';
import type { Rule } from '../domain/rule.ts';
import { describeShare } from '../domain/share.ts';
import type { SplitDocument } from '../domain/split-document.ts';
import type { LeftOut } from '../domain/telemetry.ts';
import { formatBp } from '../domain/weight.ts';
import { declaredSteps } from '../rollout/auto-ramp.ts';
import {
  canaryWeightBp,
  type Holding,
  isActive,
  type RolloutRecord,
  type RolloutState,
  stepsOf,
} from '../rollout/state.ts';
import { stepAt } from '../rollout/transitions.ts';
import { projectRamp } from './project-ramp.ts';
import type { CheckView, GatewayView, RolloutView, Severity, StepView } from './rollout-view.ts';

const MAX_EVENTS = 20;

/** What the operator saw at its last tick. */
export interface Sighting {
  readonly split: SplitDocument | null;
  readonly gateways: readonly GatewayView[];
  readonly checks: readonly CheckView[];
  readonly gap: EvidenceGap | null;
  readonly canaryRequests: number;
  readonly totalRequests: number;
  /** Mirrored answers of the canary that were compared. */
  readonly compared: number;
  /** Attempts of the last minute that are in no segment, as their dimension has too many values. */
  readonly leftOut: LeftOut;
  /** A rollout that was started on the service since; null when this one says what is served. */
  readonly supersededBy: string | null;
  /** The operator that looks after it cannot be asked: this is what it wrote last. */
  readonly unseen: boolean;
  /** Why the schedule holds the rollout back; null when it does not. */
  readonly closed: string | null;
}

/** A rollout that is declared and was never started. */
export function projectDeclared(plan: Plan, nowMs: number): RolloutView {
  const steps = declaredSteps(plan);
  return {
    ...common(plan),
    phase: 'ready',
    severity: 'idle',
    word: 'READY',
    sentence: `Declared, never started: \`rollout start ${plan.rollout}\` ${startText(plan, steps[0])}.`,
    message: null,
    run: 0,
    version: 0,
    step: 0,
    steps: steps.map((step) => stepView(step, 'upcoming')),
    ...(plan.auto && { ramp: projectRamp(plan.auto, null) }),
    progress: { evidenceMs: 0, requests: 0 },
    weight: { setBp: 0, revision: 0, servedBp: null, canaryRequests: 0, totalRequests: 0 },
    gateways: [],
    evidence: { flowing: false, cause: null, sinceMs: null },
    checks: plan.abort.map(uncheckedRule),
    startedAtMs: null,
    sinceMs: null,
    remainingMs: steps.reduce((sum, step) => sum + step.holdMs, 0),
    events: [],
    nowMs,
  };
}

function startText({ canary }: Plan, first: Step | undefined): string {
  const { weightBp = 0, mirrorBp } = first ?? {};
  return mirrorBp === undefined
    ? `sends ${formatBp(weightBp)} to ${canary}`
    : `mirrors ${formatBp(mirrorBp)} to ${canary}`;
}

/** So that readers can show which rules will watch. */
function uncheckedRule(rule: Rule, index: number): CheckView {
  return {
    rule: index,
    text: rule.text,
    verdict: 'no-evidence',
    breachedSinceMs: null,
    evidence: { kind: 'none', cause: 'not-asked-yet' },
    proof: null,
    summary: 'checked once the rollout has started',
    recent: [],
    ...labelOf(rule),
  };
}

/** What every view of a check says of its rule. */
export function labelOf(rule: Rule | undefined): Pick<CheckView, 'threshold'> {
  return rule === undefined || bets(rule) ? {} : { threshold: true };
}

export function project(
  record: RolloutRecord,
  sighting: Sighting,
  events: readonly RolloutEvent[],
  nowMs: number,
): RolloutView {
  const { plan, state } = record;
  const active = isActive(state);
  const { severity, word } = label(state, sighting);
  return {
    ...common(plan),
    phase: state.phase,
    severity,
    word,
    sentence: sentence(record, sighting),
    message: record.message,
    run: record.run,
    version: record.version,
    step: state.step,
    steps: stepsOf(plan, state).map((step, index) => stepView(step, stepState(state, index))),
    ...(plan.auto && state.ramp && { ramp: projectRamp(plan.auto, state.ramp) }),
    progress: active ? state.progress : { evidenceMs: 0, requests: 0 },
    weight: {
      setBp: canaryWeightBp(plan, state),
      revision: sighting.split?.revision ?? 0,
      servedBp:
        sighting.totalRequests > 0
          ? Math.round((sighting.canaryRequests / sighting.totalRequests) * 10_000)
          : null,
      canaryRequests: sighting.canaryRequests,
      totalRequests: sighting.totalRequests,
    },
    ...(active && mirrorView(stepsOf(plan, state)[state.step], sighting)),
    ...(active && Object.keys(sighting.leftOut).length > 0 && { leftOut: sighting.leftOut }),
    gateways: sighting.gateways,
    evidence: {
      flowing: active && sighting.gap === null,
      cause: sighting.gap?.cause ?? null,
      sinceMs: active ? state.noEvidenceSinceMs : null,
    },
    checks: active ? sighting.checks : [],
    startedAtMs: record.startedAtMs,
    sinceMs: state.sinceMs,
    remainingMs: remainingMs(plan, state),
    events: events.slice(-MAX_EVENTS),
    nowMs,
  };
}

function common(plan: Plan): Pick<RolloutView, 'rollout' | 'service' | 'baseline' | 'canary'> {
  return { rollout: plan.rollout, service: plan.service, baseline: plan.baseline, canary: plan.canary };
}

function mirrorView(step: Step | undefined, { compared }: Sighting): Pick<RolloutView, 'mirror'> {
  return step?.mirrorBp === undefined ? {} : { mirror: { shareBp: step.mirrorBp, compared } };
}

function stepView(step: Step, state: StepView['state']): StepView {
  const { weightBp, mirrorBp, holdMs, requests, gate } = step;
  return {
    weightBp,
    ...(mirrorBp !== undefined && { mirrorBp }),
    state,
    holdMs,
    requestsNeeded: requests,
    gate: gate?.kind ?? null,
  };
}

function stepState(state: RolloutState, index: number): StepView['state'] {
  if (state.phase === 'promoted') return 'done';
  if (index < state.step) return 'done';
  if (index > state.step) return 'upcoming';
  return isActive(state) ? 'current' : 'failed';
}

function label(state: RolloutState, sighting: Sighting): { severity: Severity; word: string } {
  switch (state.phase) {
    case 'holding':
      return { severity: isHeldUp(state, sighting) ? 'attention' : 'active', word: 'HOLDING' };
    case 'awaiting-gate':
      return { severity: 'attention', word: 'WAITING' };
    case 'paused':
      return { severity: 'attention', word: 'PAUSED' };
    case 'promoted':
      return { severity: 'good', word: 'PROMOTED' };
    case 'aborted':
      return { severity: 'bad', word: 'ABORTED' };
    case 'undone':
      return { severity: 'bad', word: 'UNDONE' };
  }
}

function breach(sighting: Sighting): CheckView | undefined {
  return sighting.checks.find((check) => check.breachedSinceMs !== null);
}

function isHeldUp(state: RolloutState, sighting: Sighting): boolean {
  return sighting.gap !== null || breach(sighting) !== undefined || Boolean(state.ramp?.obstacle);
}

/** What is going on, and what will happen next. */
function sentence(record: RolloutRecord, sighting: Sighting): string {
  const { plan, state, rollout } = record;
  if (sighting.supersededBy) {
    const ended = `${state.phase} at step ${state.step + 1}`;
    return `Ended (${ended}); ${sighting.supersededBy} was started on ${plan.service} since.`;
  }
  if (sighting.unseen && isActive(state)) {
    return `Its operator does not answer: this is what it wrote last, at step ${state.step + 1}. Another one takes over within seconds.`;
  }
  switch (state.phase) {
    case 'holding':
      return holdingSentence(record, state, sighting);
    case 'awaiting-gate': {
      const next = stepsOf(plan, state)[state.step + 1];
      const then = next ? `go to ${describeShare(next)}` : 'finish';
      return stepsOf(plan, state)[state.step]?.gate?.kind === 'webhook'
        ? `Step ${state.step + 1} is complete; its webhook gate has not answered yet.`
        : `Step ${state.step + 1} is complete and waits for approval: \`rollout promote ${rollout}\` to ${then}.`;
    }
    case 'paused':
      return `Paused ${describeShare(stepAt(plan, state, state.step), 'at ')}: ${state.reason}. Rules still watch; \`rollout resume ${rollout}\` to go on.`;
    case 'promoted':
      return `${plan.canary} serves all traffic of ${plan.service}.`;
    case 'aborted':
      return `${plan.baseline} serves all traffic of ${plan.service}: ${state.reason}.`;
    case 'undone':
      return `Taken back to ${plan.baseline}: ${state.reason}.`;
  }
}

function holdingSentence({ plan }: RolloutRecord, state: Holding, sighting: Sighting): string {
  const { progress, ramp } = state;
  const steps = stepsOf(plan, state);
  const step = steps[state.step];
  if (!step) return '';
  const late = sighting.gateways.filter((gateway) => !gateway.current);
  if (sighting.gateways.length === 0) return `Waiting for a gateway ${askedOf(step)}; none is heard of.`;
  if (late.length > 0) {
    return `Waiting for ${late.map((gateway) => gateway.name).join(', ')} ${askedOf(step)}.`;
  }
  const broken = breach(sighting);
  if (broken) return `A limit is broken: ${broken.summary}. The step cannot complete until that ends.`;
  if (sighting.gap) return `Time does not count: ${sighting.gap.detail}.`;
  if (ramp && ramp.obstacle !== null) return `Stays at ${formatBp(step.weightBp)}: ${ramp.obstacle}.`;
  const leftMs = step.holdMs - progress.evidenceMs;
  const next = steps[state.step + 1];
  const then = step.gate ? `the ${step.gate.kind} gate` : next ? describeShare(next) : 'promotion';
  if (leftMs > 0)
    return `On to ${then} in ${formatDuration(Math.ceil(leftMs / 1000) * 1000)} if no rule breaks.`;
  const missing = step.requests - progress.requests;
  const counted = step.mirrorBp === undefined ? 'canary requests' : 'compared answers';
  if (missing > 0) return `The hold is over; ${missing} more ${counted} are needed before ${then}.`;
  if (sighting.closed) return `Complete, but ${sighting.closed}.`;
  return `On to ${then} now.`;
}

function askedOf({ weightBp, mirrorBp }: Step): string {
  return mirrorBp === undefined ? `to apply ${formatBp(weightBp)}` : `to mirror ${formatBp(mirrorBp)}`;
}

function remainingMs(plan: Plan, state: RolloutState): number | null {
  if (state.phase !== 'holding' || state.ramp?.obstacle) return null;
  const [current, ...later] = stepsOf(plan, state).slice(state.step);
  if (!current || current.gate || later.some((step) => step.gate)) return null;
  const laterMs = later.reduce((sum, step) => sum + step.holdMs, 0);
  return Math.max(0, current.holdMs - state.progress.evidenceMs) + laterMs;
}
