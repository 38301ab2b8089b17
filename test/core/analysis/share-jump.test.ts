import { describe, expect, it } from 'vitest';
import { shareJumped } from '../../../src/core/analysis/share-jump.ts';

const counts = (canary: number, baseline: number) => ({
  canary: { total: canary, bad: 0 },
  baseline: { total: baseline, bad: 0 },
});

describe('a jump of the share', () => {
  it.each<[string, readonly [number, number], readonly [number, number], boolean]>([
    ['a step from 5 % to 10 %', [150, 2850], [300, 2700], true],
    ['a step from 50 % to 100 %', [500, 500], [1000, 0], true],
    ['chance at 5 %', [150, 2850], [180, 2820], false],
    ['more traffic at the same weight', [150, 2850], [300, 5700], false],
    ['chance among few requests', [1, 19], [4, 16], false],
    ['a slight drift of much traffic', [50_000, 950_000], [55_000, 945_000], false],
    ['nothing to compare with', [0, 0], [10, 10], false],
  ])('is told from what is none: %s', (_title, before, after, jumped) => {
    expect(shareJumped(counts(...before), counts(...after))).toBe(jumped);
  });
});
