/**
 * What ends, holds and resumes a rollout, over real processes on each backend. Every test has a service of its
 * own, so that all of them share one deployment and run side by side.
 * @module
 */

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, type ExpectStatic, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { logProblems } from '../support/sluice-client.ts';
import { backends, type Deployment } from '../support/sluice-deployment.ts';
import type { OrdersVersion } from '../support/sluice-orders.ts';
import { startTraffic, type Traffic } from '../support/sluice-traffic.ts';

const SERVICES = [
  'errors',
  'slower',
  'too-slow',
  'error-limit',
  'manual',
  'webhook-go',
  'webhook-stop',
  'paused',
  'undone',
  'frozen',
  'silent',
];

describe.each(backends)('decisions, $name', { timeout: 300_000 }, ({ deploy }) => {
  let deployment: Deployment;
  const traffics: Traffic[] = [];

  beforeAll(async () => {
    deployment = await deploy({ services: SERVICES });
  });
  afterAll(async () => {
    await Promise.all(traffics.map((traffic) => traffic.stop()));
    await deployment?.close();
  });

  /** Declares a rollout named like its service, starts traffic, then the rollout. */
  async function begin(service: string, spec: Readonly<Record<string, unknown>>): Promise<Traffic> {
    const { project, api, origins } = deployment;
    await project.declare({
      rollout: service,
      service,
      steps: [{ weight: '20%', hold: '30s' }, { weight: '100%' }],
      ...spec,
    });
    const traffic = startTraffic({ origins, service, requestsPerSecond: 60, users: 200 });
    traffics.push(traffic);
    await api.act(service, 'start');
    return traffic;
  }

  /** Waits until clients have seen the canary. */
  const untilServed = (traffic: Traffic) =>
    eventually(() => (traffic.report().byVersion.v2 ?? 0) >= 10, 60_000);

  /** Waits until so many more requests have been sent. */
  async function afterMore(traffic: Traffic, requests: number): Promise<void> {
    const target = traffic.report().sent + requests;
    await eventually(() => traffic.report().sent >= target, 60_000);
  }

  /** Waits until every gateway has said that it serves what is set. */
  async function untilApplied(rollout: string): Promise<void> {
    const { api, gateways } = deployment;
    await eventually(async () => {
      const view = await api.view(rollout);
      return view.gateways.length === gateways.length && view.gateways.every(({ current }) => current);
    }, 60_000);
  }

  /** From now on nothing new reaches a version; what is under way to it gets a second to arrive. */
  async function expectSilence(
    expect: ExpectStatic,
    traffic: Traffic,
    version: OrdersVersion,
  ): Promise<void> {
    await afterMore(traffic, 60);
    const served = version.requests();
    await afterMore(traffic, 150);
    expect(version.requests()).toBe(served);
  }

  it.concurrent('aborts within seconds of the first errors, and sends the canary nothing more', async ({
    expect,
  }) => {
    const { project, api } = deployment;
    const { v2 } = project.ordersOf('errors');
    const traffic = await begin('errors', { abort: [{ when: '5xx > 2x', over: '5s', requests: 10 }] });
    await untilServed(traffic);
    v2.behave({ failEvery: 2 });
    const aborted = await api.untilWord('errors', 'ABORTED');
    await untilApplied('errors');
    await expectSilence(expect, traffic, v2);

    expect(aborted.weight.setBp).toBe(0);
    const events = await api.events('errors');
    const last = events.at(-1);
    expect(last).toMatchObject({ type: 'aborted', code: 'RULE', weightBeforeBp: 2000, weightAfterBp: 0 });
    expect(last?.evidence).toMatchObject([{ text: '5xx > 2x', verdict: 'fail', evidence: { kind: 'rate' } }]);
    const [check] = last?.evidence ?? [];
    expect(check?.evidence.kind === 'rate' && check.evidence.canary.bad).toBeGreaterThan(0);
    // In failures, not in seconds: a slow machine sends fewer of them.
    expect(traffic.report().byAnswer['v2 500'] ?? 0).toBeLessThan(150);
    expect(logProblems(events)).toEqual([]);
  });

  it.concurrent('aborts a canary whose p95 is worse than the baseline by more than the rule allows', async ({
    expect,
  }) => {
    const { project, api } = deployment;
    project.ordersOf('slower').v2.behave({ latencyMs: 1_000 });
    await begin('slower', { abort: [{ when: 'p95 > +50%', over: '5s', requests: 15 }] });
    await api.untilWord('slower', 'ABORTED');
    const last = (await api.events('slower')).at(-1);
    expect(last).toMatchObject({
      code: 'RULE',
      evidence: [{ evidence: { kind: 'quantile', quantile: 0.95 } }],
    });
    const evidence = last?.evidence[0]?.evidence;
    expect(evidence?.kind === 'quantile' && evidence.canary.valueMs).toBeGreaterThanOrEqual(990);
    expect(evidence?.kind === 'quantile' && evidence.baseline?.total).toBeGreaterThan(0);
  });

  it.concurrent('aborts by a fixed latency', async ({ expect }) => {
    const { project, api } = deployment;
    project.ordersOf('too-slow').v2.behave({ latencyMs: 1_500 });
    await begin('too-slow', { abort: [{ when: 'p99 > 1s', over: '5s', requests: 15 }] });
    await api.untilWord('too-slow', 'ABORTED');
    const last = (await api.events('too-slow')).at(-1);
    expect(last?.reason).toContain('p99 > 1s');
    expect(last?.evidence).toMatchObject([{ evidence: { kind: 'quantile', quantile: 0.99 } }]);
  });

  it.concurrent('aborts by a fixed error rate', async ({ expect }) => {
    const { project, api } = deployment;
    project.ordersOf('error-limit').v2.behave({ failEvery: 3 });
    await begin('error-limit', { abort: [{ when: '5xx > 10%', over: '5s', requests: 15 }] });
    await api.untilWord('error-limit', 'ABORTED');
    const last = (await api.events('error-limit')).at(-1);
    expect(last?.evidence).toMatchObject([{ text: '5xx > 10%', verdict: 'fail' }]);
  });

  it.concurrent('waits at a manual gate until somebody promotes the step that they looked at', async ({
    expect,
  }) => {
    const { api } = deployment;
    const traffic = await begin('manual', {
      steps: [{ weight: '20%', hold: '1s', gate: 'manual' }, { weight: '100%' }],
    });
    await api.untilWord('manual', 'WAITING');
    await afterMore(traffic, 120);
    expect(await api.view('manual')).toMatchObject({ word: 'WAITING', step: 0, weight: { setBp: 2000 } });
    await expect(api.act('manual', 'promote', { expectStep: 1 })).rejects.toMatchObject({
      status: 409,
      code: 'STEP_MOVED',
    });
    await api.act('manual', 'promote', { expectStep: 0, reason: 'looks fine' });
    await api.untilWord('manual', 'PROMOTED');
    const events = await api.events('manual');
    expect(events.map(({ type }) => type)).toEqual(['started', 'awaiting-gate', 'gate-passed', 'promoted']);
    expect(events[2]).toMatchObject({ actor: { kind: 'user' }, code: 'REQUESTED', reason: 'looks fine' });
    expect(logProblems(events)).toEqual([]);
  });

  it.concurrent('asks a webhook gate until it says go', async ({ expect }) => {
    const { api } = deployment;
    const gate = await startGate((asked) => (asked < 3 ? 503 : 204));
    try {
      await begin('webhook-go', {
        steps: [
          { weight: '20%', hold: '1s', gate: { webhook: gate.url, interval: '1s' } },
          { weight: '100%' },
        ],
      });
      await api.untilWord('webhook-go', 'PROMOTED');
    } finally {
      await gate.close();
    }
    const events = await api.events('webhook-go');
    expect(events.map(({ type, code }) => [type, code])).toEqual([
      ['started', 'REQUESTED'],
      ['awaiting-gate', 'HOLD_COMPLETE'],
      ['gate-passed', 'GATE'],
      ['promoted', 'LAST_STEP_COMPLETE'],
    ]);
    // Once more at most when evidence or a gateway was late at the moment of the answer.
    expect(gate.asked()).toBeGreaterThanOrEqual(3);
  });

  it.concurrent('aborts when a webhook gate says stop', async ({ expect }) => {
    const { api } = deployment;
    const gate = await startGate(() => 403);
    try {
      await begin('webhook-stop', {
        steps: [
          { weight: '20%', hold: '1s', gate: { webhook: gate.url, interval: '1s' } },
          { weight: '100%' },
        ],
      });
      await api.untilWord('webhook-stop', 'ABORTED');
    } finally {
      await gate.close();
    }
    expect((await api.events('webhook-stop')).at(-1)).toMatchObject({ type: 'aborted', code: 'GATE' });
  });

  it.concurrent('keeps weight and progress while paused, and goes on from there', async ({ expect }) => {
    const { api } = deployment;
    const traffic = await begin('paused', { steps: [{ weight: '20%', hold: '4s' }, { weight: '100%' }] });
    await api.until('paused', 'half through', ({ progress }) => progress.evidenceMs > 1_500);
    const paused = await api.act('paused', 'pause', { reason: 'lunch' });
    expect(paused).toMatchObject({ word: 'PAUSED', step: 0, weight: { setBp: 2000 } });
    await afterMore(traffic, 300);
    const later = await api.view('paused');
    expect(later).toMatchObject({ word: 'PAUSED', weight: { setBp: 2000 } });
    expect(later.progress).toEqual(paused.progress);
    const resumed = await api.act('paused', 'resume');
    expect(resumed.progress.evidenceMs).toBeGreaterThanOrEqual(paused.progress.evidenceMs);
    await api.untilWord('paused', 'PROMOTED');
    const events = await api.events('paused');
    expect(events.map(({ type }) => type)).toEqual(['started', 'paused', 'resumed', 'advanced', 'promoted']);
    expect(logProblems(events)).toEqual([]);
  });

  it.concurrent('undoes a promotion, and retries from the first step as a new run', async ({ expect }) => {
    const { project, api } = deployment;
    const traffic = await begin('undone', { steps: [{ weight: '20%', hold: '1s' }, { weight: '100%' }] });
    await api.untilWord('undone', 'PROMOTED');
    const undone = await api.act('undone', 'undo', { reason: 'customers call' });
    expect(undone).toMatchObject({ word: 'UNDONE', weight: { setBp: 0 } });
    await untilApplied('undone');
    await expectSilence(expect, traffic, project.ordersOf('undone').v2);

    await expect(api.act('undone', 'undo')).rejects.toMatchObject({ code: 'WRONG_PHASE' });
    const retried = await api.act('undone', 'retry');
    expect(retried).toMatchObject({ run: 2, step: 0, weight: { setBp: 2000 } });
    await expect(api.act('undone', 'start')).rejects.toMatchObject({ status: 409, code: 'ALREADY_RUNNING' });
    const aborted = await api.act('undone', 'abort', { reason: 'changed my mind' });
    expect(aborted).toMatchObject({ word: 'ABORTED', weight: { setBp: 0 } });
    await api.act('undone', 'retry');
    await api.untilWord('undone', 'PROMOTED');
    const events = await api.events('undone');
    expect(events.map(({ run, type }) => `${run} ${type}`)).toEqual([
      '1 started',
      '1 advanced',
      '1 promoted',
      '1 undone',
      '2 started',
      '2 aborted',
      '3 started',
      '3 advanced',
      '3 promoted',
    ]);
    expect(logProblems(events)).toEqual([]);
  });

  it.concurrent('advances nothing in a freeze, and still aborts', async ({ expect }) => {
    const { project, api } = deployment;
    const traffic = await begin('frozen', {
      steps: [{ weight: '20%', hold: '1s' }, { weight: '100%' }],
      schedule: { freeze: ['2001-01-01/2199-12-31'] },
      abort: [{ when: '5xx > 10%', over: '5s', requests: 10 }],
    });
    await api.until('frozen', 'past its hold', ({ progress }) => progress.evidenceMs > 2_000);
    await afterMore(traffic, 120);
    expect(await api.view('frozen')).toMatchObject({ word: 'HOLDING', step: 0, weight: { setBp: 2000 } });
    project.ordersOf('frozen').v2.behave({ failEvery: 1 });
    await api.untilWord('frozen', 'ABORTED');
    expect((await api.events('frozen')).map(({ type }) => type)).toEqual(['started', 'aborted']);
  });

  it.concurrent('pauses when traffic stops, counting nothing meanwhile', async ({ expect }) => {
    const { api } = deployment;
    const traffic = await begin('silent', {
      steps: [{ weight: '20%', hold: '24s' }, { weight: '100%' }],
      onNoEvidence: { after: '2s', do: 'pause' },
    });
    await api.until('silent', 'under way', ({ progress }) => progress.evidenceMs > 0);
    await traffic.stop();
    const paused = await api.untilWord('silent', 'PAUSED');
    expect(paused.evidence.flowing).toBe(false);
    expect((await api.events('silent')).at(-1)).toMatchObject({
      type: 'paused',
      code: 'NO_EVIDENCE',
      actor: { kind: 'operator' },
      weightAfterBp: 2000,
    });
    expect(paused.progress.evidenceMs).toBeLessThan(paused.nowMs - (paused.startedAtMs ?? 0) - 2_000);
  });
});

interface GateServer {
  readonly url: string;
  asked(): number;
  close(): Promise<void>;
}

/** `answer` gets how often it has been asked, from 1, and returns the status. */
async function startGate(answer: (asked: number) => number): Promise<GateServer> {
  let asked = 0;
  const server = createServer((request, response) => {
    asked += 1;
    request.resume();
    response.writeHead(answer(asked));
    response.end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/gate`,
    asked: () => asked,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
