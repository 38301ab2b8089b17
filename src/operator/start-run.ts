/**
 * Starting a run: which plan, whether the service is free and serves the plan's baseline, and the first commit.
 * @module
 */

import { emptyMemory } from '../core/analysis/sequential-judge.ts';
import { SluiceError } from '../core/domain/errors.ts';
import type { Plan } from '../core/domain/plan.ts';
import type { Actor, RolloutEvent } from '../core/domain/rollout-event.ts';
import { FULL_BP, formatBp } from '../core/domain/weight.ts';
import { isActive, type RolloutRecord, type RolloutState } from '../core/rollout/state.ts';
import { begin } from '../core/rollout/transitions.ts';
import { projectDeclared } from '../core/view/project.ts';
import type { RolloutView } from '../core/view/rollout-view.ts';
import type { ActRequest, MeasuredTraffic } from '../ports/control.ts';
import { commitRecord } from './commit.ts';
import { measureTraffic } from './measured-traffic.ts';
import type { OperatorContext } from './operator-context.ts';

/** The plan that a start or retry means. Throws ROLLOUT_UNKNOWN, RUN_UNKNOWN, CONFIG_INVALID or WRONG_PHASE. */
export async function planOf(
  context: OperatorContext,
  request: ActRequest,
  record: RolloutRecord | null,
): Promise<Plan> {
  const { rollout, action } = request;
  if (action.kind === 'start' && action.source) {
    const plan = await context.catalog.compile(action.source.file, action.source.text);
    if (plan.rollout === rollout) return plan;
    throw new SluiceError('BAD_REQUEST', {
      detail: `the plan is of rollout "${plan.rollout}", not "${rollout}"`,
    });
  }
  if (action.kind !== 'retry') return context.catalog.plan(rollout);
  if (!record) {
    await context.catalog.plan(rollout);
    throw new SluiceError('RUN_UNKNOWN', {
      detail: rollout,
      hint: `Start it with \`rollout start ${rollout}\`.`,
    });
  }
  if (record.state.phase !== 'aborted' && record.state.phase !== 'undone') {
    throw new SluiceError('WRONG_PHASE', {
      detail: `cannot retry: the rollout is ${record.state.phase}`,
      hint: 'Only an aborted or undone rollout can be retried.',
    });
  }
  // A plan that was sent with `start -f` is not on file: the recorded one is used again.
  const declared = (await context.catalog.plans()).some((plan) => plan.rollout === rollout);
  return declared ? context.catalog.plan(rollout) : record.plan;
}

/** Commits the `started` event and the first record of a new run. Throws ALREADY_RUNNING, BASELINE_MISMATCH or OVER_BUDGET. */
export async function startRun(
  context: OperatorContext,
  plan: Plan,
  epoch: number,
  actor: Actor,
  message: string | null,
): Promise<{ record: RolloutRecord; events: readonly RolloutEvent[] }> {
  const records = await context.backend.store.list();
  const ofService = records.filter((record) => record.service === plan.service);
  const running = ofService.find((record) => isActive(record.state));
  if (running) {
    throw new SluiceError('ALREADY_RUNNING', {
      detail: `${running.rollout} is ${running.state.phase} on ${plan.service}`,
      hint: `Wait for it, or end it with \`rollout abort ${running.rollout}\`.`,
    });
  }
  await assertBaselineServes(context, plan);
  const previous = records.find((record) => record.rollout === plan.rollout);
  const nowMs = context.clock.nowMs();
  const measured = await measuredBefore(context, plan);
  const { state, transition } = begin(plan, actor, message, nowMs, measured);
  assertAffordable(plan, state);
  const base: RolloutRecord = {
    rollout: plan.rollout,
    service: plan.service,
    run: (previous?.run ?? 0) + 1,
    ordinal: 1 + Math.max(0, ...ofService.map((record) => record.ordinal)),
    plan,
    state,
    memory: emptyMemory(plan),
    message,
    startedAtMs: nowMs,
    version: previous?.version ?? 0,
    lastSequence: previous?.lastSequence ?? 0,
    lastHash: previous?.lastHash ?? '',
  };
  return commitRecord(context, epoch, base, [transition], nowMs);
}

/** What a start would show: with `steps: auto`, the ramp at the traffic there is. */
export async function viewBeforeStart(context: OperatorContext, plan: Plan): Promise<RolloutView> {
  const traffic = (await measuredBefore(context, plan)) ?? plan.traffic;
  return projectDeclared({ ...plan, ...(traffic && { traffic }) }, context.clock.nowMs());
}

async function measuredBefore(context: OperatorContext, plan: Plan): Promise<MeasuredTraffic | null> {
  if (!plan.auto) return null;
  const { service, baseline } = plan;
  return measureTraffic(context.backend.telemetry, service, baseline, context.clock.nowMs());
}

/** Of `steps: auto`: a first weight that is too dear is refused; one that is only slow may begin and wait. */
function assertAffordable(plan: Plan, { ramp }: RolloutState): void {
  if (!plan.auto || ramp?.latest?.ramp.obstacle?.kind !== 'budget') return;
  throw new SluiceError('OVER_BUDGET', {
    detail: ramp.obstacle ?? '',
    hint: 'Begin with less (auto.from), or allow more (auto.budget).',
  });
}

/** A rollout takes traffic from its baseline: the baseline must have all of it. */
async function assertBaselineServes(context: OperatorContext, plan: Plan): Promise<void> {
  const stored = await context.backend.channel.read(plan.service);
  const weights = stored?.weights ?? {
    [(await context.catalog.defaultVersion(plan.service)) ?? plan.baseline]: FULL_BP,
  };
  if (weights[plan.baseline] === FULL_BP) return;
  const served = Object.entries(weights)
    .filter(([, weightBp]) => weightBp > 0)
    .map(([version, weightBp]) => `${version} ${formatBp(weightBp)}`);
  throw new SluiceError('BASELINE_MISMATCH', {
    detail: `${plan.service} serves ${served.join(', ')}; the plan starts from ${plan.baseline}`,
    hint: `Correct "baseline" in the plan, or take the service back to ${plan.baseline} first (\`rollout undo\`).`,
  });
}
