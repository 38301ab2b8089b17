import { describe, expect, it } from 'vitest';
import type { Plan } from '../../../src/core/domain/plan.ts';
import { ANA, Drive } from './drive.ts';
import { check } from './plans.ts';

describe('decide', () => {
  it('walks a healthy canary through every step and promotes it', () => {
    const drive = new Drive();
    drive.tick(40);
    expect(drive.log.map(({ type, weightAfterBp }) => [type, weightAfterBp])).toEqual([
      ['started', 100],
      ['advanced', 500],
      ['advanced', 1000],
      ['advanced', 10_000],
      ['promoted', 10_000],
    ]);
    expect(drive.state.phase).toBe('promoted');
  });

  it('holds each step for exactly its hold with evidence', () => {
    const drive = new Drive();
    drive.tick(9);
    expect(drive.weightBp).toBe(100);
    drive.tick(1);
    expect(drive.weightBp).toBe(500);
  });

  it('aborts on the first failed check and keeps the evidence', () => {
    const drive = new Drive();
    drive.tick(12);
    drive.tick(1, { checks: [check('pass'), check('fail', 1000)] });
    expect(drive.state.phase).toBe('aborted');
    expect(drive.weightBp).toBe(0);
    const last = drive.log.at(-1);
    expect(last).toMatchObject({ type: 'aborted', code: 'RULE', weightBeforeBp: 500, weightAfterBp: 0 });
    expect(last?.evidence).toEqual([check('fail', 1000)]);
    expect(last?.reason).toContain('5xx > 2x');
  });

  it('still aborts a paused rollout whose rule fails', () => {
    const drive = new Drive();
    drive.input({ kind: 'pause', actor: ANA, reason: 'lunch' });
    drive.tick(1, { checks: [check('fail', 0)] });
    expect(drive.state.phase).toBe('aborted');
  });

  it('does not count time while the weight is not applied by every gateway', () => {
    const drive = new Drive();
    drive.tick(60, { applied: false });
    expect(drive.weightBp).toBe(100);
    drive.tick(10);
    expect(drive.weightBp).toBe(500);
  });

  it('does not count time or requests without evidence', () => {
    const drive = new Drive();
    drive.tick(100, { noEvidence: { cause: 'no-traffic', detail: 'quiet' } });
    expect(drive.state).toMatchObject({
      phase: 'holding',
      step: 0,
      progress: { evidenceMs: 0, requests: 0 },
      noEvidenceSinceMs: 1000,
    });
  });

  it('does not count a gap between two ticks: nobody was watching', () => {
    const drive = new Drive();
    drive.tick(2);
    drive.nowMs += 3_600_000;
    drive.tick(1);
    expect(drive.state).toMatchObject({ step: 0, progress: { evidenceMs: 2000 } });
  });

  it.each([
    ['pause', 'paused'],
    ['abort', 'aborted'],
    ['hold', 'holding'],
  ] as const)('follows onNoEvidence: %s once evidence has been missing for long enough', (action, phase) => {
    const drive = new Drive({ onNoEvidence: { afterMs: 30_000, action } });
    drive.tick(30, { noEvidence: { cause: 'source-down', detail: 'Prometheus is down' } });
    expect(drive.state.phase).toBe('holding');
    drive.tick(2, { noEvidence: { cause: 'source-down', detail: 'Prometheus is down' } });
    expect(drive.state.phase).toBe(phase);
  });

  it('starts the clock of missing evidence anew when evidence returns', () => {
    const drive = new Drive({ onNoEvidence: { afterMs: 30_000, action: 'abort' } });
    for (let i = 0; i < 5; i += 1) {
      drive.tick(25, { noEvidence: { cause: 'no-traffic', detail: 'quiet' } });
      drive.tick(1);
    }
    expect(drive.state.phase).toBe('holding');
  });

  it('waits for the requests that a step asks for, beyond its hold', () => {
    const steps = [
      { weightBp: 100, holdMs: 1000, minHoldMs: 0, requests: 95, gate: null },
      { weightBp: 10_000, holdMs: 0, minHoldMs: 0, requests: 0, gate: null },
    ];
    const drive = new Drive({ steps });
    drive.tick(9);
    expect(drive.weightBp).toBe(100);
    drive.tick(1);
    expect(drive.weightBp).toBe(10_000);
  });

  it('does not advance while a limit is broken, though not yet for long enough to abort', () => {
    const drive = new Drive();
    drive.tick(30, { checks: [check('undecided', 1000)] });
    expect(drive.weightBp).toBe(100);
  });

  it('does not advance outside the schedule, and does as soon as it opens', () => {
    const drive = new Drive();
    drive.tick(30, { mayAdvance: false });
    expect(drive.weightBp).toBe(100);
    drive.tick(1);
    expect(drive.weightBp).toBe(500);
  });

  it('does not advance when the schedule opens while evidence is missing', () => {
    const drive = new Drive();
    drive.tick(30, { mayAdvance: false });
    drive.tick(5, { noEvidence: { cause: 'stale', detail: 'silent' } });
    expect(drive.weightBp).toBe(100);
  });

  it('does not promote at 100 % before evidence of it has been seen', () => {
    const drive = new Drive({
      steps: [{ weightBp: 10_000, holdMs: 0, minHoldMs: 0, requests: 0, gate: null }],
    });
    drive.tick(10, { noEvidence: { cause: 'no-traffic', detail: 'quiet' } });
    expect(drive.state.phase).toBe('holding');
    drive.tick(1);
    expect(drive.state.phase).toBe('promoted');
  });

  it('aborts outside the schedule all the same', () => {
    const drive = new Drive();
    drive.tick(1, { mayAdvance: false, checks: [check('fail', 0)] });
    expect(drive.state.phase).toBe('aborted');
  });
});

