/**
 * The main job the other way round, grown up: a bad canary behind two gateways, with two operators, is taken back
 * exactly once, whether or not the operator that looked after it still lives.
 * @module
 */

import { describe, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { logProblems } from '../support/sluice-client.ts';
import { deployOverRedis } from '../support/sluice-deployment.ts';
import type { SluiceProcess } from '../support/sluice-process.ts';
import { startTraffic } from '../support/sluice-traffic.ts';

describe('a bad canary behind two gateways with two operators', { timeout: 300_000 }, () => {
  it.concurrent.for<[string, boolean]>([
    ['while both operators live', false],
    ['by the other operator when the leading one is killed', true],
  ])('is taken back once, on both gateways, at nobody else’s cost: %s', async ([, killed], context) => {
    const { expect } = context;
    const started = await deployOverRedis({ services: ['orders'] });
    context.onTestFinished(() => started.close());
    const { project, origins, gateways, operator: leader } = started;
    const other = await project.startOperator('operator-two');
    const { v2 } = project.ordersOf('orders');
    await project.declare({
      rollout: 'orders-v2',
      service: 'orders',
      steps: [{ weight: '10%', hold: '30m' }, { weight: '100%' }],
      abort: [{ when: '5xx > 2x', over: '10s', requests: 20 }],
    });
    const sending = startTraffic({ origins, service: 'orders', requestsPerSecond: 300, users: 500 });
    context.onTestFinished(async () => void (await sending.stop()));
    await leader.api.act('orders-v2', 'start');
    await eventually(async () => {
      const weights = await Promise.all(gateways.map(baselineWeight));
      return weights.every((weight) => weight === 0.9) && (sending.report().byAnswer['v2 200'] ?? 0) > 30;
    }, 60_000);

    v2.behave({ failEvery: 1 });
    if (killed) await leader.kill('SIGKILL');
    const survivor = killed ? other : leader;
    await survivor.api.untilWord('orders-v2', 'ABORTED');
    await eventually(async () => {
      const view = await survivor.api.view('orders-v2');
      return view.gateways.length === 2 && view.gateways.every(({ current }) => current);
    }, 60_000);
    // What the operator believes is what both gateways say of themselves, and what reaches the canary.
    expect(await Promise.all(gateways.map(baselineWeight))).toEqual([1, 1]);
    const { sent } = sending.report();
    await eventually(() => sending.report().sent > sent + 100, 60_000);
    const reached = v2.requests();
    await eventually(() => sending.report().sent > sent + 400, 60_000);
    expect(v2.requests()).toBe(reached);

    const report = await sending.stop();
    const events = await survivor.api.events('orders-v2');
    expect(events.map(({ type, code, weightAfterBp }) => [type, code, weightAfterBp])).toEqual([
      ['started', 'REQUESTED', 1_000],
      ['aborted', 'RULE', 0],
    ]);
    expect(logProblems(events)).toEqual([]);
    // The rule tells the numbers by which it fired, also to an operator that has only just taken over.
    expect(events[1]?.evidence).toMatchObject([{ text: '5xx > 2x', verdict: 'fail' }]);
    expect(report.dropped, report.failures.join('\n')).toBe(0);
    expect(Object.keys(report.byAnswer).sort()).toEqual(['v1 200', 'v2 200', 'v2 500']);
    // Each of its answers was given once: nothing was repeated behind the client's back, nothing got lost.
    expect((report.byAnswer['v2 200'] ?? 0) + (report.byAnswer['v2 500'] ?? 0)).toBe(v2.requests());
  });
});

/** The share of the baseline as the gateway itself reports it, 0 to 1; null: it reports none. */
async function baselineWeight({ adminUrl }: SluiceProcess): Promise<number | null> {
  const metrics = await (await fetch(`${adminUrl}/metrics`)).text();
  const sample = /^sluice_weight_ratio\{[^}]*"v1"[^}]*\} (\S+)$/m.exec(metrics);
  return sample === null ? null : Number(sample[1]);
}
