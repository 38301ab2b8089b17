/**
 * A step that mirrors, over real processes on each backend: a canary with a wrong field is taken back before any client
 * has seen it, one that differs by noise only goes on to its first users.
 * @module
 */

import { afterAll, beforeAll, describe, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { logProblems } from '../support/sluice-client.ts';
import { backends, type Deployment, deployOverRedis } from '../support/sluice-deployment.ts';
import { startTraffic, type Traffic } from '../support/sluice-traffic.ts';

describe.each(backends)('a step that mirrors, $name', { timeout: 300_000 }, ({ deploy }) => {
  let deployment: Deployment;
  const traffics: Traffic[] = [];

  beforeAll(async () => {
    deployment = await deploy({ services: ['wrong', 'noisy'] });
  });
  afterAll(async () => {
    await Promise.all(traffics.map((traffic) => traffic.stop()));
    await deployment?.close();
  });

  async function begin(
    service: string,
    steps: readonly Readonly<Record<string, unknown>>[],
  ): Promise<Traffic> {
    const { project, api, origins } = deployment;
    const abort = [
      { when: 'differs > 2%', over: '1m' },
      { when: '5xx > 2x', over: '1m' },
    ];
    await project.declare({ rollout: service, service, steps, abort });
    const traffic = startTraffic({ origins, service, requestsPerSecond: 80, users: 200 });
    traffics.push(traffic);
    await api.act(service, 'start');
    return traffic;
  }

  it.concurrent('aborts a canary with a wrong field, and no client ever saw it', async ({ expect }) => {
    const { project, api } = deployment;
    const { v1, v2 } = project.ordersOf('wrong');
    v1.behave({
      answer: () => ({ id: 7, total: { amount: 1250, currency: 'EUR' }, at: Date.now() + Math.random() }),
    });
    v2.behave({
      answer: () => ({ id: 7, total: { amount: 12.5, currency: 'EUR' }, at: Date.now() + Math.random() }),
    });
    const traffic = await begin('wrong', [
      { mirror: '100%', hold: '30m' },
      { weight: '10%', hold: '30m' },
      { weight: '100%' },
    ]);
    const aborted = await api.untilWord('wrong', 'ABORTED');

    expect(aborted.sentence).toContain('differs > 2%');
    const events = await api.events('wrong');
    expect(events.map(({ type, code, mirrorBp }) => [type, code, mirrorBp])).toEqual([
      ['started', 'REQUESTED', 10_000],
      ['aborted', 'RULE', undefined],
    ]);
    expect(events[0]?.reason).toBe('started mirroring 100%');
    expect(events[1]?.evidence).toMatchObject([
      { text: 'differs > 2%', verdict: 'fail', evidence: { kind: 'rate', of: 'differences' } },
    ]);
    expect(logProblems(events)).toEqual([]);
    // The abort has ended the mirror as well.
    await eventually(async () => {
      const view = await api.view('wrong');
      return (
        view.gateways.length === deployment.gateways.length && view.gateways.every(({ current }) => current)
      );
    }, 60_000);
    const { sent } = traffic.report();
    await eventually(() => traffic.report().sent > sent + 80, 60_000);
    const asked = v2.requests();
    await eventually(() => traffic.report().sent > sent + 240, 60_000);
    expect(v2.requests()).toBe(asked);
    expect(asked).toBeGreaterThan(0);
    expect(Object.keys(traffic.report().byAnswer)).toEqual(['v1 200']);
  });

  it.concurrent('goes on when nothing differs but noise, having served nobody until then', async ({
    expect,
  }) => {
    const { project, api } = deployment;
    const { v1, v2 } = project.ordersOf('noisy');
    const answer = () => ({ id: 7, at: Date.now() + Math.random() });
    v1.behave({ answer });
    v2.behave({ answer });
    const traffic = await begin('noisy', [
      { mirror: '50%', hold: '3s', requests: 60 },
      { weight: '50%', hold: '30m' },
      { weight: '100%' },
    ]);
    await eventually(() => traffic.report().sent > 80, 60_000);
    // Counted before the step is asked for: at this step nobody had seen the canary.
    const seen = traffic.report().byAnswer;
    const mirroring = await api.view('noisy');
    expect(mirroring).toMatchObject({ step: 0, weight: { setBp: 0 }, mirror: { shareBp: 5_000 } });
    expect(Object.keys(seen)).toEqual(['v1 200']);
    await eventually(async () => (await api.view('noisy')).step === 1, 60_000);
    expect((await api.view('noisy')).mirror).toBeUndefined();
    await eventually(() => (traffic.report().byAnswer['v2 200'] ?? 0) > 0, 60_000);
    const events = await api.events('noisy');
    expect(events.map(({ type, code, weightAfterBp }) => [type, code, weightAfterBp])).toEqual([
      ['started', 'REQUESTED', 0],
      ['advanced', 'HOLD_COMPLETE', 5_000],
    ]);
    expect(events[1]?.reason).toMatch(
      /^step 1 \(mirroring 50%\) is complete: .*, \d+ answers compared, no rule broken$/,
    );
    await api.act('noisy', 'abort');
  });
});

describe('an operator that dies at a step that mirrors', { timeout: 120_000 }, () => {
  it('lends the mirror only: gateways stop it by themselves, and the one that comes back goes on where it was', async (context) => {
    const { expect } = context;
    const deployment = await deployOverRedis({ services: ['orders'] });
    context.onTestFinished(() => deployment.close());
    const { project, api, origins, operator } = deployment;
    const { v1, v2 } = project.ordersOf('orders');
    const right = () => ({ id: 7, at: Date.now() + Math.random() });
    v1.behave({ answer: right });
    v2.behave({ answer: right });
    await project.declare({
      rollout: 'orders-v2',
      service: 'orders',
      steps: [{ mirror: '100%', hold: '30m' }, { weight: '100%' }],
      abort: [{ when: 'differs > 2%', over: '1m' }],
      onOperatorLoss: { after: '2s', do: 'baseline' },
    });
    const traffic = startTraffic({ origins, service: 'orders', requestsPerSecond: 80, users: 200 });
    context.onTestFinished(async () => void (await traffic.stop()));
    await api.act('orders-v2', 'start');
    // Longer than the time between two saves of the progress.
    await api.until('orders-v2', 'well into its mirror', ({ progress }) => progress.evidenceMs > 8_000);

    await operator.kill('SIGKILL');
    await eventually(async () => {
      const before = v2.requests();
      const { sent } = traffic.report();
      await eventually(() => traffic.report().sent >= sent + 100, 20_000);
      return v2.requests() === before;
    }, 30_000);
    const asked = v2.requests();
    await operator.start();
    await eventually(() => v2.requests() > asked, 30_000);
    const back = await api.until('orders-v2', 'looked after again', () => true);
    expect(back).toMatchObject({ step: 0, run: 1, phase: 'holding' });
    expect(back.progress.evidenceMs).toBeGreaterThan(2_000);

    v2.behave({ answer: () => ({ ...right(), id: 8 }) });
    await api.untilWord('orders-v2', 'ABORTED');
    const report = await traffic.stop();
    expect(Object.keys(report.byAnswer)).toEqual(['v1 200']);
    expect(report.dropped, report.failures.join('\n')).toBe(0);
  });
});
