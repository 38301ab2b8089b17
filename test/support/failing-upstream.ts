/**
 * Upstreams that misbehave on purpose, and a gateway with short patience in front of them. Knows no expectation.
 * @module
 */

import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { Route } from '../../src/config/gateway-model.ts';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { gatewayConfigOf, routeOf, serviceOf } from './gateway-config.ts';
import type { GatewayHarness, Upstream } from './gateway-harness.ts';

export const TIMEOUT = { connectMs: 300, responseMs: 300, idleMs: 300, totalMs: 2_000 };

/** A gateway in front of version v1 of one service, with `TIMEOUT` unless the route says otherwise. */
export function startImpatient(
  harness: GatewayHarness,
  urls: readonly string[],
  route: Partial<Route> = {},
): Promise<Gateway> {
  const service = serviceOf('orders', { v1: urls });
  return harness.gateway(
    gatewayConfigOf([service], { routes: [routeOf('orders', { timeout: TIMEOUT, ...route })] }),
  );
}

/** A TCP server that is not bound to speak HTTP. */
export async function rude(harness: GatewayHarness, onConnection: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  harness.onClose(
    () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(resolve);
      }),
  );
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** An address on loopback that nobody listens at. */
export async function nobody(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `http://127.0.0.1:${port}`;
}

/** An upstream that is well, or fails in one of five ways, by the request's `x-kind` modulo 6. */
export function moody(harness: GatewayHarness): Promise<Upstream> {
  return harness.upstream((request, response) => {
    const kind = Number(request.headers['x-kind']) % 6;
    if (kind === 0) response.end('fine');
    else if (kind === 1) request.socket.destroy();
    else if (kind === 2) response.writeHead(200).write('half', () => request.socket.destroy());
    else if (kind === 3) response.writeHead(503).end();
    else if (kind === 4) response.writeHead(200, { 'content-length': '1000000' }).write('slow');
    // Else: no answer at all.
  });
}
