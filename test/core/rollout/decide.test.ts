import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Plan } from '../../../src/core/domain/plan.ts';
import type { Actor, Transition } from '../../../src/core/domain/rollout-event.ts';
import { decide } from '../../../src/core/rollout/decide.ts';
import type { Observation, RolloutInput } from '../../../src/core/rollout/decision.ts';
import { desiredSplit } from '../../../src/core/rollout/desired-split.ts';
import { canaryWeightBp, isActive, type RolloutState } from '../../../src/core/rollout/state.ts';
import { begin } from '../../../src/core/rollout/transitions.ts';
import { check, observed, plan } from './plans.ts';

const ANA: Actor = { kind: 'user', name: 'ana' };

/** Drives a rollout second by second; every method returns the transitions of its last input. */
class Drive {
  readonly plan: Plan;
  state: RolloutState;
  nowMs = 0;
  readonly log: Transition[] = [];

  constructor(changes: Partial<Plan> = {}) {
    this.plan = plan(changes);
    const { state, transition } = begin(this.plan, ANA, null, this.nowMs);
    this.state = state;
    this.log.push(transition);
  }

  input(input: RolloutInput): readonly Transition[] {
    const decision = decide(this.plan, this.state, input, this.nowMs);
    if (!decision.ok) throw new Error(`refused: ${decision.detail}`);
    this.state = decision.state;
    this.log.push(...decision.transitions);
    return decision.transitions;
  }

  tick(seconds: number, changes: Partial<Observation> = {}): void {
    for (let i = 0; i < seconds; i += 1) {
      this.nowMs += 1000;
      this.input({ kind: 'tick', observation: observed(changes) });
    }
  }

  get weightBp(): number {
    return canaryWeightBp(this.plan, this.state);
  }
}

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
      { weightBp: 100, holdMs: 1000, requests: 95, gate: null },
      { weightBp: 10_000, holdMs: 0, requests: 0, gate: null },
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
    const drive = new Drive({ steps: [{ weightBp: 10_000, holdMs: 0, requests: 0, gate: null }] });
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

describe('decide at a gate', () => {
  const gated = (gate: Plan['steps'][number]['gate']) => [
    { weightBp: 1000, holdMs: 2000, requests: 0, gate },
    { weightBp: 10_000, holdMs: 0, requests: 0, gate: null },
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

describe('decide on commands', () => {
  it('keeps the weight and the progress of a step through pause and resume', () => {
    const drive = new Drive();
    drive.tick(5);
    drive.input({ kind: 'pause', actor: ANA, reason: 'lunch' });
    expect(drive.weightBp).toBe(100);
    drive.tick(500);
    expect(drive.state.phase).toBe('paused');
    drive.input({ kind: 'resume', actor: ANA });
    drive.tick(4);
    expect(drive.weightBp).toBe(100);
    drive.tick(1);
    expect(drive.weightBp).toBe(500);
  });

  it('promotes one step, or in full', () => {
    const drive = new Drive();
    drive.input({ kind: 'promote', actor: ANA, reason: 'sure', full: false });
    expect(drive.weightBp).toBe(500);
    drive.input({ kind: 'promote', actor: ANA, reason: 'very sure', full: true });
    expect(drive.state.phase).toBe('promoted');
    expect(drive.weightBp).toBe(10_000);
  });

  it('undoes a promoted rollout back to the baseline', () => {
    const drive = new Drive();
    drive.tick(40);
    const [transition] = drive.input({ kind: 'undo', actor: ANA, reason: 'second thoughts' });
    expect(transition).toMatchObject({ type: 'undone', weightBeforeBp: 10_000, weightAfterBp: 0 });
    expect(drive.weightBp).toBe(0);
  });

  it.each([
    ['resume', { kind: 'resume', actor: ANA }],
    ['undo', { kind: 'undo', actor: ANA, reason: '' }],
  ] as const)('refuses %s while holding, and changes nothing', (_verb, input) => {
    const drive = new Drive();
    expect(decide(drive.plan, drive.state, input, 1)).toMatchObject({ ok: false, code: 'WRONG_PHASE' });
  });

  it.each(['pause', 'resume', 'promote', 'abort'] as const)('refuses %s after the end', (kind) => {
    const drive = new Drive();
    drive.tick(40);
    const input = { kind, actor: ANA, reason: 'x', full: false } as RolloutInput;
    expect(decide(drive.plan, drive.state, input, 1)).toMatchObject({ ok: false, code: 'WRONG_PHASE' });
  });
});

const arbitraryObservation: fc.Arbitrary<Observation> = fc.record({
  checks: fc.array(
    fc.oneof(
      { weight: 20, arbitrary: fc.constant(check('pass')) },
      { weight: 4, arbitrary: fc.constant(check('undecided', 5)) },
      { weight: 2, arbitrary: fc.constant(check('no-evidence')) },
      { weight: 1, arbitrary: fc.constant(check('fail', 5)) },
    ),
    { maxLength: 3 },
  ),
  noEvidence: fc.option(fc.constant({ cause: 'no-traffic' as const, detail: 'quiet' }), { freq: 6 }),
  applied: fc.boolean(),
  canaryRequests: fc.nat(50),
  gate: fc.option(
    fc.record({ answer: fc.constantFrom('go' as const, 'stop' as const), detail: fc.constant('') }),
    { freq: 9 },
  ),
  mayAdvance: fc.boolean(),
});

const arbitraryInput: fc.Arbitrary<RolloutInput> = fc.oneof(
  {
    weight: 12,
    arbitrary: arbitraryObservation.map((observation) => ({ kind: 'tick' as const, observation })),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'pause' as const, actor: ANA, reason: 'p' }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'resume' as const, actor: ANA }) },
  {
    weight: 1,
    arbitrary: fc.boolean().map((full) => ({ kind: 'promote' as const, actor: ANA, reason: 'go', full })),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'undo' as const, actor: ANA, reason: 'u' }) },
);

