/**
 * The stored split made to say what the record wants: only differences, only by the newest epoch.
 * @module
 */

import { beforeEach, describe, expect, it } from 'vitest';
import type { DesiredSplit } from '../../src/core/rollout/desired-split.ts';
import { reconcile } from '../../src/operator/reconcile.ts';
import type { Backend } from '../../src/ports/backend.ts';
import { sampleAcknowledgement } from '../conformance/samples.ts';
import { MovedClock, memoryBackend, START_MS } from '../support/sluice-operator.ts';

const desired: DesiredSplit = {
  service: 'orders',
  rollout: 'orders-v2#1',
  baseline: 'v1',
  canary: 'v2',
  weights: { v1: 9_900, v2: 100 },
  matches: [],
  salt: 'orders/orders-v2',
  lease: { ttlMs: 30_000, onExpiry: 'baseline' },
};

describe('reconcile', () => {
  let clock: MovedClock;
  let backend: Backend;
  let renewals: number[];

  beforeEach(async () => {
    clock = new MovedClock();
    backend = await memoryBackend(clock);
    renewals = [];
    const listener = {
      onSplit: () => undefined,
      onRenewal: (_service: string, revision: number) => void renewals.push(revision),
      onConnection: () => undefined,
    };
    await backend.channel.watch(['orders'], listener, new AbortController().signal);
  });

  const at = (epoch: number, change: Partial<DesiredSplit> = {}) =>
    reconcile(backend.channel, { ...desired, ...change }, epoch, 0, START_MS);

  it('writes the first document, then only renews it', async () => {
    expect((await at(1)).split).toMatchObject({ revision: 1, epoch: 1, weights: { v2: 100 } });
    expect((await at(1)).split?.revision).toBe(1);
    expect(await backend.channel.read('orders')).toMatchObject({ revision: 1 });
    expect(renewals).toContain(1);
  });

  it('neither writes nor renews a document without a lease that says what is wanted', async () => {
    const ended = { rollout: null, canary: null, weights: { v1: 10_000 }, lease: null };
    await at(1, ended);
    renewals.length = 0;
    expect((await at(1, ended)).split?.revision).toBe(1);
    expect(renewals).toEqual([]);
  });

  it('writes a difference as the next revision', async () => {
    await at(1);
    expect((await at(1, { weights: { v1: 9_000, v2: 1_000 } })).split).toMatchObject({ revision: 2 });
  });

  it('writes an equal document again under a new epoch, and refuses the old one from then on', async () => {
    await at(1);
    expect((await at(2)).split).toMatchObject({ revision: 2, epoch: 2 });
    expect((await at(1)).split).toBeNull();
    expect((await at(1, { weights: { v1: 0, v2: 10_000 } })).split).toBeNull();
    expect(await backend.channel.read('orders')).toMatchObject({ epoch: 2, weights: { v2: 100 } });
  });

  it('is applied when every live gateway, and at least one, serves the revision', async () => {
    expect((await at(1)).applied).toBe(false);
    await backend.channel.acknowledge(sampleAcknowledgement({ gateway: 'a' }));
    expect((await at(1)).applied).toBe(true);
    await backend.channel.acknowledge(sampleAcknowledgement({ gateway: 'b', revision: 0 }));
    expect((await at(1)).applied).toBe(false);
    await backend.channel.acknowledge(sampleAcknowledgement({ gateway: 'b', state: 'lease-expired' }));
    expect((await at(1)).applied).toBe(false);
    // Silent for longer than a gateway that lives ever is, b no longer counts.
    clock.advance(11_000);
    await backend.channel.acknowledge(sampleAcknowledgement({ gateway: 'a' }));
    expect(await at(1)).toMatchObject({ applied: true, gateways: [{ name: 'a', current: true }] });
  });
});
