import { describe, expect, it } from 'vitest';
import { type MirrorArm, MirrorReport, type PlaceVerdict } from '../../../src/core/analysis/mirror-report.ts';

/** `differing` of `total` answers of an arm differ at a place, evenly spread. */
function feed(report: MirrorReport, arm: MirrorArm, place: string, differing: number, total: number): void {
  for (let i = 0; i < total; i += 1) {
    const differs = Math.floor(((i + 1) * differing) / total) > Math.floor((i * differing) / total);
    report.note(arm, differs ? new Map([[place, 'value']]) : new Map());
  }
}

describe('MirrorReport', () => {
  it.each<[string, [number, number], [number, number], PlaceVerdict]>([
    ['a candidate that always differs where the baseline never does', [100, 100], [0, 100], 'differs'],
    ['a candidate that often differs where the baseline rarely does', [150, 300], [15, 300], 'differs'],
    ['a field that differs for both', [100, 100], [100, 100], 'noise'],
    ['a field that differs about as often for both', [30, 100], [12, 50], 'noise'],
    ['a field that differed once, and never for the baseline', [1, 100], [0, 100], 'unclear'],
    ['a field before the baseline is known', [100, 100], [0, 19], 'learning'],
  ])('says of %s: %s of %s, %s', (_name, candidate, baseline, verdict) => {
    const report = new MirrorReport();
    feed(report, 'baseline', '/a', ...baseline);
    feed(report, 'candidate', '/a', ...candidate);
    expect(report.places().map((each) => each.verdict)).toEqual([verdict]);
  });

  it('says of an answer whether anything in it is more than noise', () => {
    const report = new MirrorReport();
    feed(report, 'baseline', '/noisy', 50, 50);
    expect(report.note('candidate', new Map())).toBe('match');
    expect(report.note('candidate', new Map([['/noisy', 'value']]))).toBe('noise');
    const both = new Map([
      ['/noisy', 'value'],
      ['/other', 'value'],
    ]);
    expect(report.note('candidate', both)).toBe('differs');
    expect(report.compared).toEqual({ candidate: 3, baseline: 50 });
  });

  it('lists a hundred places at most, the clearest first', () => {
    const report = new MirrorReport();
    for (let i = 0; i < 200; i += 1) report.note('candidate', new Map([[`/key${i}`, 'added']]));
    feed(report, 'baseline', '/x', 0, 100);
    feed(report, 'candidate', '/key7', 500, 500);
    expect(report.places()).toHaveLength(100);
    expect(report.places()[0]).toMatchObject({ place: '/key7', candidate: 501, verdict: 'differs' });
    expect(report.overflow).toBe(100);
  });
});
