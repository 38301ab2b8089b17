/**
 * Keeps asking the webhook gate that a step waits for, in the background, and holds its answer until the tick
 * takes it. Knows neither what go and stop lead to nor how the question travels.
 * @module
 */

import { canaryWeightBp, isActive, type RolloutRecord, stepsOf } from '../core/rollout/state.ts';
import type { GateAnswer, GateCaller, WebhookGate } from '../ports/gate-caller.ts';
import type { Logger } from '../telemetry/logger.ts';

export interface GateWatch {
  /** Asks when the record waits for a webhook gate and a question is due; returns the answer, if there is one. */
  poke(record: RolloutRecord, nowMs: number): { answer: 'go' | 'stop'; detail: string } | null;
  close(): void;
}

export function createGateWatch(caller: GateCaller, logger: Logger): GateWatch {
  const ended = new AbortController();
  let waitingFor = '';
  let asking = false;
  let askedAtMs = 0;
  let latest: GateAnswer | null = null;

  const ask = async (gate: WebhookGate, record: RolloutRecord, key: string): Promise<void> => {
    asking = true;
    const { rollout, service, run, plan, state } = record;
    const weightBp = canaryWeightBp(plan, state);
    const { mirrorBp } = stepsOf(plan, state)[state.step] ?? {};
    const subject = {
      rollout,
      service,
      run,
      step: state.step + 1,
      weightBp,
      ...(mirrorBp !== undefined && { mirrorBp }),
      baseline: plan.baseline,
      canary: plan.canary,
    };
    const answer = await caller.ask(gate, subject, ended.signal);
    asking = false;
    if (key !== waitingFor) return;
    latest = answer;
    logger.debug(
      { rollout, step: subject.step, answer: answer.answer, detail: answer.detail },
      'gate answered',
    );
  };

  return {
    poke(record, nowMs) {
      const gate = stepsOf(record.plan, record.state)[record.state.step]?.gate;
      if (!isActive(record.state) || record.state.phase !== 'awaiting-gate' || gate?.kind !== 'webhook') {
        // An answer is good for this wait only: after a pause the gate is asked afresh.
        waitingFor = '';
        return null;
      }
      const key = `${record.run}/${record.state.step}`;
      if (key !== waitingFor) {
        waitingFor = key;
        latest = null;
        askedAtMs = 0;
      }
      if (!asking && nowMs - askedAtMs >= gate.intervalMs) {
        askedAtMs = nowMs;
        void ask(gate, record, key);
      }
      return latest && latest.answer !== 'wait' ? { answer: latest.answer, detail: latest.detail } : null;
    },
    close: () => ended.abort(),
  };
}
