import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { SplitFiles } from '../../src/gateway/split-files.ts';
import { eventually, splitOf } from '../support/gateway-harness.ts';
import { LEASE, ORDERS, SplitTables, shareOfCanary } from '../support/split-tables.ts';

let splits: SplitTables;

beforeEach(async () => {
  splits = await SplitTables.open();
});

afterEach(async () => {
  vi.useRealTimers();
  await splits.close();
});

/** From here on, what a table does at intervals happens only when `pass` says that time goes by. */
function holdIntervals(): void {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
}

/** Time goes by for the clock and the intervals alike. */
function pass(ms: number): void {
  splits.nowMs += ms;
  vi.advanceTimersByTime(ms);
}

/** A disk that holds a document of a later epoch than the channel's. */
function filesOfNewer(): SplitFiles {
  return {
    load: () => Promise.resolve(splitOf('orders', 8, 5_000, { epoch: 4 })),
    save: () => {},
    settled: () => Promise.resolve(),
  };
}

describe('SplitTable', () => {
  it('serves the default version until something is known', async () => {
    expect(shareOfCanary(await splits.table())).toBe(0);
  });

  it('applies a newer document at once and acknowledges it', async () => {
    const table = await splits.table();
    await splits.channel.write(splitOf('orders', 1, 5_000));
    expect(shareOfCanary(table)).toBeCloseTo(0.5, 1);
    expect(splits.acknowledged()).toEqual(['1 applied']);
  });

  it('ignores what is older by epoch or revision', async () => {
    const table = await splits.table(filesOfNewer());
    await splits.channel.write(splitOf('orders', 9, 1_000, { epoch: 3 }));
    expect(table.slot('orders').revision).toBe(8);
    await splits.channel.write(splitOf('orders', 10, 1_000, { epoch: 4 }));
    expect(table.slot('orders').revision).toBe(10);
  });

  it('ends a mirror with its lease, like a weight, and takes it up again on renewal', async () => {
    holdIntervals();
    const table = await splits.table();
    const mirror = { version: 'v2', shareBp: 5_000 };
    await splits.channel.write(splitOf('orders', 1, 0, { lease: LEASE, mirror }));
    expect(table.slot('orders').mirror).toMatchObject({ candidate: 'v2', baseline: 'v1', run: 'orders#1' });
    pass(30_500);
    expect(table.slot('orders').mirror).toBeNull();
    expect(splits.acknowledged().at(-1)).toBe('1 lease-expired');
    await splits.channel.renew('orders', 1, 1);
    expect(table.slot('orders').mirror).not.toBeNull();
    await splits.channel.write(splitOf('orders', 2, 100, { lease: LEASE }));
    expect(table.slot('orders').mirror).toBeNull();
  });

  it('mirrors nothing that is read from disk until the channel confirms it', async () => {
    const mirror = { version: 'v2', shareBp: 5_000 };
    const before = await splits.table(splits.files());
    await splits.channel.write(splitOf('orders', 1, 0, { mirror }));
    await before.close();
    splits.channel.down = true;
    const after = await splits.table(splits.files());
    expect(after.slot('orders')).toMatchObject({ revision: 1, mirror: null });
  });

  it('refuses a mirror of a version that it does not have', async () => {
    const table = await splits.table();
    await splits.channel.write(splitOf('orders', 1, 0, { mirror: { version: 'v9', shareBp: 100 } }));
    expect(table.slot('orders').revision).toBe(0);
  });

  it('says again every two seconds what it applies', async () => {
    holdIntervals();
    await splits.table();
    await splits.channel.write(splitOf('orders', 1, 100));
    pass(1_999);
    expect(splits.acknowledged()).toEqual(['1 applied']);
    pass(2_001);
    expect(splits.acknowledged()).toEqual(Array(3).fill('1 applied'));
  });

  it('takes the canary back when nobody renews its lease, and gives it back on renewal', async () => {
    holdIntervals();
    const table = await splits.table();
    await splits.channel.write(splitOf('orders', 1, 5_000, { lease: LEASE }));
    pass(29_000);
    await splits.channel.renew('orders', 1, 1);
    pass(29_000);
    expect(shareOfCanary(table)).toBeGreaterThan(0.4);
    pass(1_500);
    expect(shareOfCanary(table)).toBe(0);
    expect(splits.acknowledged().at(-1)).toBe('1 lease-expired');
    expect(table.snapshot()[0]?.served).toEqual({ v1: 10_000, v2: 0 });
    await splits.channel.renew('orders', 1, 1);
    expect(shareOfCanary(table)).toBeGreaterThan(0.4);
    expect(splits.acknowledged().at(-1)).toBe('1 applied');
  });

  it('keeps the canary when the lease says so', async () => {
    holdIntervals();
    const table = await splits.table();
    await splits.channel.write(splitOf('orders', 1, 5_000, { lease: { ...LEASE, onExpiry: 'keep' } }));
    await splits.channel.write(splitOf('orders', 2, 5_000, { lease: LEASE }));
    pass(60_000);
    expect(shareOfCanary(table)).toBe(0);
    await splits.channel.write(splitOf('orders', 3, 5_000, { lease: { ...LEASE, onExpiry: 'keep' } }));
    pass(600_000);
    expect(shareOfCanary(table)).toBeGreaterThan(0.4);
  });

  it('keeps the last good split when a new one names a version that it does not have', async () => {
    const table = await splits.table();
    await splits.channel.write(splitOf('orders', 1, 5_000));
    await splits.channel.write(
      splitOf('orders', 2, 9_000, { canary: 'v3', weights: { v1: 1_000, v3: 9_000 } }),
    );
    expect(shareOfCanary(table)).toBeCloseTo(0.5, 1);
    expect(splits.acknowledged()).toEqual(['1 applied']);
    expect(splits.log.join('')).toContain('"version":"v3"');
    await table.adoptServices([{ ...ORDERS, versions: ['v1', 'v2', 'v3'] }]);
    expect(table.slot('orders').revision).toBe(2);
    expect(splits.acknowledged().at(-1)).toBe('2 applied');
  });

  it('watches services that a new configuration adds and forgets the ones it drops', async () => {
    const table = await splits.table();
    await splits.channel.write(splitOf('users', 1, 5_000));
    await table.adoptServices([ORDERS, { ...ORDERS, name: 'users' }]);
    expect(table.slot('users').revision).toBe(1);
    await table.retainServices(['users']);
    expect(() => table.slot('orders')).toThrow(/orders/);
  });
});

