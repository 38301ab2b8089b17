import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { emptyWindow, foldSummary, recentBuckets, sumArm } from '../../src/core/analysis/evidence-window.ts';
import { Histogram } from '../../src/core/analysis/histogram.ts';
import type { Traffic, VersionSummary } from '../../src/core/domain/telemetry.ts';
import { totalOf } from '../../src/core/domain/telemetry.ts';
import { MAX_RETIRED_SERVICES } from '../../src/gateway/limits.ts';
import { Recorder } from '../../src/gateway/recorder.ts';
import { gatewayConfigOf, serviceOf } from '../support/gateway-config.ts';
import { call, eventually, GatewayHarness, portOf, raw } from '../support/gateway-harness.ts';
import { silentLogger } from '../support/silent-logger.ts';

let harness: GatewayHarness;

beforeEach(async () => {
  harness = await GatewayHarness.open();
});

afterEach(() => harness.close());

describe('sequences of telemetry', () => {
  it('go on where they were when a reload brings a service back, so that nothing is taken for a duplicate', async () => {
    const v1 = await harness.named('v1');
    const [orders, users] = [serviceOf('orders', { v1: [v1.url] }), serviceOf('users', { v1: [v1.url] })];
    const config = gatewayConfigOf([orders, users]);
    const gateway = await harness.gateway(config);
    const reported = () => harness.stream.summaries.filter(({ service }) => service === 'orders');
    await eventually(() => reported().length >= 2);
    await gateway.reload(gatewayConfigOf([users]));
    const before = reported().length;
    await gateway.reload(config);
    for (let i = 0; i < 5; i += 1) await call(gateway, '/');
    await eventually(() => reported().length >= before + 2);
    const sequences = reported().map(({ sequence }) => sequence);
    expect(sequences).toEqual(sequences.map((_, index) => index + 1));
    const window = reported().reduce(foldSummary, emptyWindow(60_000));
    expect(sumArm(recentBuckets(window, 60_000), 'v1').total).toBe(5);
  });

  it('never go back, however many services come and go', async () => {
    const recorder = new Recorder({
      gateway: 'g1',
      incarnation: 'i1',
      stream: harness.stream,
      // A second is always about to end.
      clock: { nowMs: () => 999 },
      logger: silentLogger,
      monotonicMs: () => performance.now(),
      revisionOf: () => 0,
    });
    harness.onClose(() => recorder.close());
    const sequences = () =>
      harness.stream.summaries.filter(({ service }) => service === 'orders').map(({ sequence }) => sequence);
    recorder.replaceServices(['orders']);
    recorder.start();
    await eventually(() => sequences().length > 3);
    recorder.replaceServices(Array.from({ length: MAX_RETIRED_SERVICES + 1 }, (_, i) => `other-${i}`));
    recorder.replaceServices([]);
    recorder.replaceServices(['orders']);
    const before = sequences().length;
    await eventually(() => sequences().length > before + 3);
    expect(sequences()).toEqual(sequences().map((_, index) => index + 1));
  });
});

describe('attempts and responses that clients gave up on', () => {
  const GIVE_UP_MS = 200;

  /** Sends `bytes` and breaks off once `upstreamSaw` and the patience are over. */
  async function impatient(port: number, bytes: string, seen: () => boolean): Promise<void> {
    await raw(port, bytes, (socket) => {
      void eventually(seen).then(() => setTimeout(() => socket.destroy(), GIVE_UP_MS));
    });
  }

  function sumOf(view: keyof Pick<VersionSummary, 'attempts' | 'responses'>): {
    aborted: number;
    others: number;
    latencies: Histogram;
  } {
    const latencies = new Histogram();
    let [aborted, others] = [0, 0];
    for (const { versions } of harness.stream.summaries) {
      const traffic: Traffic | undefined = versions.v1?.[view];
      if (traffic === undefined) continue;
      aborted += traffic.outcomes.clientAborted;
      others += totalOf(traffic.outcomes);
      latencies.merge(traffic.latencyUs);
    }
    return { aborted, others, latencies };
  }

  it('count with the time that their clients waited, in no other outcome: a hanging version is slow', async () => {
    const hanging = await harness.upstream(() => {});
    const gateway = await harness.gateway(gatewayConfigOf([serviceOf('orders', { v1: [hanging.url] })]));
    const request = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
    await Promise.all(
      Array.from({ length: 10 }, () => impatient(portOf(gateway), request, () => hanging.seen.length === 10)),
    );
    await eventually(() => sumOf('attempts').aborted === 10);
    for (const view of ['attempts', 'responses'] as const) {
      const { aborted, others, latencies } = sumOf(view);
      expect([view, aborted, others, latencies.total]).toEqual([view, 10, 0, 10]);
      // The smallest one, within the precision of a bin.
      expect(latencies.quantileUs(0.01)).toBeGreaterThanOrEqual(GIVE_UP_MS * 1000 * 0.97);
    }
  });

  it('have no latency when it was the client that had not sent its request', async () => {
    const patient = await harness.upstream((request) => request.resume());
    const gateway = await harness.gateway(gatewayConfigOf([serviceOf('orders', { v1: [patient.url] })]));
    const request = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n';
    await impatient(portOf(gateway), request, () => patient.seen.length === 1);
    await eventually(() => sumOf('attempts').aborted === 1 && sumOf('responses').aborted === 1);
    expect([sumOf('attempts').latencies.total, sumOf('responses').latencies.total]).toEqual([0, 0]);
  });
});
