import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { SplitDocument } from '../../src/core/domain/split-document.ts';
import type { SplitService } from '../../src/gateway/held-split.ts';
import { openSplitFiles, type SplitFiles } from '../../src/gateway/split-files.ts';
import { SplitTable } from '../../src/gateway/split-table.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { eventually, splitOf } from '../support/gateway-harness.ts';
import { type SwitchableChannel, switchableBackend } from '../support/switchable-ports.ts';

const SERVICE: SplitService = {
  name: 'orders',
  versions: ['v1', 'v2'],
  defaultVersion: 'v1',
  salt: 'orders',
};
const LEASE = { ttlMs: 30_000, onExpiry: 'baseline' } as const;

let channel: SwitchableChannel;
let closeBackend: () => Promise<void>;
let folder: string;
let nowMs: number;
let log: string[];
const tables: SplitTable[] = [];

beforeEach(async () => {
  const backend = await switchableBackend();
  channel = backend.channel;
  closeBackend = backend.close;
  folder = await mkdtemp(join(tmpdir(), 'sluice-splits-'));
  nowMs = 1_000;
  log = [];
});

afterEach(async () => {
  vi.useRealTimers();
  for (const table of tables.splice(0)) await table.close();
  await closeBackend();
  await rm(folder, { recursive: true });
});

async function tableOf(files: SplitFiles | null = null, services = [SERVICE]): Promise<SplitTable> {
  const table = new SplitTable({
    channel,
    files,
    monotonicMs: () => nowMs,
    logger: createLogger({
      level: 'info',
      component: 'gateway',
      destination: { write: (line) => log.push(line) },
    }),
    gateway: 'g1',
    incarnation: 'i1',
  });
  tables.push(table);
  await table.start(services);
  return table;
}

/** From here on, what a table does at intervals happens only when `pass` says that time goes by. */
function holdIntervals(): void {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
}

/** Time goes by for the clock and the intervals alike. */
function pass(ms: number): void {
  nowMs += ms;
  vi.advanceTimersByTime(ms);
}

function filesOf(): SplitFiles {
  return openSplitFiles(folder, (service, error) => log.push(`${service}: ${error}`));
}

/** A disk that holds a document of a later epoch than the channel's. */
function filesOfNewer(): SplitFiles {
  return {
    load: () => Promise.resolve(splitOf('orders', 8, 5_000, { epoch: 4 })),
    save: () => {},
    settled: () => Promise.resolve(),
  };
}

function shareOfCanary(table: SplitTable): number {
  const { assign } = table.slot('orders');
  let canary = 0;
  for (let user = 0; user < 2_000; user += 1) if (assign(`user-${user}`) === 'v2') canary += 1;
  return canary / 2_000;
}

const acknowledged = (): string[] =>
  channel.acknowledged.map(({ revision, state }) => `${revision} ${state}`);

