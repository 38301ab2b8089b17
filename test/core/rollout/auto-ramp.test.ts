import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rampFrom } from '../../../src/core/analysis/ramp.ts';
import type { AutoBounds } from '../../../src/core/domain/plan.ts';
import type { Transition } from '../../../src/core/domain/rollout-event.ts';
import { FULL_BP } from '../../../src/core/domain/weight.ts';
import { decide } from '../../../src/core/rollout/decide.ts';
import { canaryWeightBp } from '../../../src/core/rollout/state.ts';
import { autoPlan, runAuto, seeded, type Traffic } from './auto-run.ts';
import { ANA, Drive } from './drive.ts';
import { check, observed } from './plans.ts';

const PROOF = { worse: 1, share: 1, needed: 100, fine: 1, fineNeeded: 100, environment: false };

const steady = (requestsPerSecond: number, baseline: number, times: number): Traffic => ({
  requestsPerSecond: () => requestsPerSecond,
  baseline,
  canary: Math.min(1, times * baseline),
});

const weights = (log: readonly Transition[]): readonly number[] => [
  ...new Set(log.map(({ weightAfterBp }) => weightAfterBp)),
];

/** Every step that the run took, against every bound. */
function expectBounds(log: readonly Transition[], bounds: AutoBounds): void {
  const [first, ...later] = weights(log);
  expect(first).toBe(bounds.fromBp);
  let before = bounds.fromBp;
  for (const weightBp of later.filter((each) => each > 0)) {
    expect(weightBp).toBeGreaterThan(before);
    expect(weightBp).toBeLessThanOrEqual(bounds.maxFactor * before);
    before = weightBp;
  }
}

