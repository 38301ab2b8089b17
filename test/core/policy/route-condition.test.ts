import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { conditionHolds, conditionsKey } from '../../../src/core/policy/route-condition.ts';

const V2 = { kind: 'accept', mediaType: 'application/vnd.shop.v2+json' } as const;

describe('conditionHolds', () => {
  it.each([
    ['application/vnd.shop.v2+json', true],
    ['text/html, Application/Vnd.Shop.V2+JSON;q=0.5', true],
    ['application/vnd.shop.v2+json; charset=utf-8', true],
    ['application/vnd.shop.v2+json;q=0', false],
    ['application/vnd.shop.v2+json; Q=0.000', false],
    ['application/vnd.shop.v20+json', false],
    ['application/*', false],
    ['*/*', false],
    ['', false],
    [undefined, false],
  ])('Accept: %s names the media type: %s', (accept, holds) => {
    expect(conditionHolds(V2, accept)).toBe(holds);
  });

  it.each([
    ['2', true],
    [' 2 ', true],
    ['2.0', false],
    ['2, 2', false],
    [undefined, false],
  ])('a header %s is "2": %s', (sent, holds) => {
    expect(conditionHolds({ kind: 'field', name: 'accept-version', value: '2' }, sent)).toBe(holds);
  });
});

describe('conditionsKey', () => {
  it('is the same exactly for the same conditions in whatever order', () => {
    const field = fc.record({ kind: fc.constant('field' as const), name: fc.string(), value: fc.string() });
    fc.assert(
      fc.property(fc.array(field, { maxLength: 4 }), fc.array(field, { maxLength: 4 }), (a, b) => {
        expect(conditionsKey([...a].reverse())).toBe(conditionsKey(a));
        const same = JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
        expect(conditionsKey(a) === conditionsKey(b)).toBe(same);
      }),
      { seed: 7 },
    );
  });
});

function sorted(conditions: readonly { name: string; value: string }[]): string[] {
  return conditions.map(({ name, value }) => JSON.stringify([name, value])).sort();
}
