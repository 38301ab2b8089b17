import { describe, expect, it } from 'vitest';
import type { Check, Evidence } from '../../../src/core/domain/rule.ts';
import { explain } from '../../../src/core/view/explanation.ts';
import { event } from '../../support/view-fixture.ts';

const recorded = (sequence: number, ...evidence: Check[]) => ({
  ...event({
    sequence,
    type: evidence.length > 0 ? 'aborted' : 'paused',
    rollout: 'orders-v2',
    run: 1,
    step: 0,
    weights: [500, 0],
  }),
  evidence,
});

const check = (evidence: Evidence): Check => ({
  rule: 0,
  text: '5xx > 2x',
  verdict: 'fail',
  breachedSinceMs: 1,
  evidence,
  proof: null,
  summary: '',
});

const rate: Evidence = {
  kind: 'rate',
  windowMs: 300_000,
  canary: { bad: 41, total: 1_000 },
  baseline: { bad: 99, total: 19_800 },
  limit: 0.01,
};

describe('explain', () => {
  it('takes the newest event that rests on evidence, or the one asked for', () => {
    const events = [recorded(1), recorded(2, check(rate)), recorded(3)];
    expect(explain(events, null)?.event.sequence).toBe(2);
    expect(explain(events, 3)).toMatchObject({ event: { sequence: 3 }, checks: [] });
    expect(explain(events, 9)).toBeUndefined();
    expect(explain([recorded(1)], null)).toBeUndefined();
  });

  it('gives both counts with intervals, and the count that would have turned it', () => {
    const [explained] = explain([recorded(1, check(rate))], null)?.checks ?? [];
    expect(explained?.arms).toMatchObject([
      { version: 'v2', requests: 1_000, bad: 41, estimate: 0.041 },
      { version: 'v1', requests: 19_800, bad: 99, estimate: 0.005 },
    ]);
    expect(explained?.arms[0]?.interval?.low).toBeGreaterThan(0.02);
    expect(explained?.turningPoint).toBe(
      'With 10 or fewer failures among these 1000 requests the limit would have held.',
    );
  });

  it.each<[string, Evidence, string]>([
    [
      'a rate within its limit',
      { ...rate, canary: { bad: 4, total: 1_000 } },
      'From 11 failures among these 1000 requests on the limit would have been broken.',
    ],
    [
      'a latency beyond its limit',
      {
        kind: 'quantile',
        windowMs: 1,
        quantile: 0.95,
        canary: { total: 10, valueMs: 300 },
        baseline: null,
        limitMs: 200,
      },
      'At 200ms or less the limit would have held.',
    ],
    [
      'a latency within it',
      {
        kind: 'quantile',
        windowMs: 1,
        quantile: 0.95,
        canary: { total: 10, valueMs: 100 },
        baseline: null,
        limitMs: 200,
      },
      'Above 200ms the limit would have been broken.',
    ],
  ])('says what would have turned %s', (_what, evidence, expected) => {
    expect(explain([recorded(1, check(evidence))], null)?.checks[0]?.turningPoint).toBe(expected);
  });

  it('has nothing to say about numbers that there were not', () => {
    const none: Evidence = { kind: 'none', cause: 'no-traffic' };
    expect(explain([recorded(1, check(none))], null)?.checks[0]).toMatchObject({
      arms: [],
      turningPoint: null,
    });
  });
});
