import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type LogRules, lineWeight } from '../../../src/core/policy/log-sampling.ts';

function rules(changes: Partial<LogRules> = {}): LogRules {
  return { share: 0.1, errors: true, slowMs: 1_000, redacted: new Set(), ...changes };
}

const PLAIN = { failed: false, durationMs: 5 };

describe('lineWeight', () => {
  it.each([
    [{}, PLAIN, 0.0999, 10],
    [{}, PLAIN, 0.1, 0],
    [{}, { failed: true, durationMs: 5 }, 0.9, 1],
    [{ errors: false }, { failed: true, durationMs: 5 }, 0.9, 0],
    [{}, { failed: false, durationMs: 1_000 }, 0.9, 1],
    [{ slowMs: null }, { failed: false, durationMs: 1_000 }, 0.9, 0],
    [{ share: 0 }, PLAIN, 0, 0],
    [{ share: 1 }, PLAIN, 0.999, 1],
  ])('by %o, %o with chance %d stands for %d', (changes, request, chance, weight) => {
    expect(lineWeight(rules(changes), request, chance)).toBe(weight);
  });

  it('keeps the number of requests: weight times share is one line for each', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.0001, max: 1, noNaN: true }), (share) => {
        expect(lineWeight(rules({ share }), PLAIN, 0) * share).toBeCloseTo(1, 9);
      }),
      { seed: 11 },
    );
  });
});
