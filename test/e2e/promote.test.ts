/**
 * The main job over real processes: a healthy canary goes through all steps, on each backend.
 * @module
 */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { logProblems } from '../support/sluice-client.ts';
import { backends, type Deployment } from '../support/sluice-deployment.ts';
import { startTraffic } from '../support/sluice-traffic.ts';

describe.each(backends)('a healthy canary, $name', { timeout: 300_000 }, ({ deploy }) => {
  let deployment: Deployment;

  beforeAll(async () => {
    deployment = await deploy({ services: ['orders'] });
  });
  afterAll(() => deployment?.close());

  it('is taken through every step to promotion, with every step on record and no request lost', async () => {
    const { project, api, origins } = deployment;
    await project.declare({
      rollout: 'orders-v2',
      service: 'orders',
      steps: [
        { weight: '5%', hold: '1s', requests: 5 },
        { weight: '25%', hold: '4s', requests: 20 },
        { weight: '50%', hold: '1s', requests: 20 },
        { weight: '100%' },
      ],
      abort: [{ when: '5xx > 1%', over: '5s', requests: 20 }],
    });
    const traffic = startTraffic({ origins, service: 'orders', requestsPerSecond: 200, users: 300 });
    await api.act('orders-v2', 'start', { message: 'first try' });
    // The share over the whole step is seen just before it ends.
    const atQuarter = await api.until(
      'orders-v2',
      'well into its second step',
      (view) => view.step === 1 && view.progress.evidenceMs > 3_300,
    );
    const promoted = await api.untilWord('orders-v2', 'PROMOTED');
    const report = await traffic.stop();
    const events = await api.events('orders-v2');

    expect(events.map(({ type, step, weightAfterBp }) => [type, step, weightAfterBp])).toEqual([
      ['started', 0, 500],
      ['advanced', 1, 2500],
      ['advanced', 2, 5000],
      ['advanced', 3, 10_000],
      ['promoted', 3, 10_000],
    ]);
    expect(logProblems(events)).toEqual([]);
    expect(events[0]).toMatchObject({ reason: 'first try', actor: { kind: 'user' } });
    expect(events[1]).toMatchObject({ code: 'HOLD_COMPLETE', actor: { kind: 'operator' } });
    expect(promoted.weight.setBp).toBe(10_000);
    expect(report.dropped, report.failures.join('\n')).toBe(0);
    expect(Object.keys(report.byStatus)).toEqual(['200']);
    // Everybody ends on the canary, and nobody ever goes back.
    expect(Object.keys(report.moves)).toEqual(['v1→v2']);
    expect(report.moves['v1→v2']).toBeGreaterThan(100);
    const { servedBp, totalRequests } = atQuarter.weight;
    // Users, not requests, are drawn: of 300, a quarter within four standard deviations.
    expect(totalRequests).toBeGreaterThan(100);
    expect(servedBp).toBeGreaterThan(1_500);
    expect(servedBp).toBeLessThan(3_500);
  });
});
