/**
 * The demo: the main job from end to end on real traffic. A healthy `orders-v2` is promoted, then a faulty
 * `orders-v3` is aborted; everything said at the end was measured while it happened.
 * @module
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import type { RolloutView } from '../core/view/rollout-view.ts';
import { writeDemoProject } from './demo-project.ts';
import { type OrdersService, startOrders } from './orders-service.ts';
import { type RunningSluice, runVerb, startSluice } from './sluice-child.ts';
import { startTraffic, type TrafficReport, type TrafficSource } from './traffic.ts';

const REQUESTS_PER_SECOND = 300;
const USERS = 5_000;
const FAULTY_ERROR_RATE = 0.4;
const LATENCY_MS = 8;
const ABORTED = 3;
const POLL_MS = 50;

export interface DemoOptions {
  /** Root of the repository. */
  readonly root: string;
  /** Path of the compiled `rollout`. */
  readonly command: string;
  /** Leave everything running until Ctrl-C. */
  readonly keep: boolean;
  say(line: string): void;
  /** Resolves when the user wants it to end. */
  untilStopped(): Promise<void>;
}

/** Returns the exit code: 0 only when both rollouts ended as they should and no request was lost. */
export async function runDemo(options: DemoOptions): Promise<number> {
  const { root, command, say } = options;
  const dir = mkdtempSync(join(tmpdir(), 'sluice-demo-'));
  const opened: (() => Promise<unknown>)[] = [];
  try {
    const service = async (version: string, errorRate: number): Promise<OrdersService> => {
      const orders = await startOrders(
        { version, errorRate, latencyMs: LATENCY_MS },
        { host: '127.0.0.1', port: 0 },
      );
      opened.push(() => orders.close());
      return orders;
    };
    const [v1, v2, v3] = [
      await service('v1', 0),
      await service('v2', 0),
      await service('v3', FAULTY_ERROR_RATE),
    ];
    writeDemoProject(root, dir, { v1: v1.url, v2: v2.url, v3: v3.url });
    const sluice = await startSluice(command, dir);
    opened.push(() => sluice.stop());
    say(`Sluice is up: gateway ${sluice.gateway}, control API ${sluice.api}, metrics ${sluice.metrics}`);
    const traffic = startTraffic({
      origin: sluice.gateway,
      requestsPerSecond: REQUESTS_PER_SECOND,
      users: USERS,
      maxInFlight: 500,
    });
    opened.push(() => traffic.stop());
    say(`${USERS} users send ${REQUESTS_PER_SECOND} requests per second through it.\n`);

    const healthy = await healthyRollout(options, sluice, traffic);
    const faulty = await faultyRollout(options, sluice, v3);
    const good = report(options, traffic.report(), healthy && faulty);
    if (options.keep) {
      say(`\nEverything keeps running. Try: SLUICE_SERVER=${sluice.api} npx rollout list`);
      say(`Files: ${dir}. Ctrl-C ends it.`);
      await options.untilStopped();
    }
    return good ? 0 : 1;
  } finally {
    for (const close of opened.reverse()) await close();
    rmSync(dir, { recursive: true, force: true });
  }
}

async function healthyRollout(
  options: DemoOptions,
  sluice: RunningSluice,
  traffic: TrafficSource,
): Promise<boolean> {
  options.say('── 1. A healthy version: rollout start orders-v2');
  const code = await startAndWatch(options, sluice, 'orders-v2');
  const moves = traffic.report().moves;
  const back = moves['v2→v1'] ?? 0;
  options.say(`\n✓ users who moved v1 → v2: ${moves['v1→v2'] ?? 0}; back to v1: ${back}`);
  return code === 0 && back === 0;
}

async function faultyRollout(
  options: DemoOptions,
  sluice: RunningSluice,
  v3: OrdersService,
): Promise<boolean> {
  options.say('\n── 2. A faulty version: rollout start orders-v3');
  const zero = new AbortController();
  const zeroAtMs = weightZeroAt(sluice, v3, zero.signal);
  const code = await startAndWatch(options, sluice, 'orders-v3');
  const firstBadMs = v3.firstErrorAtMs();
  setTimeout(() => zero.abort(), 5_000).unref();
  const atMs = await zeroAtMs;
  const view = (await (await request(`${sluice.api}/api/v1/rollouts/orders-v3`)).body.json()) as RolloutView;
  const aborted = view.events.findLast((event) => event.type === 'aborted');
  options.say('\nEvidence, as recorded:');
  options.say(`  rule      ${aborted?.evidence[0]?.text ?? 'none'}`);
  options.say(`  numbers   ${aborted?.evidence[0]?.summary ?? 'none'}`);
  options.say(
    `  event     ${aborted ? `${aborted.rollout}/${aborted.run}/${aborted.sequence}, sha256 ${aborted.hash.slice(0, 16)}…` : 'none'}`,
  );
  if (firstBadMs !== null && atMs !== null) {
    options.say(
      `✓ first bad answer → weight 0 on every gateway: ${((atMs - firstBadMs) / 1000).toFixed(1)} s`,
    );
  }
  return (
    code === ABORTED &&
    aborted?.code === 'RULE' &&
    (aborted.evidence[0]?.text.startsWith('5xx') ?? false) &&
    atMs !== null
  );
}

async function startAndWatch(options: DemoOptions, sluice: RunningSluice, rollout: string): Promise<number> {
  const started = await runVerb(options.command, ['start', rollout, '--yes'], sluice.api);
  return started === 0 ? runVerb(options.command, ['watch', rollout], sluice.api) : started;
}

/** When the gateway itself first reports weight 0 after the canary's first bad answer, epoch milliseconds. */
async function weightZeroAt(
  sluice: RunningSluice,
  v3: OrdersService,
  signal: AbortSignal,
): Promise<number | null> {
  while (!signal.aborted) {
    if (v3.firstErrorAtMs() !== null) {
      const text = await (await request(sluice.metrics)).body.text();
      const sample = /^sluice_weight_ratio\{[^}]*v3[^}]*\} (\S+)$/m.exec(text);
      if (sample === null || Number(sample[1]) === 0) return Date.now();
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return null;
}

function report(options: DemoOptions, traffic: TrafficReport, ended: boolean): boolean {
  const statuses = Object.entries(traffic.byStatus).map(([status, count]) => `${status}: ${count}`);
  options.say(
    `\n── Traffic: ${traffic.sent} requests (${statuses.join(', ')}), in flight ${traffic.inFlight}, dropped ${traffic.dropped}`,
  );
  const good = ended && traffic.dropped === 0;
  options.say(
    good
      ? '✓ Both rollouts ended as they should, and no request was lost.'
      : '✗ Not as it should be: see above.',
  );
  return good;
}