describe('a lease found in the channel', () => {
  const leased = splitOf('orders', 5, 5_000, { lease: LEASE });

  /** An operator that lives: renews until the test is over. */
  function renewing(service = 'orders', revision = 5): () => void {
    const timer = setInterval(() => void splits.channel.renew(service, revision, 1), 500);
    return () => clearInterval(timer);
  }

  it('is waited for at start-up, and gives the canary no traffic when nobody renews it', async () => {
    await splits.channel.write(leased);
    const startedMs = performance.now();
    const table = await splits.table();
    expect(performance.now() - startedMs).toBeGreaterThan(2_500);
    expect(shareOfCanary(table)).toBe(0);
    expect(splits.acknowledged()).toEqual(['5 lease-expired']);
    await splits.channel.renew('orders', 5, 1);
    expect(shareOfCanary(table)).toBeGreaterThan(0.4);
    expect(splits.acknowledged().at(-1)).toBe('5 applied');
  });

  it('lets the canary serve from the start when the operator lives', async () => {
    await splits.channel.write(leased);
    const stop = renewing();
    const table = await splits.table();
    stop();
    expect(shareOfCanary(table)).toBeGreaterThan(0.4);
    expect(splits.acknowledged()).toEqual(['5 applied']);
  });

  it('leaves the canary its share when it says so, at once', async () => {
    await splits.channel.write(splitOf('orders', 5, 5_000, { lease: { ...LEASE, onExpiry: 'keep' } }));
    const startedMs = performance.now();
    const table = await splits.table(splits.files());
    // It would be three seconds to wait for the lease.
    expect(performance.now() - startedMs).toBeLessThan(2_900);
    expect(shareOfCanary(table)).toBeGreaterThan(0.4);
  });

  it('is not renewed by a reload that adds a service', async () => {
    const table = await splits.table();
    await splits.channel.write(splitOf('orders', 1, 5_000, { lease: LEASE }));
    splits.nowMs += 29_000;
    const users = { ...ORDERS, name: 'users' };
    await table.adoptServices([ORDERS, users]);
    expect(shareOfCanary(table)).toBeGreaterThan(0.4);
    splits.nowMs += 1_001;
    await eventually(() => shareOfCanary(table) === 0);
    await table.adoptServices([ORDERS, users, { ...ORDERS, name: 'carts' }]);
    expect(shareOfCanary(table)).toBe(0);
  });

  it('gives no traffic to the canary of a service that a reload adds, until it is renewed', async () => {
    await splits.channel.write({ ...leased, service: 'users' });
    const table = await splits.table();
    await splits.channel.write(splitOf('orders', 1, 5_000, { lease: LEASE }));
    await table.adoptServices([ORDERS, { ...ORDERS, name: 'users' }]);
    const stateOf = (name: string) => table.snapshot().find(({ service }) => service === name)?.state;
    expect([stateOf('orders'), stateOf('users')]).toEqual(['applied', 'lease-expired']);
    await splits.channel.renew('users', 5, 1);
    expect([stateOf('orders'), stateOf('users')]).toEqual(['applied', 'applied']);
  });

  it('runs from when the operator was last heard of', async () => {
    const table = await splits.table();
    await splits.channel.write(splitOf('orders', 1, 5_000, { lease: LEASE }));
    splits.nowMs += 20_000;
    splits.channel.down = true;
    await splits.channel.write(splitOf('orders', 2, 6_000, { lease: LEASE }));
    splits.channel.down = false;
    // A watch begun anew finds what was written meanwhile, as a channel does after an outage.
    await table.adoptServices([ORDERS, { ...ORDERS, name: 'users' }]);
    expect(table.slot('orders').revision).toBe(2);
    expect(shareOfCanary(table)).toBeGreaterThan(0.5);
    splits.nowMs += 10_001;
    await eventually(() => shareOfCanary(table) === 0);
  });
});
