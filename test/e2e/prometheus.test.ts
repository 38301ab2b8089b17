/**
 * Rules judged by a real Prometheus that scrapes real gateways, and what happens when it has no answers.
 * @module
 */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { type PrometheusServer, startPrometheus } from '../support/prometheus-server.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { logProblems } from '../support/sluice-client.ts';
import { type SluiceProcess, SluiceProject } from '../support/sluice-process.ts';
import { startTraffic, type Traffic } from '../support/sluice-traffic.ts';

/** Without its closing brace. */
const ATTEMPTS = 'http_client_request_duration_seconds_count{sluice_version="$version"';

describe('rules on Prometheus', { timeout: 300_000 }, () => {
  let redis: RedisServer;
  let project: SluiceProject;
  let gateways: readonly SluiceProcess[];
  let prometheus: PrometheusServer;
  let operator: SluiceProcess;
  let traffic: Traffic;

  beforeAll(async () => {
    redis = await startRedis({ persistent: true });
    project = await SluiceProject.create({ services: ['orders'], redisUrl: redis.url });
    gateways = await Promise.all([project.startGateway('gateway-a'), project.startGateway('gateway-b')]);
    prometheus = await startPrometheus({
      targets: gateways.map(({ ports }) => `127.0.0.1:${ports.admin}`),
      scrapeIntervalMs: 500,
    });
    await project.configureOperator({ prometheus: { url: prometheus.url, timeout: '1s', interval: '1s' } });
    operator = await project.startOperator('operator');
    await project.declare({
      rollout: 'orders-v2',
      service: 'orders',
      steps: [{ weight: '30%', hold: '6s', requests: 50 }, { weight: '100%' }],
      abort: [
        { when: '5xx > 5%', over: '1m', requests: 20, source: 'prometheus' },
        {
          when: `promql: sum(increase(${ATTEMPTS},http_response_status_code="500"}[$interval])) / sum(increase(${ATTEMPTS}}[$interval])) > 2x`,
          floor: '1%',
        },
        {
          when: 'promql: (sum(rate(http_server_request_duration_seconds_count{sluice_version="v2",http_response_status_code="500"}[1m])) or vector(0)) > 1',
        },
      ],
    });
    traffic = startTraffic({
      origins: gateways.map(({ url }) => url),
      service: 'orders',
      requestsPerSecond: 100,
      users: 200,
    });
  });
  afterAll(async () => {
    await traffic?.stop();
    await project?.close();
    await prometheus?.stop();
    await redis?.stop();
  });

  it('hold a rollout while Prometheus does not answer, and promote it afterwards', async () => {
    const { api } = operator;
    await api.act('orders-v2', 'start');
    await api.until('orders-v2', 'under way', ({ progress }) => progress.evidenceMs > 500, 60_000);
    await prometheus.pause();
    const held = await api.until('orders-v2', 'without evidence', ({ evidence }) => !evidence.flowing);
    expect(held.evidence.cause).toBe('source-slow');
    const { sent } = traffic.report();
    await eventually(() => traffic.report().sent > sent + 300, 60_000);
    const later = await api.view('orders-v2');
    expect(later).toMatchObject({
      phase: 'holding',
      step: 0,
      progress: { evidenceMs: held.progress.evidenceMs },
    });
    prometheus.resume();
    await api.untilWord('orders-v2', 'PROMOTED', 60_000);
    const events = await api.events('orders-v2');
    expect(events.map(({ type }) => type)).toEqual(['started', 'advanced', 'promoted']);
    expect(events[1]?.evidence).toMatchObject([
      { verdict: 'pass', evidence: { kind: 'rate' }, proof: { share: 0.5 } },
      { verdict: 'pass', evidence: { kind: 'rate' }, proof: { share: 0.5 } },
      { verdict: 'pass', evidence: { kind: 'scalar' }, proof: null },
    ]);
    expect(logProblems(events)).toEqual([]);
  });

  it('abort a bad canary, and do not hold its errors against the next try', async () => {
    const { api } = operator;
    const { v2 } = project.ordersOf('orders');
    await api.act('orders-v2', 'undo');
    await api.act('orders-v2', 'start');
    v2.behave({ failEvery: 2 });
    await api.untilWord('orders-v2', 'ABORTED');
    const last = (await api.events('orders-v2')).at(-1);
    expect(last).toMatchObject({ type: 'aborted', code: 'RULE', weightAfterBp: 0 });
    expect(
      (last?.evidence.length ?? 0) > 0 && last?.evidence.every(({ verdict }) => verdict === 'fail'),
    ).toBe(true);

    // Well within the minute that both rules look back over.
    v2.behave({ failEvery: 0 });
    await api.act('orders-v2', 'retry');
    await api.untilWord('orders-v2', 'PROMOTED', 45_000);
  });

  it('give a rollout without Prometheus no good news', async () => {
    const { api } = operator;
    await api.act('orders-v2', 'undo');
    await prometheus.stop();
    await api.act('orders-v2', 'start');
    const held = await api.until(
      'orders-v2',
      'told that the source is down',
      ({ evidence }) => evidence.cause === 'source-down',
    );
    const { sent } = traffic.report();
    await eventually(() => traffic.report().sent > sent + 300, 60_000);
    expect(await api.view('orders-v2')).toMatchObject({ phase: 'holding', step: 0, progress: held.progress });
  });
});
