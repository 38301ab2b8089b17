/**
 * One rollout that goes wrong, on processes of its own: two gateways, two operators, a Redis, a canary that turns bad
 * at a known moment. Measures on one monotonic clock; knows nothing of tables.
 * @module
 */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sharedNowMs } from '../rig/clock.mjs';
import { startOverRedis } from '../rig/over-redis.mjs';
import { openMonitor } from '../rig/redis-monitor.mjs';
import { startOperator } from '../rig/sluice.mjs';

const GATEWAYS = ['gateway-a', 'gateway-b'];
const ROLLOUT = 'orders-v2';
const STEP_MS = 30_000;
/** After weight 0, the traffic goes on for so long: an answer of the canary would be seen. */
const AFTERMATH_MS = 1_500;
const POLL_MS = 20;

/**
 * Resolves with milliseconds since the first bad answer that a client saw (`takenOverMs` is null while the leader
 * lives), the number of failed requests, and what went wrong (`problems`, empty as a rule).
 */
export async function runOnce({ dist, keys, killLeader, rate, connections, weight, settle, rule, over }) {
  const rig = await startOverRedis({ dist, names: GATEWAYS, durable: true });
  const { folder, redis, upstream, generator } = rig;
  const seen = watchRedis();
  const monitor = await openMonitor({ port: redis.port, keys, ...seen.listeners });
  const operators = await startOperators();
  const [leader, other] = operators;

  await startRollout();
  await within('both gateways at the canary’s weight', () => seen.servedBy(({ canaryBp }) => canaryBp > 0));
  await generator.ask('begin', rig.load({ connections, requestsPerSecond: rate, expectBad: 'v2' }));
  await pause(settle);

  const before = seen.revision();
  upstream.signal('SIGUSR2');
  if (killLeader) leader.signal('SIGKILL');
  const survivor = killLeader ? other : leader;
  const zero = ({ canaryBp, revision }) => canaryBp === 0 && revision > before;
  await within('weight 0 on both gateways', () => seen.servedBy(zero));
  await pause(AFTERMATH_MS);
  const totals = await generator.ask('finish');
  const { events } = await (
    await fetch(`${survivor.url}/api/v1/rollouts/${ROLLOUT}/events?limit=100`)
  ).json();

  monitor.close();
  const living = killLeader ? [other] : operators;
  const codes = [...(await Promise.all(living.map(({ stop }) => stop()))), ...(await rig.stop())];
  const { firstMs } = totals.bad;
  const since = (ms) => (ms === null || firstMs === null ? null : ms - firstMs);
  return {
    takenOverMs: killLeader ? since(seen.firstWriteAfter(before)) : null,
    writtenMs: since(seen.writtenAt(zero)),
    servedMs: since(seen.servedBy(zero)),
    lastCanaryMs: since(totals.bad.lastAnswerMs),
    failed: totals.bad.count,
    sent: totals.sent,
    problems: problemsOf(totals, events, codes),
  };

  async function startOperators() {
    const rolloutsDir = join(folder, 'rollouts');
    mkdirSync(rolloutsDir);
    const plan = {
      rollout: ROLLOUT,
      service: 'orders',
      baseline: 'v1',
      canary: 'v2',
      steps: [{ weight: `${weight}%`, hold: '30m' }, { weight: '100%' }],
      abort: [{ when: rule, over }],
    };
    // YAML reads JSON.
    writeFileSync(join(rolloutsDir, `${ROLLOUT}.yaml`), JSON.stringify(plan, null, 2));
    const configPath = rig.configPath(GATEWAYS[0]);
    const start = (name) =>
      startOperator({ dist, configPath, rolloutsDir, stateDir: join(folder, name), redisUrl: redis.url });
    return Promise.all([start('operator-one'), start('operator-two')]);
  }

  /** Whoever is asked to start a rollout takes its service's lease, and so leads. */
  async function startRollout() {
    const response = await fetch(`${leader.url}/api/v1/rollouts/${ROLLOUT}/start`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{}',
    });
    if (!response.ok) throw new Error(`the rollout did not start: ${await response.text()}`);
  }
}

/** Remembers every write of the split and when each gateway first acknowledged it. */
function watchRedis() {
  const writes = [];
  const acknowledgedMs = new Map();
  return {
    listeners: {
      onWrite: (write) => writes.push({ ...write, atMs: sharedNowMs() }),
      onAcknowledgement: ({ gateway, revision }) => {
        const key = `${gateway} ${revision}`;
        // Repeated every two seconds as a sign of life: the first one counts.
        if (!acknowledgedMs.has(key)) acknowledgedMs.set(key, sharedNowMs());
      },
    },
    revision: () => writes.at(-1)?.revision ?? 0,
    firstWriteAfter: (revision) => writes.find((write) => write.revision > revision)?.atMs ?? null,
    writtenAt: (fits) => writes.find(fits)?.atMs ?? null,
    /** When every gateway had acknowledged the first write that fits; null until then. */
    servedBy(fits) {
      const write = writes.find(fits);
      if (write === undefined) return null;
      const times = GATEWAYS.map((name) => acknowledgedMs.get(`${name} ${write.revision}`) ?? null);
      return times.includes(null) ? null : Math.max(...times);
    },
  };
}

function problemsOf(totals, events, codes) {
  const aborts = events.filter(({ type }) => type === 'aborted');
  const byRule = aborts.length === 1 && aborts[0].code === 'RULE';
  return [
    ...(byRule ? [] : [`events: ${events.map(({ type, code }) => `${type} ${code}`).join(', ')}`]),
    ...(totals.errorCount === 0 ? [] : [JSON.stringify(totals.errors), ...totals.examples]),
    ...(totals.notSent === 0 ? [] : [`${totals.notSent} requests not sent`]),
    ...(totals.bad.count > 0 ? [] : ['no client saw a bad answer']),
    ...codes.filter((code) => code !== 0).map((code) => `a process ended with ${code}`),
  ];
}

/** Polls until `look` gives a moment; what it gives is not how late this loop is. */
async function within(what, look) {
  const untilMs = performance.now() + STEP_MS;
  while (look() === null) {
    if (performance.now() > untilMs) throw new Error(`${what}: not within ${STEP_MS} ms`);
    await pause(POLL_MS);
  }
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
