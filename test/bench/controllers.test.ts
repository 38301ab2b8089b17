import { describe, expect, it } from 'vitest';
import { type ArgoModule, type FlaggerModule, loadJudge, type RandomModule } from './judges.ts';

const { AnalysisRun, first, phaseOf } = await loadJudge<ArgoModule>('argo');
const { CheckLoop, inRange, nextStep } = await loadJudge<FlaggerModule>('flagger');
const { Random } = await loadJudge<RandomModule>('random');

const over2 = (result: readonly number[]): boolean => first(result) > 2;
const under1 = (result: readonly number[]): boolean => first(result) < 1;

describe('a measurement of Argo Rollouts', () => {
  it.each<[string, readonly number[], object, string]>([
    ['fails by its failure condition', [3], { failureCondition: over2 }, 'Failed'],
    ['succeeds if it does not fail', [1], { failureCondition: over2 }, 'Successful'],
    ['fails if it does not succeed', [2], { successCondition: under1 }, 'Failed'],
    ['fails where both hold', [3], { failureCondition: over2, successCondition: () => true }, 'Failed'],
    [
      'is inconclusive between both',
      [1.5],
      { failureCondition: over2, successCondition: under1 },
      'Inconclusive',
    ],
    ['succeeds with NaN under a failure condition', [Number.NaN], { failureCondition: over2 }, 'Successful'],
    ['fails with NaN under a success condition', [Number.NaN], { successCondition: under1 }, 'Failed'],
    ['fails with infinity', [Number.POSITIVE_INFINITY], { failureCondition: over2 }, 'Failed'],
    ['is an error with an empty vector', [], { failureCondition: over2 }, 'Error'],
    ['succeeds without conditions', [9], {}, 'Successful'],
  ])('%s', (_title, result, config, phase) => {
    expect(phaseOf(result, { successCondition: null, failureCondition: null, ...config })).toBe(phase);
  });
});

describe('an analysis of Argo Rollouts', () => {
  const measured = (config: object, results: readonly (readonly number[] | null)[]): string => {
    const run = new AnalysisRun(0, { failureCondition: over2, ...config });
    for (const result of results) run.measure(run.nextAtS, result);
    return run.phase;
  };

  it('fails when failures are more than its limit, in a row or not', () => {
    expect(measured({ failureLimit: 0 }, [[3]])).toBe('Failed');
    expect(measured({ failureLimit: 3 }, [[3], [0], [3], [0], [0], [3]])).toBe('Running');
    expect(measured({ failureLimit: 3 }, [[3], [0], [3], [0], [0], [3], [3]])).toBe('Failed');
  });

  it('aborts after five errors in a row, ten seconds apart: what an unguarded empty vector does', () => {
    const run = new AnalysisRun(0, { failureCondition: over2 });
    const times: number[] = [];
    while (run.phase === 'Running') {
      times.push(run.nextAtS);
      run.measure(run.nextAtS, []);
    }
    expect(times).toEqual([0, 10, 20, 30, 40]);
    expect(run.aborts).toBe(true);
  });

  it('counts errors in a row only, and measures again after its interval', () => {
    expect(measured({}, [[], [], [], [], [0], [], [], [], []])).toBe('Running');
    const run = new AnalysisRun(100, { failureCondition: over2, initialDelayS: 300 });
    expect(run.nextAtS).toBe(400);
    run.measure(400, [0]);
    expect(run.nextAtS).toBe(460);
  });

  it('ends with its count', () => {
    expect(measured({ count: 2 }, [[0], [0]])).toBe('Successful');
    expect(measured({ intervalS: null }, [[0]])).toBe('Successful');
  });

  it.each<[number, number, number, readonly [number, number]]>([
    [60, 0.001, 0, [0.45, 0.59]],
    [60, 0.01, 3, [0.75, 0.89]],
    [300, 0.01, 0, [0.75, 0.89]],
    [300, 0.01, 3, [0.36, 0.52]],
    [1500, 0.01, 0, [0, 0.07]],
  ])(
    'aborts identical versions about as often as measured before: %d requests in five minutes at %d',
    (requests, rate, failureLimit, [low, high]) => {
      const random = new Random(7);
      const runs = 400;
      const baseline = (requests / 5) * (requests === 60 ? 99 : 19);
      let aborted = 0;
      for (let i = 0; i < runs; i += 1) {
        const run = new AnalysisRun(0, { failureLimit, failureCondition: over2 });
        const minutes: (readonly [number, number])[] = [];
        for (let minute = 1; minute <= 60 && run.phase === 'Running'; minute += 1) {
          minutes.push([random.poisson((requests / 5) * rate), random.poisson(baseline * rate)]);
          const recent = minutes.slice(-5);
          const canary = recent.reduce((all, [bad]) => all + bad, 0) / (requests / 5);
          const base = recent.reduce((all, [, bad]) => all + bad, 0) / baseline;
          if (recent.length === 5) run.measure(minute * 60, [canary / base]);
        }
        if (run.aborts) aborted += 1;
      }
      expect(aborted / runs).toBeGreaterThanOrEqual(low);
      expect(aborted / runs).toBeLessThanOrEqual(high);
    },
  );
});

describe("Flagger's loop", () => {
  const run = (threshold: number, outcomes: readonly boolean[]): string[] => {
    const loop = new CheckLoop(0, { threshold });
    return outcomes.map((passes) => loop.tick(loop.nextAtS, [() => passes]));
  };

  it('rolls back at the tick after the failed check that reaches the threshold', () => {
    expect(run(2, [false, false, true])).toEqual(['hold', 'hold', 'rollback']);
    expect(run(0, [false, true])).toEqual(['hold', 'rollback']);
  });

  it('never forgets a failed check', () => {
    expect(run(2, [false, true, true, false, true])).toEqual([
      'hold',
      'advance',
      'advance',
      'hold',
      'rollback',
    ]);
  });

  it('asks no further metric after the first that fails', () => {
    const loop = new CheckLoop(0, {});
    let asked = false;
    loop.tick(60, [
      () => false,
      () => {
        asked = true;
        return true;
      },
    ]);
    expect(asked).toBe(false);
  });

  it('is no faster than ten seconds', () => {
    expect(new CheckLoop(0, { intervalS: 1 }).nextAtS).toBe(10);
  });

  it('fails a metric without an answer or outside of its range', () => {
    expect([null, Number.NaN, 98.9, 99, 100].map((value) => inRange(value, { min: 99 }))).toEqual([
      false,
      false,
      false,
      true,
      true,
    ]);
    expect(inRange(Number.POSITIVE_INFINITY, { max: 2 })).toBe(false);
  });

  it('goes to 100 % from a weight that its list does not know', () => {
    const stepWeights = [1, 5, 10, 50];
    expect([0, 1, 5, 10].map((weight) => weight + nextStep(weight, { stepWeights }))).toEqual(stepWeights);
    expect(nextStep(7, { stepWeights })).toBe(93);
    expect(nextStep(7, { stepWeight: 5 })).toBe(5);
  });
});
