import { describe, expect, it } from 'vitest';
import { forecast, secondsToProve } from '../../../src/core/analysis/forecast.ts';
import { forecastPlan } from '../../../src/core/rollout/forecast-plan.ts';
import { autoPlan } from './auto-run.ts';
import { plan } from './plans.ts';

const TRAFFIC = { requestsPerSecond: 200, errorRate: 0.005 };

describe('what a plan will see', () => {
  it('tells the proofs of steps: auto by the judge, who goes by the longest ramp that there can be', () => {
    const declared = autoPlan();
    const { followed, result } = forecastPlan(declared, TRAFFIC);
    expect(followed.steps.length).toBeLessThan(declared.steps.length);
    expect(result.steps.map(({ weightBp }) => weightBp)).toEqual(
      followed.steps.map(({ weightBp }) => weightBp),
    );
    for (const step of result.steps) {
      expect(step.provenS).toBe(secondsToProve(declared, TRAFFIC, step));
    }
    expect(result.steps[0]?.provenS).toBeCloseTo(2_284, -1);
  });

  it('is the forecast of its own steps where the file lists them', () => {
    const listed = plan();
    expect(forecastPlan(listed, TRAFFIC)).toEqual({
      followed: listed,
      result: forecast(listed, TRAFFIC),
      auto: null,
    });
  });
});
