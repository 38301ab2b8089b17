/**
 * `steps: auto` over real processes in embedded mode: the ramp that it decides, and that a restart changes nothing of it.
 * @module
 */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadRolloutPlan } from '../../src/config/rollout-config.ts';
import { rampFrom } from '../../src/core/analysis/ramp.ts';
import { eventually } from '../support/eventually.ts';
import { logProblems } from '../support/sluice-client.ts';
import { type Deployment, deployEmbedded } from '../support/sluice-deployment.ts';
import { startTraffic, type Traffic } from '../support/sluice-traffic.ts';

const SPEC = {
  steps: 'auto' as const,
  auto: { budget: '200 failed requests', from: '5%', maxFactor: '4x', hold: { min: '2s', max: '5m' } },
  abort: [{ when: '5xx > 2x', over: '1m', requests: 1 }],
};

describe('steps: auto, embedded', { timeout: 240_000 }, () => {
  let deployment: Deployment;
  const traffics: Traffic[] = [];

  beforeAll(async () => {
    deployment = await deployEmbedded({ services: ['healthy', 'broken', 'dear'] });
  });
  afterAll(async () => {
    await Promise.all(traffics.map((traffic) => traffic.stop()));
    await deployment?.close();
  });

  /** Both versions fail one request of twenty: a base rate that few requests tell a lot about. */
  async function traffic(service: string): Promise<Traffic> {
    const { project, origins } = deployment;
    const { v1, v2 } = project.ordersOf(service);
    v1.behave({ failEvery: 20 });
    v2.behave({ failEvery: 20 });
    const started = startTraffic({ origins, service, requestsPerSecond: 150, users: 400 });
    traffics.push(started);
    return started;
  }

  /**
   * Until there has been enough to measure: the operator wants ten whole seconds of traffic, and at 150 requests a second
   * these are sixteen at least.
   */
  const untilMeasurable = (sent: Traffic) => eventually(() => sent.report().sent > 2_400, 60_000);

  it('takes a healthy canary to 100 % by steps within its bounds, each with what it was decided from', async () => {
    const { project, api } = deployment;
    await project.declare({ rollout: 'healthy', service: 'healthy', ...SPEC });
    const sent = await traffic('healthy');
    await untilMeasurable(sent);
    const started = await api.act('healthy', 'start');
    expect(started.ramp).toMatchObject({ budget: 200, obstacle: null });
    expect(started.ramp?.traffic?.errorRate).toBeCloseTo(0.05, 2);
    expect(started.steps[0]).toMatchObject({ weightBp: 500, state: 'current' });
    expect(started.steps.at(-1)?.weightBp).toBe(10_000);
    const promoted = await api.untilWord('healthy', 'PROMOTED', 150_000);
    await sent.stop();

    const events = await api.events('healthy');
    const weights = events
      .filter(({ type }) => type !== 'promoted')
      .map(({ weightAfterBp }) => weightAfterBp);
    expect([weights[0], weights.at(-1)]).toEqual([500, 10_000]);
    weights.slice(1).forEach((weightBp, index) => {
      expect(weightBp).toBeGreaterThan(weights[index] as number);
      expect(weightBp).toBeLessThanOrEqual(4 * (weights[index] as number));
    });
    expect(promoted.steps.map(({ weightBp }) => weightBp)).toEqual(weights);
    expect(logProblems(events)).toEqual([]);

    // What is on record is all that it takes to decide the same again.
    const text = JSON.stringify({
      rollout: 'healthy',
      service: 'healthy',
      baseline: 'v1',
      canary: 'v2',
      ...SPEC,
    });
    const file = { name: 'healthy.yaml', absolutePath: '/healthy.yaml', text };
    const { value: plan } = loadRolloutPlan(file, null, null);
    if (!plan?.auto) expect.fail('no plan');
    for (const { type, ramp, weightAfterBp } of events.slice(0, -1)) {
      if (!ramp) expect.fail(`${type} without a ramp`);
      const again = rampFrom(plan, plan.auto, ramp.inputs);
      expect(again).toEqual(ramp.ramp);
      expect(again.steps[type === 'started' ? 0 : 1]?.weightBp).toBe(weightAfterBp);
    }
  });

  it('aborts a bad canary within its budget, over a restart of the operator', async () => {
    const { project, api, operator } = deployment;
    await project.declare({ rollout: 'broken', service: 'broken', ...SPEC });
    const sent = await traffic('broken');
    await untilMeasurable(sent);
    await api.act('broken', 'start');
    const before = await api.until('broken', 'its second step', ({ step }) => step === 1);
    await operator.restart('SIGKILL');
    const after = await api.view('broken');
    expect(after.steps.slice(0, 2).map(({ weightBp }) => weightBp)).toEqual(
      before.steps.slice(0, 2).map(({ weightBp }) => weightBp),
    );
    expect(after.step).toBeGreaterThanOrEqual(before.step);
    project.ordersOf('broken').v2.behave({ failEvery: 2 });
    sent.reset();
    const aborted = await api.untilWord('broken', 'ABORTED');
    expect(aborted.weight.setBp).toBe(0);
    expect(sent.report().byAnswer['v2 500'] ?? 0).toBeLessThanOrEqual(200);
  });

  it('refuses a first weight whose total breakage would cost more than the budget', async () => {
    const { project, api } = deployment;
    const auto = { budget: '60 failed requests', from: '50%' };
    await project.declare({ rollout: 'dear', service: 'dear', ...SPEC, auto });
    const sent = await traffic('dear');
    await untilMeasurable(sent);
    await expect(api.act('dear', 'start')).rejects.toMatchObject({ code: 'OVER_BUDGET' });
    expect((await api.view('dear')).word).toBe('READY');
  });
});
