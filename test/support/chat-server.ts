/**
 * WebSocket servers for tests of the gateway. Closed with the harness.
 * @module
 */

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import type { GatewayHarness } from './gateway-harness.ts';

/** The URL of a server; `onConnection` gets each connection. */
export async function chatServer(
  harness: GatewayHarness,
  onConnection: (socket: WebSocket) => void,
): Promise<string> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  server.on('connection', (socket) => {
    socket.on('error', () => {});
    onConnection(socket);
  });
  await once(server, 'listening');
  harness.onClose(
    () =>
      new Promise((resolve) => {
        for (const socket of server.clients) socket.terminate();
        server.close(resolve);
      }),
  );
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Sends back whatever comes. */
export const echo = (socket: WebSocket): void => {
  socket.on('message', (data, binary) => socket.send(data, { binary }));
};
