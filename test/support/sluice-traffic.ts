/**
 * Traffic for end-to-end tests: many users over one or several gateways, counting what each saw. A client goes
 * to another gateway when a connection is refused or an answer says `Connection: close`, as any balancer does; it
 * never repeats a request.
 * @module
 */

import { errors, Pool } from 'undici';

export interface TrafficPlan {
  /** Base URLs of the gateways; requests go around. */
  readonly origins: readonly string[];
  readonly service: string;
  readonly requestsPerSecond: number;
  readonly users: number;
}

export interface TrafficReport {
  readonly sent: number;
  readonly byStatus: Readonly<Record<string, number>>;
  readonly byVersion: Readonly<Record<string, number>>;
  /** By version and status, such as `v2 500`; version `none` is the gateway's own answer. */
  readonly byAnswer: Readonly<Record<string, number>>;
  /** Requests that were sent and never answered. */
  readonly dropped: number;
  readonly failures: readonly string[];
  /** Changes of version that single users saw, such as `v1→v2`. */
  readonly moves: Readonly<Record<string, number>>;
}

export interface Traffic {
  report(): TrafficReport;
  /** Forgets what was counted so far. */
  reset(): void;
  /** Sends no more, and waits for what is under way. Idempotent. */
  stop(): Promise<TrafficReport>;
}

const BEAT_MS = 10;
/** A gateway that refused a connection is the last choice for so long. */
const AVOID_MS = 250;
const KEPT_FAILURES = 20;

export function startTraffic(plan: TrafficPlan): Traffic {
  const gateways = plan.origins.map((origin) => ({
    pool: new Pool(origin, { connections: 16, connectTimeout: 2_000 }),
    avoidUntilMs: 0,
  }));
  let counts = newCounts();
  let turn = 0;
  let user = 0;
  let owed = 0;
  let lastMs = performance.now();

  const order = () => {
    turn += 1;
    const nowMs = performance.now();
    const around = gateways.map((_, index) => gateways[(turn + index) % gateways.length] as Gateway);
    return around.sort((a, b) => Number(a.avoidUntilMs > nowMs) - Number(b.avoidUntilMs > nowMs));
  };

  const one = async (): Promise<void> => {
    user = (user + 1) % plan.users;
    const key = user;
    counts.sent += 1;
    let refusals = '';
    for (const gateway of order()) {
      try {
        const response = await gateway.pool.request({
          path: `/${plan.service}/${key}`,
          method: 'GET',
          headers: { 'x-user-id': `user-${key}` },
        });
        const version = response.headers['x-orders-version'];
        await response.body.dump();
        // A gateway that says `Connection: close` is about to leave: the next requests go to another one.
        if (response.headers.connection === 'close') gateway.avoidUntilMs = performance.now() + AVOID_MS;
        counts.byStatus[response.statusCode] = (counts.byStatus[response.statusCode] ?? 0) + 1;
        const answer = `${version ?? 'none'} ${response.statusCode}`;
        counts.byAnswer[answer] = (counts.byAnswer[answer] ?? 0) + 1;
        if (typeof version === 'string') noteVersion(counts, key, version);
        return;
      } catch (error) {
        if (!isRefused(error)) {
          counts.dropped += 1;
          if (counts.failures.length < KEPT_FAILURES) counts.failures.push(String(error));
          return;
        }
        gateway.avoidUntilMs = performance.now() + AVOID_MS;
        refusals += ` ${error}`;
      }
    }
    counts.dropped += 1;
    if (counts.failures.length < KEPT_FAILURES)
      counts.failures.push(`${new Date().toISOString()} refused everywhere:${refusals}`);
  };

  const underWay = new Set<Promise<void>>();
  const timer = setInterval(() => {
    const nowMs = performance.now();
    owed += ((nowMs - lastMs) / 1000) * plan.requestsPerSecond;
    lastMs = nowMs;
    // After a pause of this process a burst would say nothing about the gateways.
    owed = Math.min(owed, plan.requestsPerSecond / 4);
    for (; owed >= 1; owed -= 1) {
      const sending = one().finally(() => underWay.delete(sending));
      underWay.add(sending);
    }
  }, BEAT_MS);

  let stopping: Promise<TrafficReport> | null = null;
  const stop = async (): Promise<TrafficReport> => {
    clearInterval(timer);
    await Promise.all(underWay);
    await Promise.all(gateways.map(({ pool }) => pool.close()));
    return counts;
  };
  return {
    report: () => structuredClone({ ...counts, seen: undefined }),
    reset() {
      counts = { ...newCounts(), seen: counts.seen };
    },
    stop() {
      stopping ??= stop();
      return stopping;
    },
  };
}

interface Gateway {
  readonly pool: Pool;
  avoidUntilMs: number;
}

interface Counts {
  sent: number;
  byStatus: Record<string, number>;
  byVersion: Record<string, number>;
  byAnswer: Record<string, number>;
  dropped: number;
  failures: string[];
  moves: Record<string, number>;
  /** By user: the version seen last. */
  seen: Map<number, string>;
}

function newCounts(): Counts {
  return {
    sent: 0,
    byStatus: {},
    byVersion: {},
    byAnswer: {},
    dropped: 0,
    failures: [],
    moves: {},
    seen: new Map(),
  };
}

function noteVersion(counts: Counts, user: number, version: string): void {
  counts.byVersion[version] = (counts.byVersion[version] ?? 0) + 1;
  const before = counts.seen.get(user);
  counts.seen.set(user, version);
  if (before === undefined || before === version) return;
  const move = `${before}→${version}`;
  counts.moves[move] = (counts.moves[move] ?? 0) + 1;
}

/** Nothing was sent: no listener, or no connection in time. */
function isRefused(error: unknown): boolean {
  if (error instanceof errors.ConnectTimeoutError) return true;
  return error instanceof Error && 'code' in error && error.code === 'ECONNREFUSED';
}
