/**
 * Waiting for a rollout to get somewhere, with the exit code that says where it got. Knows no verb.
 * @module
 */

import { Option } from 'commander';
import { parseDurationMs } from '../core/domain/duration.ts';
import { SluiceError } from '../core/domain/errors.ts';
import type { RolloutView } from '../core/view/rollout-view.ts';
import type { RunOutcome } from '../core/view/run-summary.ts';
import type { ControlClient } from './client.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { followRollout, newestSequence } from './follow-rollout.ts';
import { stampedEvent } from './render/event-line.ts';
import { createStyle } from './render/style.ts';
import { endOf } from './run-phase.ts';
import type { VerbContext } from './verb-context.ts';

/** `done`: the end of the run. `paused`: it needs a person. `step`: the next step. */
export const WAIT_GOALS = ['done', 'paused', 'step'] as const;
export type WaitGoal = (typeof WAIT_GOALS)[number];

export interface WaitRequest {
  /** Where the rollout is now: its run is the one that is waited for. */
  readonly from: RolloutView;
  readonly goal: WaitGoal;
  /** Null waits for ever. */
  readonly timeoutMs: number | null;
}

/** `--wait` alone means `done`. */
export function waitOption(): Option {
  return new Option(
    '--wait [goal]',
    'until it is done, paused or at its next step; the exit code says how it went',
  )
    .choices(WAIT_GOALS)
    .preset('done');
}

/** A pause this long is said once: nothing but a person ends it. */
const REMIND_AFTER_MS = 60_000;
/** Timers of Node overflow beyond 2^31 ms. */
const MAX_TIMEOUT_MS = 24 * 86_400_000;

export function parseTimeout(text: string | undefined): number | null {
  if (text === undefined) return null;
  const ms = parseDurationMs(text);
  if (ms !== undefined && ms <= MAX_TIMEOUT_MS) return ms;
  throw new SluiceError('USAGE', {
    detail: `--timeout must be a duration of at most 24d such as 90s or 45m, got "${text}"`,
  });
}

/** Says transitions on stderr meanwhile. Throws RUN_UNKNOWN when nothing has been started. */
export async function waitFor(
  context: VerbContext,
  client: ControlClient,
  request: WaitRequest,
): Promise<{ readonly code: ExitCode; readonly view: RolloutView }> {
  const { from, goal, timeoutMs } = request;
  if (from.run === 0) {
    throw new SluiceError('RUN_UNKNOWN', { hint: `Start it with \`rollout start ${from.rollout}\`.` });
  }
  const arrived = resultOf(from, from, goal);
  if (arrived !== null) return { code: arrived, view: from };
  const timeUp = new AbortController();
  const timer = timeoutMs === null ? undefined : setTimeout(() => timeUp.abort(), timeoutMs);
  const style = createStyle(context.render());
  let latest = from;
  let pausedAtMs: number | null = null;
  let reminded = false;
  try {
    const signal = AbortSignal.any([context.io.signal, timeUp.signal]);
    const options = { afterSequence: newestSequence(from), signal };
    for await (const sight of followRollout(client, from.rollout, options)) {
      if (sight.kind === 'transition') context.talk(stampedEvent(sight.event, style));
      if (sight.kind === 'lost') context.talk(`reconnecting (${sight.reason})`);
      if (sight.kind !== 'view') continue;
      latest = sight.view;
      pausedAtMs = latest.phase === 'paused' ? (pausedAtMs ?? context.io.now()) : null;
      if (pausedAtMs !== null && !reminded && context.io.now() - pausedAtMs >= REMIND_AFTER_MS) {
        context.talk(`Still paused: \`rollout resume ${from.rollout}\` goes on, abort ends it.`);
        reminded = true;
      }
      const code = latest.run === from.run ? resultOf(latest, from, goal) : await pastResult(client, from);
      if (code !== null) return { code, view: latest };
    }
  } finally {
    clearTimeout(timer);
  }
  context.io.signal.throwIfAborted();
  return { code: EXIT.running, view: latest };
}

/** Null: not there yet. Nothing but a person gets a rollout past a manual gate, so that ends every wait. */
export function resultOf(view: RolloutView, from: RolloutView, goal: WaitGoal): ExitCode | null {
  const end = endOf(view);
  if (end !== null) return end;
  if (goal === 'step' && view.step !== from.step) return EXIT.success;
  if (goal === 'paused' && view.phase === 'paused') return EXIT.success;
  if (view.phase === 'awaiting-gate' && view.steps[view.step]?.gate === 'manual') return EXIT.approval;
  return null;
}

/** Somebody has started another run meanwhile, so the one waited for has ended. */
async function pastResult(client: ControlClient, from: RolloutView): Promise<ExitCode> {
  const runs = await client.runs(from.rollout);
  return exitOfOutcome(runs.find(({ run }) => run === from.run)?.outcome ?? 'aborted');
}

function exitOfOutcome(outcome: RunOutcome): ExitCode {
  switch (outcome) {
    case 'promoted':
      return EXIT.success;
    case 'running':
      return EXIT.running;
    case 'aborted':
    case 'undone':
      return EXIT.aborted;
  }
}
