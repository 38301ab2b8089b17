import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  type BetLimits,
  betRate,
  betRateRelief,
  betRatio,
  betRatioRelief,
  capAt,
  emptyRelief,
  emptyWealth,
  type SecondCounts,
  total,
  type Wealth,
} from '../../../src/core/analysis/e-value.ts';

interface Vectors {
  readonly seconds: readonly (readonly [number, number, number, number])[];
  readonly expected: readonly {
    readonly t: number;
    readonly ratio_k1: number;
    readonly ratio_k2_phi3: number;
    readonly nonInferiority_k2: number;
    readonly rate_005: number;
  }[];
}

const VECTORS: Vectors = JSON.parse(
  readFileSync(new URL('./vectors/e-process.json', import.meta.url), 'utf8'),
);
const SECONDS = VECTORS.seconds.map(([canary, baseline, canaryBad, baselineBad]) => ({
  canary,
  baseline,
  canaryBad,
  baselineBad,
}));

const NO_LIMITS: BetLimits = { cap: Number.POSITIVE_INFINITY, clustering: 1 };

describe('the pinned numbers', () => {
  const cap = capAt(1 / 300);
  const runs: readonly [
    keyof Vectors['expected'][number],
    Wealth,
    (wealth: Wealth, counts: SecondCounts) => Wealth,
  ][] = [
    ['ratio_k1', emptyWealth(), (wealth, counts) => betRatio(wealth, 1, counts, { cap, clustering: 1 })],
    ['ratio_k2_phi3', emptyWealth(), (wealth, counts) => betRatio(wealth, 2, counts, { cap, clustering: 3 })],
    [
      'nonInferiority_k2',
      emptyRelief(),
      (wealth, counts) => betRatioRelief(wealth, 2, counts, { cap: capAt(1 / 20), clustering: 1 }),
    ],
    [
      'rate_005',
      emptyWealth(),
      (wealth, { canary, canaryBad }) =>
        betRate(wealth, 0.005, { total: canary, bad: canaryBad }, { cap, clustering: 1 }),
    ],
  ];

  it.each(runs)('%s has the evidence of the reference after every hundred seconds', (name, start, bet) => {
    let wealth = start;
    const errors: number[] = [];
    SECONDS.forEach((counts, at) => {
      wealth = bet(wealth, counts);
      const expected = VECTORS.expected.find(({ t }) => t === at + 1)?.[name];
      if (expected !== undefined) errors.push(Math.abs(total(wealth) / expected - 1));
    });
    expect(errors).toHaveLength(VECTORS.expected.length);
    expect(Math.max(...errors)).toBeLessThan(1e-11);
  });
});

/** Probability of `bad` among `of` independent requests. */
function binomial(of: number, bad: number, rate: number): number {
  let ways = 1;
  for (let i = 0; i < bad; i += 1) ways = (ways * (of - i)) / (i + 1);
  return ways * rate ** bad * (1 - rate) ** (of - bad);
}

/** The largest expectation of what one part of the stake becomes, as a multiple of what it was. */
function worstExpectation(
  start: Wealth,
  canary: number,
  baseline: number,
  rates: readonly [number, number],
  bet: (wealth: Wealth, counts: SecondCounts) => Wealth,
): number {
  const expected = start.parts.map(() => 0);
  const idle = bet(start, { canary: 0, baseline: 0, canaryBad: 0, baselineBad: 0 });
  for (let canaryBad = 0; canaryBad <= canary; canaryBad += 1) {
    for (let baselineBad = 0; baselineBad <= baseline; baselineBad += 1) {
      const chance = binomial(canary, canaryBad, rates[0]) * binomial(baseline, baselineBad, rates[1]);
      const after = bet(start, { canary, baseline, canaryBad, baselineBad });
      after.parts.forEach((part, at) => {
        expected[at] = (expected[at] ?? 0) + (chance * part) / (idle.parts[at] ?? 0);
      });
    }
  }
  return Math.max(...expected);
}

const SIZES = [
  [1, 1],
  [1, 6],
  [5, 2],
  [4, 9],
  [12, 12],
] as const;
const RATES = [0, 0.001, 0.01, 0.1, 0.3, 0.5, 0.8, 1];

