import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NO_TRAFFIC } from '../../../src/core/analysis/traffic-meter.ts';
import type { Transition } from '../../../src/core/domain/rollout-event.ts';
import { decide } from '../../../src/core/rollout/decide.ts';
import type { Observation, RolloutInput } from '../../../src/core/rollout/decision.ts';
import { canaryWeightBp, isActive, type RolloutState } from '../../../src/core/rollout/state.ts';
import { begin } from '../../../src/core/rollout/transitions.ts';
import { ANA } from './drive.ts';
import { check, plan } from './plans.ts';

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
  tally: fc.constant(NO_TRAFFIC),
  gate: fc.option(
    fc.record({ answer: fc.constantFrom('go' as const, 'stop' as const), detail: fc.constant('') }),
    { freq: 9 },
  ),
  proven: fc.boolean(),
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