describe('SplitTable', () => {
  it('serves the default version until something is known', async () => {
    expect(shareOfCanary(await tableOf())).toBe(0);
  });

  it('applies a newer document at once and acknowledges it', async () => {
    const table = await tableOf();
    await channel.write(splitOf('orders', 1, 5_000));
    expect(shareOfCanary(table)).toBeCloseTo(0.5, 1);
    expect(acknowledged()).toEqual(['1 applied']);
  });

  it('ignores what is older by epoch or revision', async () => {
    const table = await tableOf(filesOfNewer());
    await channel.write(splitOf('orders', 9, 1_000, { epoch: 3 }));
    expect(table.slot('orders').revision).toBe(8);
    await channel.write(splitOf('orders', 10, 1_000, { epoch: 4 }));
    expect(table.slot('orders').revision).toBe(10);
  });

  it('ends a mirror with its lease, like a weight, and takes it up again on renewal', async () => {
    holdIntervals();
    const table = await tableOf();
    const mirror = { version: 'v2', shareBp: 5_000 };
    await channel.write(splitOf('orders', 1, 0, { lease: LEASE, mirror }));
    expect(table.slot('orders').mirror).toMatchObject({ candidate: 'v2', baseline: 'v1', run: 'orders#1' });
    pass(30_500);
    expect(table.slot('orders').mirror).toBeNull();
    expect(acknowledged().at(-1)).toBe('1 lease-expired');
    await channel.renew('orders', 1, 1);
    expect(table.slot('orders').mirror).not.toBeNull();
    await channel.write(splitOf('orders', 2, 100, { lease: LEASE }));
    expect(table.slot('orders').mirror).toBeNull();
  });

  it('mirrors nothing that is read from disk until the channel confirms it', async () => {
    const mirror = { version: 'v2', shareBp: 5_000 };
    const before = await tableOf(filesOf());
    await channel.write(splitOf('orders', 1, 0, { mirror }));
    await before.close();
    channel.down = true;
    const after = await tableOf(filesOf());
    expect(after.slot('orders')).toMatchObject({ revision: 1, mirror: null });
  });

  it('refuses a mirror of a version that it does not have', async () => {
    const table = await tableOf();
    await channel.write(splitOf('orders', 1, 0, { mirror: { version: 'v9', shareBp: 100 } }));
    expect(table.slot('orders').revision).toBe(0);
  });

  it('says again every two seconds what it applies', async () => {
    holdIntervals();
    await tableOf();
    await channel.write(splitOf('orders', 1, 100));
    pass(1_999);
    expect(acknowledged()).toEqual(['1 applied']);
    pass(2_001);
    expect(acknowledged()).toEqual(Array(3).fill('1 applied'));
  });

  it('takes the canary back when nobody renews its lease, and gives it back on renewal', async () => {
    holdIntervals();
    const table = await tableOf();
    await channel.write(splitOf('orders', 1, 5_000, { lease: LEASE }));
    pass(29_000);
    await channel.renew('orders', 1, 1);
    pass(29_000);
    expect(shareOfCanary(table)).toBeGreaterThan(0.4);
    pass(1_500);
    expect(shareOfCanary(table)).toBe(0);
    expect(acknowledged().at(-1)).toBe('1 lease-expired');
    expect(table.snapshot()[0]?.served).toEqual({ v1: 10_000, v2: 0 });
    await channel.renew('orders', 1, 1);
    expect(shareOfCanary(table)).toBeGreaterThan(0.4);
    expect(acknowledged().at(-1)).toBe('1 applied');
  });

  it('keeps the canary when the lease says so', async () => {
    holdIntervals();
    const table = await tableOf();
    await channel.write(splitOf('orders', 1, 5_000, { lease: { ...LEASE, onExpiry: 'keep' } }));
    await channel.write(splitOf('orders', 2, 5_000, { lease: LEASE }));
    pass(60_000);
    expect(shareOfCanary(table)).toBe(0);
    await channel.write(splitOf('orders', 3, 5_000, { lease: { ...LEASE, onExpiry: 'keep' } }));
    pass(600_000);
    expect(shareOfCanary(table)).toBeGreaterThan(0.4);
  });

  it('keeps the last good split when a new one names a version that it does not have', async () => {
    const table = await tableOf();
    await channel.write(splitOf('orders', 1, 5_000));
    await channel.write(splitOf('orders', 2, 9_000, { canary: 'v3', weights: { v1: 1_000, v3: 9_000 } }));
    expect(shareOfCanary(table)).toBeCloseTo(0.5, 1);
    expect(acknowledged()).toEqual(['1 applied']);
    expect(log.join('')).toContain('"version":"v3"');
    await table.adoptServices([{ ...SERVICE, versions: ['v1', 'v2', 'v3'] }]);
    expect(table.slot('orders').revision).toBe(2);
    expect(acknowledged().at(-1)).toBe('2 applied');
  });

  it('watches services that a new configuration adds and forgets the ones it drops', async () => {
    const table = await tableOf();
    await channel.write(splitOf('users', 1, 5_000));
    await table.adoptServices([SERVICE, { ...SERVICE, name: 'users' }]);
    expect(table.slot('users').revision).toBe(1);
    await table.retainServices(['users']);
    expect(() => table.slot('orders')).toThrow(/orders/);
  });
});