describe('decide, whatever happens', () => {
  const run = (
    inputs: readonly { input: RolloutInput; afterMs: number }[],
    check: (
      before: RolloutState,
      after: RolloutState,
      input: RolloutInput,
      transitions: readonly Transition[],
    ) => void,
  ) => {
    const fixed = plan({ onNoEvidence: { afterMs: 5000, action: 'pause' } });
    let { state }: { state: RolloutState } = begin(fixed, ANA, null, 0);
    let nowMs = 0;
    for (const { input, afterMs } of inputs) {
      nowMs += afterMs;
      const decision = decide(fixed, state, input, nowMs);
      if (!decision.ok) continue;
      check(state, decision.state, input, decision.transitions);
      state = decision.state;
    }
  };
  const inputs = fc.array(fc.record({ input: arbitraryInput, afterMs: fc.nat(7000) }), { maxLength: 60 });

  it('property: the weight never rises on a tick with a failed or broken rule, missing evidence or an unapplied weight', () => {
    fc.assert(
      fc.property(inputs, (list) =>
        run(list, (before, after, input) => {
          if (input.kind !== 'tick') return;
          const { observation } = input;
          const bad = observation.checks.some(
            (check) => check.verdict === 'fail' || check.breachedSinceMs !== null,
          );
          if (bad || (!observation.applied && before.phase === 'holding')) {
            expect(canaryWeightBp(plan(), after)).toBeLessThanOrEqual(canaryWeightBp(plan(), before));
          }
        }),
      ),
    );
  });

  it('property: a failed check ends every active rollout at weight 0', () => {
    fc.assert(
      fc.property(inputs, (list) =>
        run(list, (before, after, input) => {
          if (input.kind !== 'tick' || !isActive(before)) return;
          if (input.observation.checks.some((check) => check.verdict === 'fail'))
            expect(after.phase).toBe('aborted');
        }),
      ),
    );
  });

  it('property: steps are taken one at a time and never back', () => {
    fc.assert(
      fc.property(inputs, (list) =>
        run(list, (before, after) => {
          expect(after.step - before.step === 0 || after.step - before.step === 1).toBe(true);
        }),
      ),
    );
  });

  it('property: every change of phase, step or weight is on record, and nothing else is', () => {
    fc.assert(
      fc.property(inputs, (list) =>
        run(list, (before, after, _input, transitions) => {
          const moved = before.phase !== after.phase || before.step !== after.step;
          expect(transitions.length).toBe(moved ? 1 : 0);
          const last = transitions.at(-1);
          if (last) {
            expect(last.weightBeforeBp).toBe(canaryWeightBp(plan(), before));
            expect(last.weightAfterBp).toBe(canaryWeightBp(plan(), after));
          }
        }),
      ),
    );
  });

  it('property: only undo leaves an end', () => {
    fc.assert(
      fc.property(inputs, (list) =>
        run(list, (before, after, input) => {
          if (!isActive(before) && input.kind !== 'undo') expect(after).toEqual(before);
        }),
      ),
    );
  });
});

describe('desiredSplit', () => {
  it('lends the canary its weight while under test and ends with one plain version', () => {
    const fixed = plan();
    const { state } = begin(fixed, ANA, null, 0);
    const record = {
      rollout: 'orders-v2',
      service: 'orders',
      run: 3,
      ordinal: 3,
      plan: fixed,
      memory: { breachedSinceMs: [null], checkedAtMs: null },
      message: null,
      startedAtMs: 0,
      version: 1,
      lastSequence: 1,
      lastHash: '',
    };
    expect(desiredSplit({ ...record, state })).toMatchObject({
      rollout: 'orders-v2#3',
      weights: { v1: 9900, v2: 100 },
      lease: { ttlMs: 30_000, onExpiry: 'baseline' },
    });
    const ended = { step: 3, sinceMs: 0, reason: '' };
    expect(desiredSplit({ ...record, state: { phase: 'promoted', ...ended } })).toMatchObject({
      baseline: 'v2',
      canary: null,
      weights: { v2: 10_000 },
      lease: null,
    });
    expect(desiredSplit({ ...record, state: { phase: 'aborted', ...ended } })).toMatchObject({
      baseline: 'v1',
      canary: null,
      weights: { v1: 10_000 },
      lease: null,
    });
  });
});
