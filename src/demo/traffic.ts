/**
 * Traffic of many users at a steady rate, for the demo and the tests: counts what each user saw, so that
 * stickiness and lost requests can be checked from the outside.
 * @module
 */

import { Pool } from 'undici';

export interface TrafficOptions {
  readonly origin: string;
  readonly requestsPerSecond: number;
  readonly users: number;
  /** Requests in flight at most; beyond it a request is skipped and counted. */
  readonly maxInFlight: number;
}

export interface TrafficReport {
  readonly sent: number;
  readonly byStatus: Readonly<Record<string, number>>;
  readonly byVersion: Readonly<Record<string, number>>;
  /** Requests without any answer: dropped connections. */
  readonly dropped: number;
  /** Not sent, because too many were in flight. */
  readonly skipped: number;
  /** Sent and not answered yet. */
  readonly inFlight: number;
  /** Changes of version that users saw, such as `v1→v2`. */
  readonly moves: Readonly<Record<string, number>>;
}

export interface TrafficSource {
  report(): TrafficReport;
  /** Stops sending and waits for what is in flight. */
  stop(): Promise<TrafficReport>;
}

const BEAT_MS = 20;

/**
 * Users keep the cookies that they are given and send `x-user-id`; an answer of the service carries
 * `x-orders-version`. A user without a cookie has one request in flight at most, as a browser's first would.
 */
export function startTraffic(options: TrafficOptions): TrafficSource {
  const pool = new Pool(options.origin, { connections: Math.min(64, options.maxInFlight) });
  const byStatus: Record<string, number> = {};
  const byVersion: Record<string, number> = {};
  const moves: Record<string, number> = {};
  const seen = new Map<number, string>();
  const cookies = new Map<number, string>();
  const arriving = new Set<number>();
  let sent = 0;
  let dropped = 0;
  let skipped = 0;
  let inFlight = 0;
  let owed = 0;
  let lastMs = performance.now();

  const one = async (): Promise<void> => {
    const user = Math.floor(Math.random() * options.users);
    const cookie = cookies.get(user);
    if (cookie === undefined && arriving.has(user)) return;
    if (cookie === undefined) arriving.add(user);
    inFlight += 1;
    sent += 1;
    try {
      const response = await pool.request({
        path: `/orders/${user % 500}`,
        method: 'GET',
        headers: { 'x-user-id': `user-${user}`, ...(cookie === undefined ? {} : { cookie }) },
      });
      cookies.set(user, [response.headers['set-cookie']].flat()[0]?.split(';')[0] ?? cookie ?? '');
      const version = response.headers['x-orders-version'];
      await response.body.dump();
      bump(byStatus, String(response.statusCode));
      if (typeof version === 'string') note(user, version);
    } catch {
      dropped += 1;
    } finally {
      inFlight -= 1;
      arriving.delete(user);
    }
  };

  const note = (user: number, version: string): void => {
    bump(byVersion, version);
    const before = seen.get(user);
    if (before !== undefined && before !== version) bump(moves, `${before}→${version}`);
    seen.set(user, version);
  };

  const beat = (): void => {
    const nowMs = performance.now();
    owed += ((nowMs - lastMs) / 1000) * options.requestsPerSecond;
    lastMs = nowMs;
    for (; owed >= 1; owed -= 1) {
      if (inFlight < options.maxInFlight) void one();
      else skipped += 1;
    }
  };
  const timer = setInterval(beat, BEAT_MS);
  const report = (): TrafficReport => ({
    sent,
    byStatus,
    byVersion,
    dropped,
    skipped,
    inFlight,
    moves,
  });

  return {
    report,
    async stop() {
      clearInterval(timer);
      await pool.close();
      return report();
    },
  };
}

function bump(counts: Record<string, number>, key: string): void {
  counts[key] = (counts[key] ?? 0) + 1;
}
