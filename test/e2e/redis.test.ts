/**
 * Redis and operators lost and found while a rollout runs over them: traffic never notices, and only one
 * operator ever writes.
 * @module
 */

import { afterEach, describe, expect, it } from 'vitest';
import type { RolloutView } from '../../src/core/view/rollout-view.ts';
import { eventually } from '../support/eventually.ts';
import { type ControlClient, logProblems, stepsOf } from '../support/sluice-client.ts';
import { deployOverRedis, type OverRedis } from '../support/sluice-deployment.ts';
import { startTraffic, type Traffic } from '../support/sluice-traffic.ts';

describe('over Redis', { timeout: 300_000 }, () => {
  let deployment: OverRedis | undefined;
  let traffic: Traffic | undefined;

  afterEach(async () => {
    await traffic?.stop();
    await deployment?.close();
  });

  async function begin(
    options: { readonly persistent: boolean },
    steps: readonly Readonly<Record<string, unknown>>[],
  ): Promise<OverRedis & { readonly traffic: Traffic }> {
    const started = await deployOverRedis({ services: ['orders'], ...options });
    deployment = started;
    await started.project.declare({
      rollout: 'orders-v2',
      service: 'orders',
      steps,
      // A machine that is busy may take longer to start a process than a weight is lent for.
      onOperatorLoss: { after: '10m', do: 'baseline' },
      abort: [{ when: '5xx > 5%', over: '5s', requests: 10 }],
    });
    const sending = startTraffic({
      origins: started.origins,
      service: 'orders',
      requestsPerSecond: 100,
      users: 100,
    });
    traffic = sending;
    await started.api.act('orders-v2', 'start');
    return { ...started, traffic: sending };
  }

  /** Over three steps; resolves in the second one, which lasts four seconds. */
  async function beginThreeSteps(options: { readonly persistent: boolean }) {
    const started = await begin(options, [
      { weight: '30%', hold: '1s' },
      { weight: '60%', hold: '4s' },
      { weight: '100%' },
    ]);
    const inSecond = ({ step, progress }: RolloutView) => step === 1 && progress.requests > 0;
    await started.api.until('orders-v2', 'in its second step', inSecond);
    return started;
  }

  async function expectPromotedWithoutLoss(api: ControlClient, sending: Traffic): Promise<void> {
    await api.untilWord('orders-v2', 'PROMOTED');
    const report = await sending.stop();
    const events = await api.events('orders-v2');
    expect(stepsOf(events)).toEqual(['started 0', 'advanced 1', 'advanced 2', 'promoted 2']);
    expect(logProblems(events)).toEqual([]);
    expect(report.dropped, report.failures.join('\n')).toBe(0);
    expect(Object.keys(report.byStatus)).toEqual(['200']);
    expect(report.moves['v2→v1']).toBeUndefined();
  }

  it('a restart of Redis delays a rollout and loses nothing, neither requests nor steps', async () => {
    const { redis, api, traffic: sending } = await beginThreeSteps({ persistent: true });
    await redis.kill();
    const { sent } = sending.report();
    await eventually(() => sending.report().sent > sent + 200, 60_000);
    await redis.restart();
    await expectPromotedWithoutLoss(api, sending);
  });

  it('a Redis that comes back empty costs no request, no step and not the newest part of the record', async () => {
    const { redis, api, traffic: sending } = await beginThreeSteps({ persistent: false });
    await redis.restart();
    await expectPromotedWithoutLoss(api, sending);
  });

  it('of two operators one decides, the other passes requests on and takes over when it is gone', async () => {
    const {
      project,
      api,
      operator: one,
    } = await begin({ persistent: true }, [
      { weight: '20%', hold: '1s', gate: 'manual' },
      { weight: '40%', hold: '1s', gate: 'manual' },
      { weight: '60%', hold: '1s', gate: 'manual' },
      { weight: '100%' },
    ]);
    const two = await project.startOperator('operator-two');
    // Asked of the other one: it has not looked at the rollout itself.
    await two.api.untilWord('orders-v2', 'WAITING');
    const view = await two.api.act('orders-v2', 'promote', { expectStep: 0 });
    expect(view.step).toBe(1);
    expect(one.output).toContain('rollout event');
    expect(two.output).not.toContain('rollout event');

    // Stopped past its lease, it does not know that it has lost it.
    await api.until('orders-v2', 'at its second gate', ({ word, step }) => word === 'WAITING' && step === 1);
    one.signal('SIGSTOP');
    await eventually(async () => {
      const taken = await two.api.act('orders-v2', 'promote', { expectStep: 1 });
      return taken.step === 2;
    }, 90_000);
    expect(two.output).toContain('rollout event');
    const before = one.output.length;
    one.signal('SIGCONT');
    await two.api.until(
      'orders-v2',
      'at its third gate',
      ({ word, step }) => word === 'WAITING' && step === 2,
    );
    // The one that was stopped now passes requests on, too.
    const seen = await one.api.until('orders-v2', 'seen by both', ({ step }) => step === 2);
    expect(seen.word).toBe('WAITING');
    expect(one.output.slice(before)).not.toContain('rollout event');

    await two.kill('SIGKILL');
    await eventually(
      async () => (await one.api.act('orders-v2', 'promote', { expectStep: 2 })).step === 3,
      90_000,
    );
    await one.api.untilWord('orders-v2', 'PROMOTED');
    const events = await one.api.events('orders-v2');
    expect(logProblems(events)).toEqual([]);
    expect(stepsOf(events)).toEqual([
      'started 0',
      'awaiting-gate 0',
      'gate-passed 1',
      'awaiting-gate 1',
      'gate-passed 2',
      'awaiting-gate 2',
      'gate-passed 3',
      'promoted 3',
    ]);
  });
});
