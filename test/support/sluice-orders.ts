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
  /** All requests below this path answer 500 as well; empty: none does. */
  readonly failBelow: string;
  readonly latencyMs: number;
  /** Said as JSON; null: the name of the version as text. */
  readonly answer: (() => unknown) | null;
}

export interface OrdersVersion {
  readonly url: string;
  /** From the next request on. */
  behave(behaviour: Partial<Behaviour>): void;
  /** Requests that have arrived so far. */
  requests(): number;
  close(): Promise<void>;
}

export interface Orders {
  readonly v1: OrdersVersion;
  readonly v2: OrdersVersion;
  /** All instances of v2, `v2` first. */
  readonly canaries: readonly OrdersVersion[];
  close(): Promise<void>;
}

export async function startOrdersPair(instances = 1): Promise<Orders> {
  const v1 = await startOrdersVersion('v1');
  const v2 = await startOrdersVersion('v2');
  const others = await Promise.all(Array.from({ length: instances - 1 }, () => startOrdersVersion('v2')));
  return {
    v1,
    v2,
    canaries: [v2, ...others],
    async close() {
      await Promise.all([v1, v2, ...others].map((version) => version.close()));
    },
  };
}

async function startOrdersVersion(version: string): Promise<OrdersVersion> {
  let behaviour: Behaviour = { failEvery: 0, failBelow: '', latencyMs: 0, answer: null };
  let requests = 0;
  const server = createServer((request, response) => {
    requests += 1;
    request.resume();
    const { failEvery, failBelow, latencyMs, answer } = behaviour;
    const concerned = failBelow !== '' && (request.url ?? '').startsWith(failBelow);
    const failed = concerned || (failEvery > 0 && requests % failEvery === 0);
    setTimeout(() => {
      const type = answer === null ? 'text/plain' : 'application/json';
      response.writeHead(failed ? 500 : 200, { 'content-type': type, 'x-orders-version': version });
      response.end(answer === null ? version : JSON.stringify(answer()));
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
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
