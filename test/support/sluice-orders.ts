/**
 * Two versions of a small HTTP service for end-to-end tests, in the test's own process: their faults are
 * switched while traffic runs, and they count what reaches them.
 * @module
 */

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Behaviour {
  /** Every so many-th request answers 500; 0: none does. */
  readonly failEvery: number;
  readonly latencyMs: number;
}

export interface OrdersVersion {
  readonly url: string;
  /** From the next request on. */
  behave(behaviour: Partial<Behaviour>): void;
  /** Requests that have arrived so far. */
  requests(): number;
  /** When the first 500 was answered, epoch milliseconds; null while there was none. */
  firstFailureAtMs(): number | null;
  close(): Promise<void>;
}

export interface Orders {
  readonly v1: OrdersVersion;
  readonly v2: OrdersVersion;
  close(): Promise<void>;
}

export async function startOrdersPair(): Promise<Orders> {
  const v1 = await startOrdersVersion('v1');
  const v2 = await startOrdersVersion('v2');
  return {
    v1,
    v2,
    async close() {
      await Promise.all([v1.close(), v2.close()]);
    },
  };
}

async function startOrdersVersion(version: string): Promise<OrdersVersion> {
  let behaviour: Behaviour = { failEvery: 0, latencyMs: 0 };
  let requests = 0;
  let firstFailureAtMs: number | null = null;
  const server = createServer((request, response) => {
    requests += 1;
    request.resume();
    const { failEvery, latencyMs } = behaviour;
    const failed = failEvery > 0 && requests % failEvery === 0;
    if (failed) firstFailureAtMs ??= Date.now();
    setTimeout(() => {
      response.writeHead(failed ? 500 : 200, { 'content-type': 'text/plain', 'x-orders-version': version });
      response.end(version);
    }, latencyMs);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    behave(changes) {
      behaviour = { ...behaviour, ...changes };
    },
    requests: () => requests,
    firstFailureAtMs: () => firstFailureAtMs,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
