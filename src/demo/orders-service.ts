/**
 * A small `orders` service for the demo, the Compose file and the tests: two versions of one real HTTP server,
 * whose error rate and latency are set by flags. Knows nothing of Sluice.
 * @module
 */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface OrdersBehaviour {
  readonly version: string;
  /** Share of requests that answer 500, 0 to 1. */
  readonly errorRate: number;
  /** Median time of an answer, milliseconds; the tail is about three times that. */
  readonly latencyMs: number;
}

export interface OrdersService {
  readonly url: string;
  /** Changes how it behaves from the next request on. */
  behave(changes: Partial<OrdersBehaviour>): void;
  /** When the first 500 was answered, epoch milliseconds; null while there was none. */
  firstErrorAtMs(): number | null;
  close(): Promise<void>;
}

/** Port 0 picks a free one. */
export async function startOrders(
  behaviour: OrdersBehaviour,
  address: { host: string; port: number },
): Promise<OrdersService> {
  let current = behaviour;
  let firstErrorAtMs: number | null = null;
  const server = createServer((request, response) => {
    const failed = Math.random() < current.errorRate;
    const delayMs = current.latencyMs === 0 ? 0 : current.latencyMs * latencyFactor(Math.random());
    setTimeout(() => {
      if (failed) firstErrorAtMs ??= Date.now();
      answer(request, response, current.version, failed);
    }, delayMs);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(address.port, address.host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${address.host === '0.0.0.0' || address.host === '::' ? '127.0.0.1' : address.host}:${port}`,
    behave(changes) {
      current = { ...current, ...changes };
    },
    firstErrorAtMs: () => firstErrorAtMs,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Log-normal: median 1, 95th percentile about 2.3. */
function latencyFactor(uniform: number): number {
  const normal = Math.sqrt(-2 * Math.log(1 - uniform)) * Math.cos(2 * Math.PI * Math.random());
  return Math.exp(normal / 2);
}

function answer(request: IncomingMessage, response: ServerResponse, version: string, failed: boolean): void {
  request.resume();
  const body = failed ? { error: 'cannot read the order book', version } : { order: request.url, version };
  response.writeHead(failed ? 500 : 200, { 'content-type': 'application/json', 'x-orders-version': version });
  response.end(JSON.stringify(body));
}