describe('decide by proof', () => {
  const reasons = (drive: Drive) => drive.log.map(({ type, reason }) => `${type}: ${reason}`);

  it('shortens a hold to its minimum, and says that the step is proven', () => {
    const drive = new Drive({ advance: 'proven' });
    drive.tick(1, { proven: true });
    expect(drive.weightBp).toBe(100);
    drive.tick(1, { proven: true });
    expect(drive.weightBp).toBe(500);
    expect(reasons(drive).at(-1)).toMatch(/^advanced: step 1 \(1%\) is proven: 2s with evidence/);
  });

  it('goes on at the end of the hold without one, and says that as well', () => {
    const drive = new Drive({ advance: 'proven' });
    drive.tick(9);
    expect(drive.weightBp).toBe(100);
    drive.tick(1);
    expect(reasons(drive).at(-1)).toMatch(/^advanced: step 1 \(1%\) is complete, unproven: 10s/);
  });

  it('waits for one as long as it takes where that was asked for, but not at 100 %', () => {
    const drive = new Drive({ advance: 'proven-only' });
    drive.tick(500);
    expect(drive.weightBp).toBe(100);
    for (let step = 0; step < 3; step += 1) drive.tick(2, { proven: true });
    expect(drive.weightBp).toBe(10_000);
    drive.tick(1);
    expect(drive.state.phase).toBe('promoted');
  });

  it('still wants the requests that the step asks for, and no limit broken', () => {
    const step = { weightBp: 100, holdMs: 10_000, minHoldMs: 0, requests: 25, gate: null };
    const drive = new Drive({ advance: 'proven', steps: [step, { ...step, weightBp: 10_000 }] });
    drive.tick(2, { proven: true });
    expect(drive.weightBp).toBe(100);
    drive.tick(5, { proven: true, checks: [check('undecided', 1)] });
    expect(drive.weightBp).toBe(100);
    drive.tick(1, { proven: true });
    expect(drive.weightBp).toBe(10_000);
  });

  it('means nothing to a plan that goes by time', () => {
    const drive = new Drive();
    drive.tick(9, { proven: true });
    expect(drive.weightBp).toBe(100);
  });
});

describe('decide at a gate', () => {
  const gated = (gate: Plan['steps'][number]['gate']) => [
    { weightBp: 1000, holdMs: 2000, minHoldMs: 0, requests: 0, gate },
    { weightBp: 10_000, holdMs: 0, minHoldMs: 0, requests: 0, gate: null },
  ];
  const webhook = { kind: 'webhook', url: 'http://127.0.0.1/', intervalMs: 1000, timeoutMs: 1000 } as const;

  it('waits at a manual gate until somebody promotes', () => {
    const drive = new Drive({ steps: gated({ kind: 'manual' }) });
    drive.tick(100);
    expect(drive.state).toMatchObject({ phase: 'awaiting-gate', step: 0 });
    const [transition] = drive.input({ kind: 'promote', actor: ANA, reason: 'looks good', full: false });
    expect(transition).toMatchObject({
      type: 'gate-passed',
      actor: ANA,
      reason: 'looks good',
      weightAfterBp: 10_000,
    });
  });

  it('goes on when a webhook gate says go, and aborts when it says stop', () => {
    const go = new Drive({ steps: gated(webhook) });
    go.tick(3);
    go.tick(1, { gate: { answer: 'go', detail: '200' } });
    expect(go.weightBp).toBe(10_000);
    const stop = new Drive({ steps: gated(webhook) });
    stop.tick(3);
    stop.tick(1, { gate: { answer: 'stop', detail: '403' } });
    expect(stop.state.phase).toBe('aborted');
  });

  it('does not follow a go while the weight is not applied or evidence is missing', () => {
    const drive = new Drive({ steps: gated(webhook) });
    drive.tick(3);
    const gate = { answer: 'go', detail: '200' } as const;
    drive.tick(5, { gate, applied: false });
    drive.tick(5, { gate, noEvidence: { cause: 'stale', detail: 'silent' } });
    expect(drive.state.phase).toBe('awaiting-gate');
  });

  it('aborts at a gate when a rule fails', () => {
    const drive = new Drive({ steps: gated({ kind: 'manual' }) });
    drive.tick(5);
    drive.tick(1, { checks: [check('fail', 0)] });
    expect(drive.state.phase).toBe('aborted');
  });

  it('comes back to the gate after a pause', () => {
    const drive = new Drive({ steps: gated({ kind: 'manual' }) });
    drive.tick(5);
    drive.input({ kind: 'pause', actor: ANA, reason: 'lunch' });
    drive.input({ kind: 'resume', actor: ANA });
    expect(drive.state.phase).toBe('awaiting-gate');
  });
});
