/**
 * The plan catalog over files: read afresh, near names, and one broken file that blocks only itself.
 * @module
 */

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createFileCatalog } from '../../src/operator/file-catalog.ts';
import type { PlanCatalog } from '../../src/ports/plan-catalog.ts';

const gateway = {
  listeners: [{ address: '127.0.0.1:8080' }],
  services: {
    orders: {
      versions: { v1: { endpoints: ['http://127.0.0.1:1'] }, v2: { endpoints: ['http://127.0.0.1:2'] } },
      default: 'v2',
    },
  },
  routes: [{ name: 'orders', match: { prefix: '/' }, service: 'orders' }],
};

function rollout(name: string, weight = '10%'): string {
  return JSON.stringify({
    rollout: name,
    service: 'orders',
    baseline: 'v1',
    canary: 'v2',
    steps: [{ weight }, { weight: '100%' }],
  });
}

describe('the file catalog', () => {
  let dir: string;
  let catalog: PlanCatalog;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'sluice-catalog-'));
    await mkdir(join(dir, 'rollouts'));
    await writeFile(join(dir, 'gateway.yaml'), JSON.stringify(gateway));
    await write('orders-v2', rollout('orders-v2'));
    catalog = createFileCatalog({
      gatewayPath: join(dir, 'gateway.yaml'),
      rolloutsDir: join(dir, 'rollouts'),
    });
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  const write = (name: string, text: string) => writeFile(join(dir, 'rollouts', `${name}.yaml`), text);

  it('sees an edited and a new file the next time it is asked', async () => {
    expect((await catalog.plan('orders-v2')).steps[0]?.weightBp).toBe(1_000);
    await write('orders-v2', rollout('orders-v2', '20%'));
    await write('orders-v3', rollout('orders-v3'));
    expect((await catalog.plan('orders-v2')).steps[0]?.weightBp).toBe(2_000);
    expect((await catalog.plans()).map((plan) => plan.rollout)).toEqual(['orders-v2', 'orders-v3']);
  });

  it('names what a mistyped name may have meant', async () => {
    await expect(catalog.plan('orders-v')).rejects.toMatchObject({
      code: 'ROLLOUT_UNKNOWN',
      hint: expect.stringContaining('orders-v2'),
    });
  });

  it('lets a broken file block itself and nothing else', async () => {
    await write('broken', rollout('broken', '200%'));
    await expect(catalog.plan('broken')).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      detail: expect.stringMatching(/broken\.yaml:\d+:\d+: /),
    });
    expect((await catalog.plan('orders-v2')).rollout).toBe('orders-v2');
    expect((await catalog.plans()).map((plan) => plan.rollout)).toEqual(['orders-v2']);
  });

  it('compiles a text that is not on file, or says what is wrong with it', async () => {
    expect((await catalog.compile('sent.yaml', rollout('orders-v9'))).rollout).toBe('orders-v9');
    await expect(catalog.compile('sent.yaml', 'rollout: [')).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    });
    const elsewhere = rollout('orders-v9').replace('"v2"', '"v7"');
    await expect(catalog.compile('sent.yaml', elsewhere)).rejects.toMatchObject({
      detail: expect.stringContaining('v7'),
    });
  });

  it('knows what serves before any operator has spoken', async () => {
    expect(await catalog.defaultVersion('orders')).toBe('v2');
    expect(await catalog.defaultVersion('payments')).toBeNull();
  });
});
