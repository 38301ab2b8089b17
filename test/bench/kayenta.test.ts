import { describe, expect, it } from 'vitest';
import { type KayentaModule, loadJudge, type RandomModule } from './judges.ts';

const { classify, mannWhitney, score, normalQuantile } = await loadJudge<KayentaModule>('kayenta');
const { Random } = await loadJudge<RandomModule>('random');

const times = (value: number, count: number): number[] => Array<number>(count).fill(value);
const from = (start: number, count: number): number[] =>
  Array.from({ length: count }, (_, at) => start + at / 10);

describe("Kayenta's Mann-Whitney test", () => {
  it('has the interval and estimate of its own tests', () => {
    expect(mannWhitney([10, 20, 30, 40], [1, 2, 3, 4], 0.95)).toEqual({ low: 6, high: 39, estimate: 22.5 });
    const { low, high, estimate } = mannWhitney([...times(100, 7), ...times(1, 3)], times(1, 10));
    expect(low).toBeCloseTo(6.825e-5, 8);
    expect(high).toBe(99);
    expect(estimate).toBeCloseTo(98.99993, 5);
  });

  it('cuts at the two-sided quantile of the normal distribution', () => {
    expect(normalQuantile(0.99)).toBeCloseTo(2.326348, 6);
    expect(normalQuantile(0.975)).toBeCloseTo(1.959964, 6);
  });
});

describe("Kayenta's class of a metric", () => {
  const rough = { tolerance: 0.1, confidence: 0.95 };
  const random = new Random(1);

  it.each<[string, number[], number[], object, string]>([
    [
      'seven of ten far above, with an allowed increase',
      [...times(100, 7), ...times(1, 3)],
      times(1, 10),
      { effectSize: { allowedIncrease: 1.05 } },
      'Pass',
    ],
    ['eight of ten far above', [...times(100, 8), ...times(1, 2)], times(1, 10), {}, 'High'],
    ['a few errors against none', [0, 1, 2, 1, 0, 0], times(0, 6), {}, 'Pass'],
    ['errors all the time against none', [1, 4, 2, 3, 1], times(0, 5), {}, 'High'],
    ['a constant above a constant', times(10, 5), times(1, 5), rough, 'High'],
    ['a constant above zero', times(10, 5), times(0, 5), rough, 'High'],
    ['the same constant, of other lengths', times(3, 5), times(3, 7), {}, 'Pass'],
    ['one outlier', [1, 1, 1, 1, 10], times(1, 5), rough, 'Pass'],
    [
      'two regimes against two others',
      [...from(10, 7), ...from(17, 8)],
      [1, 100, 4, 101, 5, 102, 6, 103, 7, 104, 8, 105, 9, 106, 17],
      {},
      'Pass',
    ],
    ['nothing, removed', [], [1, 2, 3, 4, 5], { nanStrategy: 'remove' }, 'Nodata'],
    ['nothing, replaced', [], [1, 2, 3, 4, 5], { nanStrategy: 'replace' }, 'Pass'],
    ['nothing that must be there', [], [1, 2], { mustHaveData: true }, 'NodataFailMetric'],
    [
      'below, when only an increase is bad',
      [1, 2, 3, 4],
      [10, 20, 30, 40],
      { direction: 'increase' },
      'Pass',
    ],
    ['below, when only a decrease is bad', [1, 2, 3, 4], [10, 20, 30, 40], { direction: 'decrease' }, 'Low'],
  ])('%s', (_title, experiment, control, config, label) => {
    expect(classify(experiment, control, config, () => random.normal()).label).toBe(label);
  });

  it.each<[number, number, number]>([
    [5, 0.001, 0.012],
    [3, 0.008, 0.032],
  ])(
    'of identical versions in %d minutes is High about as often as measured before',
    (minutes, low, high) => {
      const runs = 4000;
      let raised = 0;
      const fractions = (): number[] => Array.from({ length: minutes }, () => random.binomial(60, 0.01) / 60);
      for (let run = 0; run < runs; run += 1) {
        if (classify(fractions(), fractions(), { direction: 'increase' }).label === 'High') raised += 1;
      }
      expect(raised / runs).toBeLessThan(high);
      if (minutes === 3) expect(raised / runs).toBeGreaterThan(low);
    },
  );
});

describe("Kayenta's score", () => {
  const metric = (label: string, critical = false) => ({ label, critical });

  it.each<[string, { label: string; critical: boolean }[], number]>([
    ['is the share that passes', [metric('Pass'), metric('High'), metric('Pass'), metric('Pass')], 75],
    ['is 0 with a critical failure', [metric('Pass'), metric('High', true)], 0],
    ['is 0 when half has no data', [metric('Pass'), metric('Nodata')], 0],
    ['leaves an error out, critical or not', [metric('Pass'), metric('Error')], 100],
    ['is 100 when nothing could be judged', [metric('Error')], 100],
  ])('%s', (_title, metrics, expected) => {
    expect(score(metrics)).toBe(expected);
  });
});
