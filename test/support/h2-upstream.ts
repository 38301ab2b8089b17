/**
 * Upstreams that speak HTTP/2 without TLS, for tests of the gateway. Closed with the harness.
 * @module
 */

import {
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { GatewayHarness } from './gateway-harness.ts';

export type OnStream = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void;

export interface H2Upstream {
  readonly url: string;
  readonly sessions: ServerHttp2Session[];
  readonly server: Http2Server;
}

export async function h2Upstream(harness: GatewayHarness, onStream: OnStream): Promise<H2Upstream> {
  const server = createServer();
  const sessions: ServerHttp2Session[] = [];
  server.on('session', (session) => sessions.push(session));
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {});
    onStream(stream, headers);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  harness.onClose(async () => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, sessions, server };
}
