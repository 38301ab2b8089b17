/**
 * Stickiness end to end: ten thousand users through two gateways while the weight rises to 100 %.
 * @module
 */

import { Pool } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { deployOverRedis, type OverRedis } from '../support/sluice-deployment.ts';

const USERS = 10_000;
const IN_FLIGHT = 32;

describe('stickiness', { timeout: 300_000 }, () => {
  let deployment: OverRedis;

  beforeAll(async () => {
    deployment = await deployOverRedis({ services: ['orders'] });
  });
  afterAll(() => deployment?.close());

  it('moves users of 10 000 only from baseline to canary, and both gateways agree on each', async () => {
    const { project, api, gateways, origins } = deployment;
    const weights = [1, 5, 10, 50, 100];
    await project.declare({
      rollout: 'orders-v2',
      service: 'orders',
      steps: weights.map((weight) => ({ weight: `${weight}%`, gate: 'manual', requests: 0 })),
      onNoEvidence: 'hold',
    });
    await api.act('orders-v2', 'start');
    let canaryBefore = new Set<number>();
    for (const [step, weight] of weights.entries()) {
      if (step > 0) await api.act('orders-v2', 'promote', { expectStep: step - 1 });
      await eventually(async () => {
        const view = await api.view('orders-v2');
        const { gateways: seen } = view;
        return view.step === step && seen.length === gateways.length && seen.every(({ current }) => current);
      }, 60_000);
      const [canary, other] = (await Promise.all(origins.map(canaryUsers))) as [Set<number>, Set<number>];
      expect([...other].filter((user) => !canary.has(user))).toEqual([]);
      expect(other.size).toBe(canary.size);
      expect([...canaryBefore].filter((user) => !canary.has(user))).toEqual([]);
      const share = weight / 100;
      const fourDeviations = 4 * Math.sqrt(USERS * share * (1 - share));
      expect(Math.abs(canary.size - USERS * share)).toBeLessThanOrEqual(fourDeviations);
      canaryBefore = canary;
    }
    expect(canaryBefore.size).toBe(USERS);
  });
});

/** Asks once for every user. */
async function canaryUsers(origin: string): Promise<Set<number>> {
  const pool = new Pool(origin, { connections: IN_FLIGHT });
  const canary = new Set<number>();
  let next = 0;
  const ask = async (): Promise<void> => {
    while (next < USERS) {
      const user = next;
      next += 1;
      const response = await pool.request({
        path: '/orders',
        method: 'GET',
        headers: { 'x-user-id': `user-${user}` },
      });
      const version = await response.body.text();
      if (version === 'v2') canary.add(user);
      else if (version !== 'v1') throw new Error(`unexpected answer ${response.statusCode}: ${version}`);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, ask));
  await pool.close();
  return canary;
}
