/**
 * Collecting evidence: everything once, a refill without counting, losses and silence told.
 * @module
 */

import { beforeEach, describe, expect, it } from 'vitest';
import { recentBuckets, sumArm } from '../../src/core/analysis/evidence-window.ts';
import { QUIET_ARM } from '../../src/core/analysis/second.ts';
import { createEvidenceCollector } from '../../src/operator/evidence-collector.ts';
import type { TelemetryStream } from '../../src/ports/telemetry-stream.ts';
import { summary } from '../core/analysis/summaries.ts';
import { plan } from '../core/rollout/plans.ts';
import { MovedClock, memoryBackend, START_MS } from '../support/sluice-operator.ts';

const START_S = START_MS / 1000;

describe('the evidence collector', () => {
  let stream: TelemetryStream;

  beforeEach(async () => {
    stream = (await memoryBackend(new MovedClock())).telemetry;
  });

  const emit = (second: number, ok = 10, changes = {}): Promise<void> =>
    stream.emit(summary(START_S + second, { v1: { ok: 90 }, v2: { ok } }, { sequence: second, ...changes }));

  it('counts each canary request once, from one look to the next', async () => {
    const collector = createEvidenceCollector(plan(), START_MS, null, stream);
    await collector.collect(START_MS);
    await emit(1);
    await emit(2);
    expect((await collector.collect(START_MS + 2_000)).canaryRequests).toBe(20);
    expect((await collector.collect(START_MS + 2_500)).canaryRequests).toBe(0);
    // Delivered again, as the stream may.
    await emit(2);
    expect((await collector.collect(START_MS + 3_000)).canaryRequests).toBe(0);
  });

  it('refills its window after a restart without counting anything again', async () => {
    for (let second = 1; second <= 5; second += 1) await emit(second);
    const collector = createEvidenceCollector(plan(), START_MS, null, stream);
    const refilled = await collector.collect(START_MS + 6_000);
    expect(refilled.canaryRequests).toBe(0);
    expect(sumArm(recentBuckets(refilled.window, 60_000), 'v2').total).toBe(50);
    await emit(6);
    expect((await collector.collect(START_MS + 7_000)).canaryRequests).toBe(10);
  });

  it('leaves out what happened before the run', async () => {
    await emit(1, 1_000);
    await emit(60);
    const collector = createEvidenceCollector(plan(), START_MS + 60_000, null, stream);
    const { window } = await collector.collect(START_MS + 61_000);
    expect(sumArm(recentBuckets(window, 60_000), 'v2').total).toBe(10);
  });

  it('remembers of the time before the run the baseline alone, in segments too', async () => {
    const bad = { total: 10, bad: 10, latencyUs: [] };
    const part = { segments: { route: { checkout: bad }, endpoint: { 'http://a:1': bad } } };
    const sent = summary(START_S + 1, { v1: { ok: 90 }, v2: { bad: 10 } }, { sequence: 1 });
    const [v1, v2] = [sent.versions.v1, sent.versions.v2];
    if (v1 === undefined || v2 === undefined) throw new Error('both versions report');
    const mirrored = { compared: 10, differing: 9 };
    await stream.emit({ ...sent, versions: { v1: { ...v1, ...part }, v2: { ...v2, ...part, mirrored } } });
    const collector = createEvidenceCollector(plan(), START_MS + 60_000, null, stream);
    const [before] = (await collector.collect(START_MS + 61_000)).recalled;
    expect(before?.baseline.total).toBe(90);
    expect(before?.canary).toEqual(QUIET_ARM);
    expect(before?.segments?.['route=checkout']).toMatchObject({ canary: QUIET_ARM, baseline: { bad: 10 } });
    expect([before?.instances, before?.mirrored]).toEqual([undefined, undefined]);
  });

  it.each([
    ['an hour ahead', 3_600],
    ['65 seconds behind', -65],
  ])('takes the evidence of a gateway whose clock is %s when it arrives', async (_title, seconds) => {
    const collector = createEvidenceCollector(plan(), START_MS, null, stream);
    await collector.collect(START_MS);
    await emit(1);
    await emit(1, 7, { gateway: 'skewed', secondMs: START_MS + seconds * 1_000 });
    const { window, canaryRequests } = await collector.collect(START_MS + 2_000);
    expect(canaryRequests).toBe(17);
    expect(sumArm(recentBuckets(window, 10_000), 'v2').total).toBe(17);
  });

  it('counts nothing of a refill that failed half-way, when it succeeds later', async () => {
    for (let second = 1; second <= 3; second += 1) await emit(second);
    let failing = true;
    const shaky = {
      ...stream,
      read: async (...args: Parameters<typeof stream.read>) => {
        if (failing) throw new Error('connection lost');
        return stream.read(...args);
      },
    };
    const collector = createEvidenceCollector(plan(), START_MS, null, shaky);
    await expect(collector.collect(START_MS + 4_000)).rejects.toThrow('connection lost');
    failing = false;
    expect((await collector.collect(START_MS + 4_500)).canaryRequests).toBe(0);
  });

  it('knows which gateways report', async () => {
    const collector = createEvidenceCollector(plan(), START_MS, null, stream);
    await collector.collect(START_MS);
    await emit(1, 1, { gateway: 'gw-2' });
    const { heardAtMs } = await collector.collect(START_MS + 2_000);
    expect([...heardAtMs]).toEqual([['gw-2', START_MS + 2_000]]);
  });

  it('tells a gap in the sequence once', async () => {
    const collector = createEvidenceCollector(plan(), START_MS, null, stream);
    await collector.collect(START_MS);
    await emit(1);
    await emit(4);
    expect((await collector.collect(START_MS + 4_000)).lostNow).toBe(2);
    await emit(5);
    expect((await collector.collect(START_MS + 5_000)).lostNow).toBe(0);
  });

  it('knows since when nothing has arrived, and takes a refill for as old as it says', async () => {
    const collector = createEvidenceCollector(plan(), START_MS, null, stream);
    expect((await collector.collect(START_MS)).silentMs).toBeNull();
    await emit(1);
    expect((await collector.collect(START_MS + 2_000)).silentMs).toBe(0);
    expect((await collector.collect(START_MS + 9_000)).silentMs).toBe(7_000);
    const later = createEvidenceCollector(plan(), START_MS, null, stream);
    expect((await later.collect(START_MS + 9_000)).silentMs).toBe(7_000);
  });
});
