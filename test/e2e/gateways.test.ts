/**
 * Gateways restarted, killed and reloaded while traffic runs: what is sent is answered.
 * @module
 */

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { logProblems } from '../support/sluice-client.ts';
import { type Deployment, deployEmbedded, deployOverRedis } from '../support/sluice-deployment.ts';
import type { SluiceProcess } from '../support/sluice-process.ts';
import { startTraffic, type Traffic } from '../support/sluice-traffic.ts';

describe('gateways under traffic', { timeout: 300_000 }, () => {
  let deployment: Deployment | undefined;
  let traffic: Traffic | undefined;

  afterEach(async () => {
    await traffic?.stop();
    await deployment?.close();
  });

  it('lose no request when one is restarted with SIGTERM, and a rollout goes on when one is killed', async () => {
    deployment = await deployOverRedis({ services: ['orders'] });
    const { project, api, origins, gateways } = deployment;
    const [a, b] = gateways as [SluiceProcess, SluiceProcess];
    await project.declare({
      rollout: 'orders-v2',
      service: 'orders',
      steps: [
        { weight: '30%', hold: '1s', gate: 'manual' },
        { weight: '60%', hold: '1s' },
        { weight: '100%' },
      ],
    });
    traffic = startTraffic({ origins, service: 'orders', requestsPerSecond: 200, users: 100 });
    await api.act('orders-v2', 'start');
    await api.untilWord('orders-v2', 'WAITING');

    await a.restart('SIGTERM');
    await b.restart('SIGTERM');
    await eventually(
      async () => (await api.view('orders-v2')).gateways.every(({ current }) => current),
      60_000,
    );
    const report = traffic.report();
    expect(report.dropped, report.failures.join('\n')).toBe(0);
    expect(Object.keys(report.byStatus)).toEqual(['200']);
    // Restarted gateways put every user where they were.
    expect(report.moves['v2→v1']).toBeUndefined();

    await a.kill('SIGKILL');
    await api.act('orders-v2', 'promote');
    await api.untilWord('orders-v2', 'PROMOTED');
    expect(logProblems(await api.events('orders-v2'))).toEqual([]);
  });

  it('reload their file on SIGHUP and on change without losing a request; a bad file changes nothing', async () => {
    deployment = await deployEmbedded({ services: ['orders'] });
    const { project, origins, operator: up } = deployment;
    const origin = origins[0] as string;
    const path = join(project.dir, 'proxy/gateway.yaml');
    const original = JSON.parse(await readFile(path, 'utf8'));
    const [route] = original.routes;
    const withRoute = (name: string) =>
      JSON.stringify({ ...original, routes: [route, { ...route, name, match: { prefix: `/${name}` } }] });
    const status = async (target: string) => (await fetch(`${origin}/${target}`)).status;
    traffic = startTraffic({ origins, service: 'orders', requestsPerSecond: 200, users: 100 });
    await eventually(() => (traffic as Traffic).report().sent > 100);
    expect(await status('by-signal')).toBe(404);

    await writeFile(path, withRoute('by-signal'));
    up.signal('SIGHUP');
    await eventually(async () => (await status('by-signal')) === 200);

    await writeFile(path, withRoute('by-change'));
    await eventually(async () => (await status('by-change')) === 200);
    expect(await status('by-signal')).toBe(404);

    await writeFile(path, '{ "listeners": [ }');
    up.signal('SIGHUP');
    await eventually(() => up.output.includes('configuration not reloaded'));
    expect(await status('by-change')).toBe(200);

    const { sent } = traffic.report();
    await eventually(() => (traffic as Traffic).report().sent > sent + 100);
    const report = await traffic.stop();
    expect(report.dropped, report.failures.join('\n')).toBe(0);
    expect(Object.keys(report.byStatus)).toEqual(['200']);
  });
});