describe.each([1, 1.1, 2])('a bet on a ratio of %d', (factor) => {
  it.each(SIZES)('gains nothing on average while it holds, with %d and %d requests', (canary, baseline) => {
    for (const baselineRate of RATES) {
      for (const share of [0, 0.5, 1]) {
        const canaryRate = Math.min(1, share * factor * baselineRate);
        const worst = worstExpectation(
          emptyWealth(),
          canary,
          baseline,
          [canaryRate, baselineRate],
          (wealth, counts) => betRatio(wealth, factor, counts, NO_LIMITS),
        );
        expect(worst).toBeLessThanOrEqual(1 + 1e-9);
      }
    }
  });

  it.each(SIZES)(
    'for relief gains nothing while the canary is as bad, with %d and %d requests',
    (canary, baseline) => {
      for (const baselineRate of RATES.filter((rate) => rate * factor <= 1)) {
        for (const excess of [1, 1.5, 5]) {
          const canaryRate = Math.min(1, excess * factor * baselineRate);
          const worst = worstExpectation(
            emptyRelief(),
            canary,
            baseline,
            [canaryRate, baselineRate],
            (wealth, counts) => betRatioRelief(wealth, factor, counts, NO_LIMITS),
          );
          expect(worst).toBeLessThanOrEqual(1 + 1e-9);
        }
      }
    },
  );
});

describe.each([0.001, 0.05, 0.5])('a bet on a rate of %d', (limit) => {
  it.each([1, 3, 20])('gains nothing on average while it holds, with %d requests', (canary) => {
    for (const share of [0, 0.3, 1]) {
      const worst = worstExpectation(emptyWealth(), canary, 0, [share * limit, 0], (wealth, counts) =>
        betRate(wealth, limit, { total: counts.canary, bad: counts.canaryBad }, NO_LIMITS),
      );
      expect(worst).toBeLessThanOrEqual(1 + 1e-9);
    }
  });

  it.each([1, 3, 20])('for relief gains nothing while the rate is that high, with %d requests', (canary) => {
    for (const excess of [1, 1.5, 2]) {
      const rate = Math.min(1, excess * limit);
      const worst = worstExpectation(emptyRelief(), canary, 0, [rate, 0], (wealth, counts) =>
        betRateRelief(wealth, limit, { total: counts.canary, bad: counts.canaryBad }, NO_LIMITS),
      );
      expect(worst).toBeLessThanOrEqual(1 + 1e-9);
    }
  });
});

describe('wealth', () => {
  it('is a stake of one, all payments included, when nothing ever happens', () => {
    const idle = { canary: 0, baseline: 0, canaryBad: 0, baselineBad: 0 };
    let wealth = emptyWealth();
    for (let second = 0; second < 200_000; second += 1) wealth = betRatio(wealth, 1, idle, NO_LIMITS);
    expect(total(wealth)).toBeGreaterThan(0.99);
    expect(total(wealth)).toBeLessThanOrEqual(1);
  });

  it('recovers for a regression that starts after a day of good behaviour', () => {
    const limits = { cap: capAt(0.01), clustering: 1 };
    let wealth = emptyWealth();
    for (let second = 0; second < 86_400; second += 1) {
      const bad = second % 20 === 0 ? 1 : 0;
      wealth = betRatio(wealth, 1, { canary: 10, baseline: 190, canaryBad: 0, baselineBad: bad }, limits);
    }
    let seconds = 0;
    while (total(wealth) < 100 && seconds < 600) {
      wealth = betRatio(wealth, 1, { canary: 10, baseline: 190, canaryBad: 1, baselineBad: 1 }, limits);
      seconds += 1;
    }
    expect(seconds).toBeLessThan(60);
  });

  it('needs three seconds at least, however bad one of them is', () => {
    const limits = { cap: capAt(0.01), clustering: 1 };
    const disaster = { canary: 1e6, baseline: 1e6, canaryBad: 1e6, baselineBad: 0 };
    const wealthAfter = (seconds: number): number => {
      let wealth = emptyWealth();
      for (let second = 0; second < seconds; second += 1) wealth = betRatio(wealth, 1, disaster, limits);
      return total(wealth);
    };
    expect(wealthAfter(2)).toBeLessThan(100);
    expect(wealthAfter(4)).toBeGreaterThan(100);
  });
});
