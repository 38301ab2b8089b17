/**
 * An https client for tests: one request per connection, with all that a test wants to choose or to see of TLS.
 * Knows the harness's gateways only by their port.
 * @module
 */

import { request } from 'node:https';
import type { ConnectionOptions, TLSSocket } from 'node:tls';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { portOf, type Reply } from './gateway-harness.ts';

export interface TlsReply extends Reply {
  /** Common name of the certificate that was shown. */
  readonly shown: string;
  readonly protocol: string;
  readonly cipher: string;
  readonly alpn: string;
}

export interface TlsCall extends ConnectionOptions {
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Rejects when there is no connection. Certificates are not verified unless `ca` is given. */
export function callTls(gateway: Gateway, options: TlsCall = {}): Promise<TlsReply> {
  const { path = '/', headers = {}, ...tls } = options;
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host: '127.0.0.1',
        port: portOf(gateway),
        path,
        headers: { host: tls.servername ?? 'shop.test', ...headers },
        agent: false,
        rejectUnauthorized: tls.ca !== undefined,
        ...tls,
      },
      (response) => {
        const socket = response.socket as TLSSocket;
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (piece: string) => {
          body += piece;
        });
        response.on('error', reject);
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body,
            shown: String(socket.getPeerCertificate().subject?.CN),
            protocol: String(socket.getProtocol()),
            cipher: socket.getCipher().name,
            alpn: String(socket.alpnProtocol),
          }),
        );
      },
    );
    sent.on('error', reject);
    sent.end();
  });
}