describe('a run of steps: auto', { timeout: 300_000 }, () => {
  const measured = { requestsPerSecond: 200, errorRate: 0.005, overMs: 300_000 };

  it('takes a healthy canary to 100 % within its bounds', () => {
    const of = autoPlan();
    for (let seed = 1; seed <= 5; seed += 1) {
      const run = runAuto(of, steady(200, 0.005, 1), seeded(seed), { measured });
      expect(run.state.phase).toBe('promoted');
      expect(weights(run.log).at(-1)).toBe(FULL_BP);
      expectBounds(run.log, of.auto as AutoBounds);
      expect(run.seconds).toBeLessThan(1_800);
    }
  });

  it.each([
    [2.5, 200, 0.005],
    [3, 200, 0.005],
    [10, 200, 0.005],
    [200, 200, 0.005],
    [3, 20, 0.01],
    [3, 1_000, 0.005],
  ])(
    'costs no more than the budget, on average, when the canary fails %dx as often, of %d requests/s',
    (times, rps, errors) => {
      const of = autoPlan();
      const before = { requestsPerSecond: rps, errorRate: errors, overMs: 300_000 };
      const random = seeded(times * 1_000 + rps);
      const runs = Array.from({ length: 24 }, () =>
        runAuto(of, steady(rps, errors, times), random, { measured: before }),
      );
      expect(runs.map(({ state }) => state.phase)).toEqual(runs.map(() => 'aborted'));
      const mean = runs.reduce((sum, { failed }) => sum + failed, 0) / runs.length;
      expect(mean).toBeLessThanOrEqual(50);
    },
  );

  it('follows the traffic: it waits while there is little of it and goes on when it comes back', () => {
    const of = autoPlan({ budget: 40 });
    const dip = (second: number): number => (second > 90 && second < 1_500 ? 1 : 300);
    const run = (requestsPerSecond: (second: number) => number) =>
      runAuto(of, { requestsPerSecond, baseline: 0.005, canary: 0.005 }, seeded(3), { measured });
    const [quiet, busy] = [run(dip), run(() => 300)];
    expect([quiet.state.phase, busy.state.phase]).toEqual(['promoted', 'promoted']);
    expect(quiet.seconds).toBeGreaterThan(1_500);
    expect(busy.seconds).toBeLessThan(1_500);
  });

  it('stays at its first weight, and says why, while there is too little traffic to tell', () => {
    const run = runAuto(autoPlan(), steady(0.1, 0.005, 1), seeded(5), { maxSeconds: 3_000 });
    expect(run.state).toMatchObject({ phase: 'holding', step: 0 });
    expect(run.state.ramp?.obstacle).toMatch(/too few requests lately/);
  });

  it('pauses once when it takes longer than its bounds allow, and goes on after a resume', () => {
    const of = autoPlan({ maxDurationMs: 600_000 });
    const run = runAuto(of, steady(2, 0.005, 1), seeded(6), { maxSeconds: 3_000 });
    expect([run.state.phase, run.seconds]).toEqual(['paused', 601]);
    expect(run.log.at(-1)).toMatchObject({ type: 'paused', code: 'OVERTIME' });
    expect(run.log.at(-1)?.reason).toMatch(/after 10m1s, longer than its bounds allow/);
    const resumed = decide(of, run.state, { kind: 'resume', actor: ANA }, 700_000);
    expect(resumed.ok && resumed.state).toMatchObject({ phase: 'holding', ramp: { overtime: true } });
  });

  it('counts against its duration only what it had: no pauses, closed schedules or gaps between looks', () => {
    const of = autoPlan({ maxDurationMs: 600_000 });
    const drive = new Drive(of);
    drive.tick(100);
    drive.input({ kind: 'pause', actor: ANA, reason: 'the night' });
    drive.tick(1_000);
    drive.nowMs += 36_000_000;
    drive.input({ kind: 'resume', actor: ANA });
    drive.tick(100);
    drive.tick(1_000, { mayAdvance: false });
    // The clock was set, forth and back.
    drive.nowMs += 3_600_000;
    drive.tick(1);
    drive.nowMs -= 7_200_000;
    drive.tick(1);
    const quiet = { noEvidence: { cause: 'no-traffic', detail: 'nobody came' } } as const;
    drive.tick(400, quiet);
    expect(drive.state).toMatchObject({ phase: 'holding', step: 0, ramp: { takenMs: 600_000 } });
    drive.tick(1, quiet);
    expect(drive.log.at(-1)).toMatchObject({ type: 'paused', code: 'OVERTIME' });
    expect(drive.log.at(-1)?.reason).toMatch(/after 10m1s, longer than its bounds allow/);
  });

  it('goes on with a state that does not say what it took: by its time with evidence', () => {
    const of = autoPlan({ maxDurationMs: 600_000 });
    const drive = new Drive(of);
    drive.tick(100);
    drive.nowMs += 36_000_000;
    const { ramp, ...state } = drive.state;
    if (!ramp) expect.fail('a run without its ramp');
    const { takenMs: _, ...old } = ramp;
    drive.state = { ...state, ramp: old };
    drive.tick(1);
    expect(drive.state).toMatchObject({ phase: 'holding', ramp: { takenMs: 100_000 } });
  });

  it('goes, when a person says so, to the next weight that the bounds allow, and to none beyond', () => {
    const drive = new Drive(autoPlan());
    const seen: number[] = [drive.weightBp];
    while (drive.weightBp < FULL_BP) {
      drive.nowMs += 1_000;
      drive.input({ kind: 'promote', actor: ANA, reason: 'go', full: false });
      seen.push(drive.weightBp);
    }
    seen.slice(1).forEach((weightBp, index) => {
      expect(weightBp / (seen[index] as number)).toBeGreaterThan(1);
      expect(weightBp / (seen[index] as number)).toBeLessThanOrEqual(3);
    });
    drive.input({ kind: 'promote', actor: ANA, reason: 'go', full: false });
    expect(drive.state.phase).toBe('promoted');
  });

  it("waits for each step's proof where the file wants that", () => {
    const times = (['elapsed', 'proven-only'] as const).map(
      (advance) => runAuto(autoPlan({}, { advance }), steady(200, 0.005, 1), seeded(8), { measured }).seconds,
    );
    expect(times[1]).toBeGreaterThan(times[0] as number);
  });

  it('records with every step what it was decided from: the same inputs give the same ramp', () => {
    const of = autoPlan();
    const { log } = runAuto(of, steady(200, 0.005, 1), seeded(9), { measured });
    const steps = log.filter(({ type }) => type === 'started' || type === 'advanced');
    expect(steps.length).toBeGreaterThan(4);
    for (const { type, weightAfterBp, ramp } of JSON.parse(JSON.stringify(steps)) as Transition[]) {
      if (!ramp) expect.fail('a step without its ramp');
      const again = rampFrom(of, of.auto as AutoBounds, ramp.inputs);
      expect(again).toEqual(ramp.ramp);
      expect(again.steps[type === 'started' ? 0 : 1]?.weightBp).toBe(weightAfterBp);
    }
  });

  it('property: whatever is seen, a step is never back, beyond the factor, or before the shortest hold', () => {
    const bounds = { fromBp: 100, maxFactor: 4, minHoldMs: 5_000 };
    const of = autoPlan(bounds);
    const look = fc.record({
      seconds: fc.constantFrom(0, 1, 2),
      canary: fc.nat(500),
      baseline: fc.nat(5_000),
      bad: fc.nat(40),
    });
    const proven = check('pass');
    const checks = [{ ...proven, proof: { ...PROOF, fine: 1e6 } }];
    fc.assert(
      fc.property(fc.array(look, { maxLength: 120 }), (looks) => {
        const drive = new Drive(of);
        let [weightBp, sinceMs] = [drive.weightBp, 0];
        for (const tally of looks) {
          drive.nowMs += 1_000;
          const observation = observed({ checks, tally, canaryRequests: tally.canary });
          const [moved] = drive.input({ kind: 'tick', observation });
          if (moved?.type !== 'advanced') continue;
          expect(moved.weightAfterBp).toBeGreaterThan(weightBp);
          expect(moved.weightAfterBp).toBeLessThanOrEqual(4 * weightBp);
          expect(drive.nowMs - sinceMs).toBeGreaterThanOrEqual(5_000);
          [weightBp, sinceMs] = [moved.weightAfterBp, drive.nowMs];
        }
      }),
    );
  });

  it('keeps its steps when it ends: what was held for how long stays on record', () => {
    const of = autoPlan();
    const { state } = runAuto(of, steady(200, 0.005, 1), seeded(10), { measured });
    expect(canaryWeightBp(of, state)).toBe(FULL_BP);
    expect(state.ramp?.steps.length).toBe(state.step + 1);
    expect(state.ramp?.exposures.length).toBe(state.step + 1);
  });
});
