import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InFlightGate } from '../../../src/core/policy/in-flight.ts';

describe('InFlightGate', () => {
  it('is full at its maximum and has room again when one leaves', () => {
    const gate = new InFlightGate();
    const caps = { max: 2, perKeyMax: null };
    expect([1, 2, 3].map(() => gate.enter(caps, null))).toEqual(['entered', 'entered', 'full']);
    gate.leave(null);
    expect(gate.enter(caps, null)).toBe('entered');
  });

  it('is full for one key and not for another', () => {
    const gate = new InFlightGate();
    const caps = { max: 3, perKeyMax: 1 };
    expect(['a', 'a', 'b'].map((key) => gate.enter(caps, key))).toEqual(['entered', 'key-full', 'entered']);
  });

  it('property: never holds more than its maxima, and nothing once all have left', () => {
    const step = fc.record({ leave: fc.boolean(), key: fc.constantFrom('a', 'b', 'c', null) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), fc.nat(6), fc.nat(3), (steps, max, perKeyMax) => {
        const gate = new InFlightGate();
        const inside: (string | null)[] = [];
        for (const { leave, key } of steps) {
          if (leave && inside.length > 0) gate.leave(inside.shift() ?? null);
          else if (gate.enter({ max, perKeyMax }, key) === 'entered') inside.push(key);
          expect(gate.count).toBe(inside.length);
          expect(gate.count).toBeLessThanOrEqual(max);
          for (const each of ['a', 'b', 'c']) {
            expect(inside.filter((other) => other === each).length).toBeLessThanOrEqual(perKeyMax);
          }
        }
        for (const key of inside) gate.leave(key);
        expect([gate.count, gate.keys]).toEqual([0, 0]);
      }),
    );
  });
});
