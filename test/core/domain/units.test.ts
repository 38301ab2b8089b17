import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatDuration, parseDurationMs } from '../../../src/core/domain/duration.ts';
import { initialSplit, splitProblem, withoutCanary } from '../../../src/core/domain/split-document.ts';
import { formatBp, parsePercentBp, weightsProblem } from '../../../src/core/domain/weight.ts';

describe('parsePercentBp', () => {
  it.each([
    ['1%', 100],
    ['0.01%', 1],
    ['12.5 %', 1250],
    ['100%', 10_000],
    ['0%', 0],
    ['5.05%', 505],
  ])('reads %s', (text, bp) => {
    expect(parsePercentBp(text)).toBe(bp);
  });
  it.each(['', '1', '101%', '0.001%', '-1%', '1e1%', '%', '1,5%', '100.01%'])('refuses %j', (text) => {
    expect(parsePercentBp(text)).toBeUndefined();
  });
  it('property: reads back what formatBp writes', () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: 10_000 }), (bp) => parsePercentBp(formatBp(bp)) === bp));
  });
});

describe('parseDurationMs', () => {
  it.each([
    ['0', 0],
    ['250ms', 250],
    ['10s', 10_000],
    ['1.5m', 90_000],
    ['1h30m', 5_400_000],
    ['7d', 604_800_000],
  ])('reads %s', (text, ms) => {
    expect(parseDurationMs(text)).toBe(ms);
  });
  it.each(['', '10', 's', '10 s', '10x', '-1s', '1m!', 'm10'])('refuses %j', (text) => {
    expect(parseDurationMs(text)).toBeUndefined();
  });
});

describe('formatDuration', () => {
  it.each([
    [0, '0ms'],
    [250, '250ms'],
    [59_970, '1m'],
    [1500, '1.5s'],
    [90_000, '1m30s'],
    [3_600_000, '1h'],
    [5_400_000, '1h30m'],
    [90_000_000, '1d1h'],
  ])('writes %i as %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });
  it('never shows sixty of anything', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 10 ** 9 }),
        (ms) => !/(^|[a-z])(60[sm]|24h)/.test(formatDuration(ms)),
      ),
    );
  });
});

describe('weightsProblem', () => {
  it('accepts weights that sum to everything and says what is wrong with others', () => {
    expect(weightsProblem({ v1: 9999, v2: 1 })).toBeUndefined();
    expect(weightsProblem({ v1: 9999 })).toContain('sum');
    expect(weightsProblem({ v1: 9999.5, v2: 0.5 })).toContain('integer');
    expect(weightsProblem({ v1: 10_001, v2: -1 })).toContain('v1');
  });
});

describe('withoutCanary', () => {
  it('gives the canary’s share to the baseline and leaves the others alone', () => {
    const split = {
      ...initialSplit('orders', 'v1'),
      revision: 1,
      canary: 'v2',
      weights: { v1: 7000, v2: 1000, v3: 2000 },
    };
    expect(withoutCanary(split).weights).toEqual({ v1: 8000, v2: 0, v3: 2000 });
    expect(splitProblem(withoutCanary(split))).toBeUndefined();
  });

  it('mirrors nothing any more, and leaves the canary without weight as it is', () => {
    const split = {
      ...initialSplit('orders', 'v1'),
      revision: 1,
      canary: 'v2',
      weights: { v1: 10_000, v2: 0 },
      mirror: { version: 'v2', shareBp: 500 },
    };
    expect(splitProblem(split)).toBeUndefined();
    expect(withoutCanary(split)).not.toHaveProperty('mirror');
  });
});

describe('splitProblem of a mirror', () => {
  it.each([
    [{ version: 'v1', shareBp: 500 }, 'v1 is mirrored to itself'],
    [{ version: 'v2', shareBp: 0 }, 'got 0'],
    [{ version: 'v2', shareBp: 10_001 }, 'got 10001'],
    [{ version: 'v2', shareBp: 0.5 }, 'got 0.5'],
  ])('%j: %s', (mirror, problem) => {
    expect(splitProblem({ ...initialSplit('orders', 'v1'), revision: 1, mirror })).toContain(problem);
  });
});