describe('a lease found in the channel', () => {
  const leased = splitOf('orders', 5, 5_000, { lease: LEASE });

  /** An operator that lives: renews until the test is over. */
  function renewing(service = 'orders', revision = 5): () => void {
    const timer = setInterval(() => void channel.renew(service, revision, 1), 500);
    return () => clearInterval(timer);
  }

  it('is waited for at start-up, and gives the canary no traffic when nobody renews it', async () => {
    await channel.write(leased);
    const startedMs = performance.now();
    const table = await tableOf();
    expect(performance.now() - startedMs).toBeGreaterThan(2_500);
    expect(shareOfCanary(table)).toBe(0);
    expect(acknowledged()).toEqual(['5 lease-expired']);
    await channel.renew('orders', 5, 1);
    expect(shareOfCanary(table)).toBeGreaterThan(0.4);
    expect(acknowledged().at(-1)).toBe('5 applied');
  });

  it('lets the canary serve from the start when the operator lives', async () => {
    await channel.write(leased);
    const stop = renewing();
    const table = await tableOf();
    stop();
    expect(shareOfCanary(table)).toBeGreaterThan(0.4);
    expect(acknowledged()).toEqual(['5 applied']);
  });

  it('leaves the canary its share when it says so, at once', async () => {
    await channel.write(splitOf('orders', 5, 5_000, { lease: { ...LEASE, onExpiry: 'keep' } }));
    const startedMs = performance.now();
    const table = await tableOf(filesOf());
    // It would be three seconds to wait for the lease.
    expect(performance.now() - startedMs).toBeLessThan(2_900);
    expect(shareOfCanary(table)).toBeGreaterThan(0.4);
  });

  it('is not renewed by a reload that adds a service', async () => {
    const table = await tableOf();
    await channel.write(splitOf('orders', 1, 5_000, { lease: LEASE }));
    nowMs += 29_000;
    const users = { ...SERVICE, name: 'users' };
    await table.adoptServices([SERVICE, users]);
    expect(shareOfCanary(table)).toBeGreaterThan(0.4);
    nowMs += 1_001;
    await eventually(() => shareOfCanary(table) === 0);
    await table.adoptServices([SERVICE, users, { ...SERVICE, name: 'carts' }]);
    expect(shareOfCanary(table)).toBe(0);
  });

  it('gives no traffic to the canary of a service that a reload adds, until it is renewed', async () => {
    await channel.write({ ...leased, service: 'users' });
    const table = await tableOf();
    await channel.write(splitOf('orders', 1, 5_000, { lease: LEASE }));
    await table.adoptServices([SERVICE, { ...SERVICE, name: 'users' }]);
    const stateOf = (name: string) => table.snapshot().find(({ service }) => service === name)?.state;
    expect([stateOf('orders'), stateOf('users')]).toEqual(['applied', 'lease-expired']);
    await channel.renew('users', 5, 1);
    expect([stateOf('orders'), stateOf('users')]).toEqual(['applied', 'applied']);
  });

  it('runs from when the operator was last heard of', async () => {
    const table = await tableOf();
    await channel.write(splitOf('orders', 1, 5_000, { lease: LEASE }));
    nowMs += 20_000;
    channel.down = true;
    await channel.write(splitOf('orders', 2, 6_000, { lease: LEASE }));
    channel.down = false;
    // A watch begun anew finds what was written meanwhile, as a channel does after an outage.
    await table.adoptServices([SERVICE, { ...SERVICE, name: 'users' }]);
    expect(table.slot('orders').revision).toBe(2);
    expect(shareOfCanary(table)).toBeGreaterThan(0.5);
    nowMs += 10_001;
    await eventually(() => shareOfCanary(table) === 0);
  });
});

describe('splits on disk', () => {
  async function store(split: SplitDocument): Promise<void> {
    const files = filesOf();
    files.save(split);
    await files.settled();
  }

  it('are written as they are applied, as whole files', async () => {
    const files = filesOf();
    await tableOf(files);
    await channel.write(splitOf('orders', 1, 100));
    await channel.write(splitOf('orders', 2, 200));
    await files.settled();
    expect(await readdir(folder)).toEqual(['split-orders.json']);
    expect(JSON.parse(await readFile(join(folder, 'split-orders.json'), 'utf8'))).toEqual(
      splitOf('orders', 2, 200),
    );
  });

  it('bring a promoted version back after a restart without the channel', async () => {
    await store(splitOf('orders', 5, 0, { baseline: 'v2', canary: null, weights: { v2: 10_000 } }));
    channel.down = true;
    const table = await tableOf(filesOf());
    expect(table.slot('orders').assign('anyone')).toBe('v2');
    expect(table.snapshot()[0]?.state).toBe('applied');
  });

  it('do not give traffic to a canary until the channel confirms its weight', async () => {
    await store(splitOf('orders', 5, 5_000, { lease: LEASE }));
    channel.down = true;
    const table = await tableOf(filesOf());
    expect(shareOfCanary(table)).toBe(0);
    expect(table.snapshot()[0]?.state).toBe('lease-expired');
    channel.down = false;
    await channel.write(splitOf('orders', 5, 5_000, { lease: LEASE }));
    expect(shareOfCanary(table)).toBe(0);
    await channel.renew('orders', 5, 1);
    expect(shareOfCanary(table)).toBeGreaterThan(0.4);
    expect(acknowledged().at(-1)).toBe('5 applied');
  });

  it('wait for the channel even when they outlive their operator, and for nothing else', async () => {
    const kept = splitOf('orders', 5, 5_000, { lease: { ...LEASE, onExpiry: 'keep' } });
    await store(kept);
    channel.down = true;
    const table = await tableOf(filesOf());
    expect(shareOfCanary(table)).toBe(0);
    channel.down = false;
    await channel.write(kept);
    expect(shareOfCanary(table)).toBeGreaterThan(0.4);
  });

  it('are confirmed by the same revision in the channel', async () => {
    await store(splitOf('orders', 5, 5_000));
    await channel.write(splitOf('orders', 5, 5_000));
    expect(shareOfCanary(await tableOf(filesOf()))).toBeGreaterThan(0.4);
  });

  it.each([
    ['damaged', '{"service":"orders"'],
    ['of another service', JSON.stringify(splitOf('users', 1, 100))],
    ['unsound', JSON.stringify({ ...splitOf('orders', 1, 100), weights: { v1: 1 } })],
    ['something else', '[]'],
  ])('are ignored when they are %s', async (_case, text) => {
    await writeFile(join(folder, 'split-orders.json'), text);
    channel.down = true;
    expect(shareOfCanary(await tableOf(filesOf()))).toBe(0);
    expect(log.join('')).toContain('orders: ');
  });
});
