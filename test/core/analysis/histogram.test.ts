import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  BIN_COUNT,
  binCeilingUs,
  binFloorUs,
  binOf,
  condenseWire,
  Histogram,
  MAX_VALUE_US,
  mergeWires,
} from '../../../src/core/analysis/histogram.ts';
import { countFrom } from '../../../src/core/analysis/second.ts';

const values = fc.oneof(fc.integer({ min: 0, max: 2000 }), fc.integer({ min: 0, max: MAX_VALUE_US }));

describe('binOf', () => {
  it('property: every value lies in its bin, and the bin is at most 1/64 wide', () => {
    fc.assert(
      fc.property(values, (value) => {
        const bin = binOf(value);
        expect(bin).toBeGreaterThanOrEqual(0);
        expect(bin).toBeLessThan(BIN_COUNT);
        expect(binFloorUs(bin)).toBeLessThanOrEqual(value);
        expect(binCeilingUs(bin)).toBeGreaterThan(value);
        if (value >= 128) expect((binCeilingUs(bin) - binFloorUs(bin)) / value).toBeLessThanOrEqual(1 / 64);
      }),
    );
  });

  it('property: bins are in the order of values', () => {
    fc.assert(
      fc.property(
        values,
        values,
        (a, b) => Math.sign(binOf(a) - binOf(b)) !== -Math.sign(a - b) || binOf(a) === binOf(b),
      ),
    );
  });

  it('counts values beyond the range in the last bin', () => {
    expect(binOf(Number.MAX_SAFE_INTEGER)).toBe(BIN_COUNT - 1);
  });
});

describe('Histogram', () => {
  it('property: merged parts equal the whole, and taking a part back leaves the rest', () => {
    fc.assert(
      fc.property(fc.array(values), fc.array(values), (first, second) => {
        const [a, b, whole] = [new Histogram(), new Histogram(), new Histogram()];
        for (const value of first) a.record(value);
        for (const value of second) b.record(value);
        for (const value of [...first, ...second]) whole.record(value);
        const merged = new Histogram();
        merged.merge(a.toWire());
        merged.merge(b.toWire());
        expect(merged.toWire()).toEqual(whole.toWire());
        expect(mergeWires(a.toWire(), b.toWire())).toEqual(whole.toWire());
        merged.merge(b.toWire(), -1);
        expect(merged.toWire()).toEqual(a.toWire());
        expect(merged.total).toBe(first.length);
      }),
    );
  });

  it('property: a quantile is within 1 % of the nearest-rank value', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 10_000_000 }), { minLength: 1 }),
        fc.double({ min: 0.01, max: 0.99, noNaN: true }),
        (list, q) => {
          const histogram = new Histogram();
          for (const value of list) histogram.record(value);
          const exact = [...list].sort((a, b) => a - b)[
            Math.max(1, Math.ceil(q * list.length)) - 1
          ] as number;
          expect(Math.abs((histogram.quantileUs(q) as number) - exact)).toBeLessThanOrEqual(exact * 0.01);
        },
      ),
    );
  });

  it('has no quantile without values', () => {
    expect(new Histogram().quantileUs(0.5)).toBeUndefined();
  });
});

describe('condenseWire', () => {
  const wires = fc
    .uniqueArray(fc.integer({ min: 0, max: BIN_COUNT - 1 }), { maxLength: 30 })
    .chain((bins) =>
      fc
        .array(fc.integer({ min: -3, max: 9 }), { minLength: bins.length, maxLength: bins.length })
        .map((counts) => bins.sort((a, b) => a - b).flatMap((bin, at) => [bin, counts[at] ?? 0])),
    );

  it('property: sums from each of the bins upwards are what they were, and there is one count for each at most', () => {
    fc.assert(
      fc.property(
        wires,
        fc.uniqueArray(fc.integer({ min: 1, max: BIN_COUNT }), { maxLength: 5 }),
        (wire, from) => {
          const bins = [0, ...from.sort((a, b) => a - b)];
          const condensed = condenseWire(wire, bins);
          expect(condensed.length).toBeLessThanOrEqual(2 * bins.length);
          for (const bin of bins) expect(countFrom(condensed, bin)).toBe(countFrom(wire, bin));
        },
      ),
    );
  });
});
