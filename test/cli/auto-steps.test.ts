/** `steps: auto` on the terminal: from the start's plan to the explanation of a step, from a simulated run. */

import { describe, expect, it } from 'vitest';
import { renderExplanation } from '../../src/cli/render/explanation.ts';
import { renderPlan } from '../../src/cli/render/plan.ts';
import type { RenderOptions } from '../../src/cli/render/text.ts';
import { renderView } from '../../src/cli/render/view.ts';
import { emptyMemory } from '../../src/core/analysis/sequential-judge.ts';
import type { RolloutState } from '../../src/core/rollout/state.ts';
import { explain } from '../../src/core/view/explanation.ts';
import { project, projectDeclared, type Sighting } from '../../src/core/view/project.ts';
import type { RolloutView } from '../../src/core/view/rollout-view.ts';
import { autoPlan, runAuto, seeded } from '../core/rollout/auto-run.ts';
import { event } from '../support/view-fixture.ts';

const OPTIONS: RenderOptions = { columns: 100, color: false, unicode: true, timeZone: 'UTC' };
const MEASURED = { requestsPerSecond: 200, errorRate: 0.005, overMs: 300_000 };
const SIGHTING: Sighting = {
  split: null,
  gateways: [{ name: 'gw-1', revision: 1, state: 'applied', ageMs: 0, current: true }],
  checks: [],
  gap: null,
  canaryRequests: 0,
  compared: 0,
  leftOut: {},
  totalRequests: 0,
  supersededBy: null,
  unseen: false,
  closed: null,
};

const steady = (requestsPerSecond: number) => ({
  requestsPerSecond: () => requestsPerSecond,
  baseline: 0.005,
  canary: 0.005,
});

function viewOf(state: RolloutState): RolloutView {
  const plan = autoPlan();
  const record = {
    ...{ rollout: plan.rollout, service: plan.service, run: 1, ordinal: 1, plan, state },
    ...{
      memory: emptyMemory(plan),
      message: null,
      startedAtMs: 0,
      version: 3,
      lastSequence: 2,
      lastHash: '',
    },
  };
  return project(record, SIGHTING, [], 90_000);
}

const text = (view: RolloutView): string => renderView(view, OPTIONS).join('\n');

describe('steps: auto on the terminal', { timeout: 120_000 }, () => {
  it('shows before the start the first weight and the bounds, and the ramp where the traffic is stated', () => {
    const plain = renderPlan(projectDeclared(autoPlan(), 0), OPTIONS).join('\n');
    expect(plain).toMatch(/^ +1 +1% +1m/m);
    expect(plain.replace(/\s+/g, ' ')).toContain(
      'steps: auto, from 1%, at most 3x at once, each held for 1m to 30m, within 6h; 2.5x the errors may cost 50 failed requests. All but the first are proposals',
    );
    const traffic = { requestsPerSecond: 1_000, errorRate: 0.005 };
    const stated = projectDeclared(autoPlan({}, { traffic }), 0);
    expect(stated.steps.map(({ weightBp }) => weightBp)).toEqual([100, 300, 700, 2_000, 5_000, 10_000]);
    expect(stated.ramp?.bounds).toContain('from 1%');
  });

  it('shows a run with the steps ahead and what a bad release may still cost', () => {
    const { state } = runAuto(autoPlan(), steady(200), seeded(1), { measured: MEASURED, maxSeconds: 90 });
    const view = viewOf(state);
    expect(view.steps[view.step]).toMatchObject({ state: 'current', weightBp: 300 });
    expect(text(view)).toMatch(
      /ramp {4}a bad release may cost \d+ of 50 failed requests {3}at 200 requests\/s, 0\.\d+% errors/,
    );
    expect(view.sentence).toMatch(/^On to 7% in \d+s if no rule breaks\.$/);
    expect(view.remainingMs).toBeGreaterThan(0);
  });

  it('says why it stays where it is', () => {
    const { state } = runAuto(autoPlan(), steady(0.1), seeded(2), { maxSeconds: 60 });
    const view = viewOf(state);
    expect(view).toMatchObject({ severity: 'attention', remainingMs: null, ramp: { traffic: null } });
    expect(view.sentence).toMatch(/^Stays at 1%: the baseline had too few requests lately to tell/);
  });

  it('explains a step by the traffic and the requests that it was decided from', () => {
    const { log } = runAuto(autoPlan(), steady(200), seeded(3), { measured: MEASURED });
    const advanced = log.find(({ type }) => type === 'advanced');
    if (!advanced?.ramp) expect.fail('no step');
    expect(advanced.reason).toMatch(
      /no rule broken; a release that fails [\d.]+% of its requests is expected to fail \d+ before/,
    );
    const seed = event({ sequence: 2, type: 'advanced', step: 1, weights: [100, 300] });
    const explanation = explain([{ ...seed, ...advanced }], null);
    if (!explanation) expect.fail('nothing to explain');
    const lines = renderExplanation(explanation, OPTIONS).join(' ').replace(/\s+/g, ' ');
    expect(lines).toMatch(
      /ramp at 200 requests\/s, 0\.\d+% errors, canary requests judged: \d+ at 1%; a release that fails/,
    );
  });
});
