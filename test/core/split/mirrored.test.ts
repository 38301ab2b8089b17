import { describe, expect, it } from 'vitest';
import { initialSplit, type SplitDocument } from '../../../src/core/domain/split-document.ts';
import { compileAssigner } from '../../../src/core/split/assign.ts';
import { compileMirrorShare } from '../../../src/core/split/mirrored.ts';

const USERS = Array.from({ length: 20_000 }, (_, i) => `user-${i}`);

function split(shareBp: number, changes: Partial<SplitDocument> = {}): SplitDocument {
  const mirror = { version: 'v2', shareBp };
  return { ...initialSplit('orders', 'v1'), canary: 'v2', rollout: 'orders#1', mirror, ...changes };
}

function mirrored(document: SplitDocument): readonly string[] {
  const share = compileMirrorShare(document);
  return USERS.filter((user) => share?.chooses(user) === true);
}

/** Six standard deviations. */
function within(count: number, share: number): void {
  const mean = USERS.length * share;
  expect(Math.abs(count - mean)).toBeLessThanOrEqual(6 * Math.sqrt(mean * (1 - share)) + 1);
}

describe('compileMirrorShare', () => {
  it('is nothing where a split mirrors nothing', () => {
    const { mirror: _, ...plain } = split(100);
    expect(compileMirrorShare(plain)).toBeNull();
  });

  it.each([1, 100, 1_000, 5_000, 9_999])('chooses as many users as %d basis points are', (shareBp) => {
    within(mirrored(split(shareBp)).length, shareBp / 10_000);
  });

  it('chooses everybody at 100 %', () => {
    expect(mirrored(split(10_000)).length).toBe(USERS.length);
  });

  it('only ever adds users when the share grows', () => {
    let before: readonly string[] = [];
    for (const shareBp of [50, 100, 700, 2_500, 6_000, 10_000]) {
      const now = new Set(mirrored(split(shareBp)));
      expect(before.every((user) => now.has(user))).toBe(true);
      before = [...now];
    }
  });

  it('draws apart from the weights: the users of a canary are mirrored as often as others', () => {
    const assign = compileAssigner(
      split(2_000, { weights: { v1: 7_000, v2: 3_000 } }),
      ['v1', 'v2'],
      'orders',
    );
    const chosen = new Set(mirrored(split(2_000)));
    const canary = USERS.filter((user) => assign(user) === 'v2');
    const both = canary.filter((user) => chosen.has(user)).length;
    const mean = canary.length * 0.2;
    expect(Math.abs(both - mean)).toBeLessThanOrEqual(6 * Math.sqrt(mean * 0.8));
  });
});
