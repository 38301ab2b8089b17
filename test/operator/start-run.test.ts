/**
 * What a run refuses to start on: a busy service, a baseline that does not serve; and what a retry follows.
 * @module
 */

import { beforeEach, describe, expect, it } from 'vitest';
import type { OperatorContext } from '../../src/operator/operator-context.ts';
import { planOf, startRun, viewBeforeStart } from '../../src/operator/start-run.ts';
import type { Backend } from '../../src/ports/backend.ts';
import type { ActRequest } from '../../src/ports/control.ts';
import { sampleSplit } from '../conformance/samples.ts';
import { autoPlan } from '../core/rollout/auto-run.ts';
import { plan } from '../core/rollout/plans.ts';
import {
  catalogOf,
  contextOf,
  MovedClock,
  memoryBackend,
  ReportingGateway,
} from '../support/sluice-operator.ts';

const ACTOR = { kind: 'user', name: 'ada' } as const;

describe('startRun', () => {
  let backend: Backend;
  let context: OperatorContext;
  let epoch: number;

  beforeEach(async () => {
    const clock = new MovedClock();
    backend = await memoryBackend(clock);
    context = contextOf(backend, clock, { catalog: catalogOf(plan()) });
    const lease = await backend.leases.acquire('orders', context.holder, '', 10_000);
    epoch = lease.ok ? lease.grant.epoch : 0;
  });

  it('commits the first record with its started event', async () => {
    const { record, events } = await startRun(context, plan(), epoch, ACTOR, 'first try');
    expect(record).toMatchObject({
      run: 1,
      version: 1,
      lastSequence: 1,
      state: { phase: 'holding', step: 0 },
    });
    expect(events).toMatchObject([
      { type: 'started', actor: ACTOR, reason: 'first try', weightAfterBp: 100 },
    ]);
    expect(await backend.store.load('orders-v2')).toEqual(record);
  });

  it('refuses a second rollout of a service that is busy, by any name', async () => {
    await startRun(context, plan(), epoch, ACTOR, null);
    const other = plan({ rollout: 'orders-v3', canary: 'v3' });
    for (const next of [plan(), other]) {
      await expect(startRun(context, next, epoch, ACTOR, null)).rejects.toMatchObject({
        code: 'ALREADY_RUNNING',
        detail: 'orders-v2 is holding on orders',
      });
    }
    expect(await backend.store.events('orders-v2', 0, 10)).toHaveLength(1);
  });

  it('refuses a plan whose baseline does not serve everything', async () => {
    await expect(startRun(context, plan({ baseline: 'v0' }), epoch, ACTOR, null)).rejects.toMatchObject({
      code: 'BASELINE_MISMATCH',
      detail: expect.stringContaining('v1 100%'),
    });
    await backend.channel.write(sampleSplit({ matches: [] }));
    await expect(startRun(context, plan(), epoch, ACTOR, null)).rejects.toMatchObject({
      code: 'BASELINE_MISMATCH',
      detail: expect.stringContaining('v1 99%, v2 1%'),
    });
    expect(await backend.store.list()).toEqual([]);
  });

  it('begins steps: auto with what was measured, and refuses a first weight that is too dear', async () => {
    const clock = new MovedClock();
    const gateway = new ReportingGateway(backend, clock);
    for (let second = 0; second < 30; second += 1) {
      clock.advance(1000);
      await gateway.second({ v1: { ok: 1_990, bad: 10 } });
    }
    context = contextOf(backend, clock, { catalog: catalogOf(plan()) });
    const dear = autoPlan({ fromBp: 1_000 });
    await expect(startRun(context, dear, epoch, ACTOR, null)).rejects.toMatchObject({
      code: 'OVER_BUDGET',
      detail: expect.stringMatching(/^at 10% of 2000 requests\/s .* more than the budget of 50$/),
    });
    expect(await backend.store.list()).toEqual([]);
    expect((await viewBeforeStart(context, autoPlan({ fromBp: 20 }))).steps[1]?.weightBp).toBe(50);
    const { record, events } = await startRun(context, autoPlan({ fromBp: 20 }), epoch, ACTOR, null);
    expect(record.state.ramp).toMatchObject({ obstacle: null, exposures: [{ weightBp: 20, requests: 0 }] });
    expect(events[0]?.ramp?.inputs.traffic).toEqual({ requestsPerSecond: 2_000, errorRate: 0.005 });
  });

  it('refuses to write under an epoch that is over', async () => {
    await backend.leases.release('orders', context.holder);
    await backend.leases.acquire('orders', 'operator-2', '', 10_000);
    await expect(startRun(context, plan(), epoch, ACTOR, null)).rejects.toMatchObject({
      code: 'STALE_EPOCH',
    });
    expect(await backend.store.list()).toEqual([]);
  });

  it('retries only what was aborted or undone, and by the recorded plan when no file declares it', async () => {
    const retry: ActRequest = {
      rollout: 'orders-v2',
      action: { kind: 'retry', message: null },
      actor: ACTOR,
      expectStep: null,
      expectRun: null,
    };
    await expect(planOf(context, retry, null)).rejects.toMatchObject({ code: 'RUN_UNKNOWN' });
    const recorded = plan({ salt: 'as recorded' });
    const { record } = await startRun(context, recorded, epoch, ACTOR, null);
    await expect(planOf(context, retry, record)).rejects.toMatchObject({ code: 'WRONG_PHASE' });
    const aborted = { ...record, state: { phase: 'aborted', step: 0, sinceMs: 0, reason: 'no' } } as const;
    expect((await planOf(context, retry, aborted)).salt).toBe('orders/orders-v2');
    expect(await planOf({ ...context, catalog: catalogOf() }, retry, aborted)).toEqual(recorded);
  });
});
