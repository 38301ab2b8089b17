import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SplitDocument } from '../../src/core/domain/split-document.ts';
import { splitOf } from '../support/gateway-harness.ts';
import { LEASE, SplitTables, shareOfCanary } from '../support/split-tables.ts';

let splits: SplitTables;

beforeEach(async () => {
  splits = await SplitTables.open();
});

afterEach(() => splits.close());

describe('splits on disk', () => {
  async function store(split: SplitDocument): Promise<void> {
    const files = splits.files();
    files.save(split);
    await files.settled();
  }

  it('are written as they are applied, as whole files', async () => {
    const files = splits.files();
    await splits.table(files);
    await splits.channel.write(splitOf('orders', 1, 100));
    await splits.channel.write(splitOf('orders', 2, 200));
    await files.settled();
    expect(await readdir(splits.folder)).toEqual(['split-orders.json']);
    expect(JSON.parse(await readFile(join(splits.folder, 'split-orders.json'), 'utf8'))).toEqual(
      splitOf('orders', 2, 200),
    );
  });

  it('bring a promoted version back after a restart without the channel', async () => {
    await store(splitOf('orders', 5, 0, { baseline: 'v2', canary: null, weights: { v2: 10_000 } }));
    splits.channel.down = true;
    const table = await splits.table(splits.files());
    expect(table.slot('orders').assign('anyone')).toBe('v2');
    expect(table.snapshot()[0]?.state).toBe('applied');
  });

  it('do not give traffic to a canary until the channel confirms its weight', async () => {
    await store(splitOf('orders', 5, 5_000, { lease: LEASE }));
    splits.channel.down = true;
    const table = await splits.table(splits.files());
    expect(shareOfCanary(table)).toBe(0);
    expect(table.snapshot()[0]?.state).toBe('lease-expired');
    splits.channel.down = false;
    await splits.channel.write(splitOf('orders', 5, 5_000, { lease: LEASE }));
    expect(shareOfCanary(table)).toBe(0);
    await splits.channel.renew('orders', 5, 1);
    expect(shareOfCanary(table)).toBeGreaterThan(0.4);
    expect(splits.acknowledged().at(-1)).toBe('5 applied');
  });

  it('wait for the channel even when they outlive their operator, and for nothing else', async () => {
    const kept = splitOf('orders', 5, 5_000, { lease: { ...LEASE, onExpiry: 'keep' } });
    await store(kept);
    splits.channel.down = true;
    const table = await splits.table(splits.files());
    expect(shareOfCanary(table)).toBe(0);
    splits.channel.down = false;
    await splits.channel.write(kept);
    expect(shareOfCanary(table)).toBeGreaterThan(0.4);
  });

  it('are confirmed by the same revision in the channel', async () => {
    await store(splitOf('orders', 5, 5_000));
    await splits.channel.write(splitOf('orders', 5, 5_000));
    expect(shareOfCanary(await splits.table(splits.files()))).toBeGreaterThan(0.4);
  });

  it.each([
    ['damaged', '{"service":"orders"'],
    ['of another service', JSON.stringify(splitOf('users', 1, 100))],
    ['unsound', JSON.stringify({ ...splitOf('orders', 1, 100), weights: { v1: 1 } })],
    ['something else', '[]'],
  ])('are ignored when they are %s', async (_case, text) => {
    await writeFile(join(splits.folder, 'split-orders.json'), text);
    splits.channel.down = true;
    expect(shareOfCanary(await splits.table(splits.files()))).toBe(0);
    expect(splits.log.join('')).toContain('orders: ');
  });
});
