/**
 * The operator killed at any moment: no step is skipped or done twice, the canary's weight is a lease, and a
 * restart goes on where it was.
 * @module
 */

import { afterEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { Seeded } from '../support/fuzz/seeded.ts';
import { logProblems, stepsOf } from '../support/sluice-client.ts';
import { type Deployment, deployEmbedded, deployOverRedis } from '../support/sluice-deployment.ts';
import { startTraffic, type Traffic } from '../support/sluice-traffic.ts';

const SEED = 20_261_124;

describe('an operator that dies', { timeout: 300_000 }, () => {
  let deployment: Deployment | undefined;
  let traffic: Traffic | undefined;

  afterEach(async () => {
    await traffic?.stop();
    await deployment?.close();
  });

  it('goes on at the same step after SIGKILL, while gateways keep the canary', async () => {
    deployment = await deployOverRedis({ services: ['orders'] });
    const { project, api, origins, operator } = deployment;
    const { v2 } = project.ordersOf('orders');
    await project.declare({
      rollout: 'orders-v2',
      service: 'orders',
      // A machine that is busy may take longer to start a process than a weight is lent for.
      onOperatorLoss: { after: '10m', do: 'baseline' },
      steps: [
        { weight: '30%', hold: '1s' },
        { weight: '50%', hold: '1s', gate: 'manual' },
        { weight: '100%' },
      ],
    });
    traffic = startTraffic({ origins, service: 'orders', requestsPerSecond: 100, users: 100 });
    await api.act('orders-v2', 'start');
    await api.until(
      'orders-v2',
      'in its second step',
      ({ step, progress }) => step === 1 && progress.requests > 0,
    );
    await operator.kill('SIGKILL');
    const served = v2.requests();
    await eventually(() => v2.requests() > served + 50, 60_000);
    await operator.start();
    // The dead operator's lease has to run out first.
    const back = await api.until('orders-v2', 'looked after again', () => true);
    expect(back).toMatchObject({ step: 1, run: 1 });
    await api.untilWord('orders-v2', 'WAITING');
    await api.act('orders-v2', 'promote', { expectStep: 1 });
    await api.untilWord('orders-v2', 'PROMOTED');
    const report = await traffic.stop();
    const events = await api.events('orders-v2');
    expect(stepsOf(events)).toEqual([
      'started 0',
      'advanced 1',
      'awaiting-gate 1',
      'gate-passed 2',
      'promoted 2',
    ]);
    expect(logProblems(events)).toEqual([]);
    expect(report.moves['v2→v1']).toBeUndefined();
    expect(report.dropped, report.failures.join('\n')).toBe(0);
  });

  it('leaves gateways that go back to the baseline by themselves, and to the canary when it is back', async () => {
    deployment = await deployOverRedis({ services: ['orders'] });
    const { project, api, origins, operator } = deployment;
    const { v2 } = project.ordersOf('orders');
    await project.declare({
      rollout: 'orders-v2',
      service: 'orders',
      steps: [{ weight: '50%', hold: '5s' }, { weight: '100%' }],
      onOperatorLoss: { after: '2s', do: 'baseline' },
    });
    traffic = startTraffic({ origins, service: 'orders', requestsPerSecond: 100, users: 100 });
    await api.act('orders-v2', 'start');
    await eventually(() => v2.requests() > 20, 60_000);
    await operator.kill('SIGKILL');
    const silent = async (): Promise<boolean> => {
      const before = v2.requests();
      const { sent } = (traffic as Traffic).report();
      await eventually(() => (traffic as Traffic).report().sent >= sent + 100, 60_000);
      return v2.requests() === before;
    };
    await eventually(silent, 60_000);
    const served = v2.requests();
    await operator.start();
    await eventually(() => v2.requests() > served, 60_000);
    await api.untilWord('orders-v2', 'PROMOTED');
    const report = await traffic.stop();
    expect(logProblems(await api.events('orders-v2'))).toEqual([]);
    expect(report.dropped, report.failures.join('\n')).toBe(0);
  });

  it(`keeps every promise when it is killed again and again (seed ${SEED})`, async () => {
    deployment = await deployEmbedded({ services: ['orders'] });
    const { project, api, origins, operator } = deployment;
    await project.declare({
      rollout: 'orders-v2',
      service: 'orders',
      steps: [
        { weight: '10%', hold: '1s' },
        { weight: '20%', hold: '1s' },
        { weight: '40%', hold: '1s' },
        { weight: '60%', hold: '1s' },
        { weight: '80%', hold: '1s' },
        { weight: '100%', hold: '1s' },
      ],
    });
    traffic = startTraffic({ origins, service: 'orders', requestsPerSecond: 100, users: 100 });
    await api.act('orders-v2', 'start');
    // The same kills at the same moments on every run, as far as the machine allows.
    const random = new Seeded(SEED);
    const seenSteps: number[] = [];
    for (let kill = 1; kill <= 8; kill += 1) {
      await new Promise((resolve) => setTimeout(resolve, 200 + random.next() * 2_500));
      await operator.restart('SIGKILL');
      seenSteps.push((await api.until('orders-v2', 'looked after again', () => true)).step);
    }
    await api.untilWord('orders-v2', 'PROMOTED');
    const events = await api.events('orders-v2');
    expect(logProblems(events)).toEqual([]);
    expect(stepsOf(events)).toEqual([
      'started 0',
      'advanced 1',
      'advanced 2',
      'advanced 3',
      'advanced 4',
      'advanced 5',
      'promoted 5',
    ]);
    expect(seenSteps).toEqual([...seenSteps].sort((a, b) => a - b));
    traffic.reset();
    await eventually(() => (traffic as Traffic).report().byVersion.v2 !== undefined, 60_000);
    expect(Object.keys(traffic.report().byVersion)).toEqual(['v2']);
  });
});
