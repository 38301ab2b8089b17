/**
 * Parts of the traffic, over real processes on each backend: a regression of one route that the whole hides, and one
 * bad instance of a canary that is fine otherwise.
 * @module
 */

import { afterAll, beforeAll, describe, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { logProblems } from '../support/sluice-client.ts';
import { backends, type Deployment } from '../support/sluice-deployment.ts';
import { startTraffic, type Traffic } from '../support/sluice-traffic.ts';

describe.each(backends)('parts of the traffic, $name', { timeout: 300_000 }, ({ deploy }) => {
  let deployment: Deployment;
  const traffics: Traffic[] = [];

  beforeAll(async () => {
    deployment = await deploy({
      services: ['routes', 'pods'],
      instances: 3,
      routes: { checkout: { prefix: '/routes/checkout', service: 'routes' } },
    });
  });
  afterAll(async () => {
    await Promise.all(traffics.map((traffic) => traffic.stop()));
    await deployment?.close();
  });

  /** Few users fail twice within half a minute: failures of one user count once. */
  function send(service: string, requestsPerSecond: number): void {
    const { origins } = deployment;
    traffics.push(startTraffic({ origins, service, requestsPerSecond, users: 10_000 }));
  }

  it.concurrent('aborts for one route, and names it, though the whole keeps the limit', async ({
    expect,
  }) => {
    const { project, api } = deployment;
    const { v1, canaries } = project.ordersOf('routes');
    v1.behave({ failEvery: 5 });
    for (const canary of canaries) canary.behave({ failEvery: 5, failBelow: '/routes/checkout' });
    await project.declare({
      rollout: 'routes',
      service: 'routes',
      steps: [{ weight: '20%', hold: '10m' }, { weight: '100%' }],
      abort: [{ when: '5xx > 2x', over: '1m', requests: 10 }],
    });
    send('routes', 60);
    send('routes/checkout', 10);
    await api.act('routes', 'start');
    await api.untilWord('routes', 'ABORTED', 60_000);
    const events = await api.events('routes');
    const last = events.at(-1);
    expect(last).toMatchObject({
      type: 'aborted',
      code: 'RULE',
      evidence: [{ text: '5xx > 2x', segment: 'route=checkout', verdict: 'fail' }],
    });
    expect(last?.reason).toContain('route=checkout: canary ');
    expect(logProblems(events)).toEqual([]);
  });

  it.concurrent('holds for one bad instance, names it, and goes on when it is well', async ({ expect }) => {
    const { project, api } = deployment;
    const { canaries } = project.ordersOf('pods');
    await project.declare({
      rollout: 'pods',
      service: 'pods',
      steps: [{ weight: '30%', hold: '15s' }, { weight: '100%' }],
      abort: [{ when: '5xx > 2x', over: '10s', requests: 10 }],
    });
    send('pods', 60);
    await api.act('pods', 'start');
    await eventually(() => canaries.every((canary) => canary.requests() > 10), 60_000);
    const sick = canaries[1];
    sick?.behave({ failEvery: 1 });
    await eventually(async () => {
      const [check] = (await api.view('pods')).checks;
      return check?.proof?.instance === sick?.url;
    }, 60_000);
    const held = await api.view('pods');
    expect(held.word).not.toBe('ABORTED');
    expect(held.checks[0]?.summary).toContain('the others keep the limit');
    sick?.behave({ failEvery: 0 });
    await api.untilWord('pods', 'PROMOTED', 60_000);
    expect(logProblems(await api.events('pods'))).toEqual([]);
  });
});
