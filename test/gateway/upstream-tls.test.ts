import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server, type ServerOptions } from 'node:https';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Service } from '../../src/config/gateway-model.ts';
import type { UpstreamTls } from '../../src/config/policies/upstream-tls.ts';
import type { EndpointAddress } from '../../src/config/policies/upstreams.ts';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { isTlsFailure } from '../../src/gateway/upstream/connector.ts';
import { type Authority, createAuthority } from '../support/certificates.ts';
import { endpointOf, gatewayConfigOf, PLAIN_TLS, routeOf, serviceOf } from '../support/gateway-config.ts';
import { admin, call, eventually, GatewayHarness, type Reply } from '../support/gateway-harness.ts';

let harness: GatewayHarness;
let folder: string;
let authority: Authority;

beforeEach(async () => {
  harness = await GatewayHarness.open();
  folder = await mkdtemp(join(tmpdir(), 'sluice-'));
  harness.onClose(() => rm(folder, { recursive: true }));
  authority = createAuthority();
});

afterEach(() => harness.close());

interface Secured {
  readonly server: Server;
  readonly port: number;
  /** SNI of each connection; false: none. */
  readonly names: (string | false | null)[];
}

/** Answers with the common name of the client's certificate, or `nobody`. */
async function secured(options: ServerOptions = {}): Promise<Secured> {
  const names: (string | false | null)[] = [];
  const server = createServer(
    { ...authority.issue(['orders.internal', '127.0.0.1']), ...options },
    (request, response) => {
      const { subject } = (request.socket as TLSSocket).getPeerCertificate();
      response.end(String(subject?.CN ?? 'nobody'));
    },
  );
  server.on('secureConnection', (socket) => names.push(socket.servername));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  harness.onClose(async () => {
    server.closeAllConnections();
    server.close();
  });
  return { server, port: (server.address() as AddressInfo).port, names };
}

async function file(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

function configOf(
  port: number,
  tls: Partial<UpstreamTls>,
  endpoint: Partial<EndpointAddress> = {},
  changes: Partial<Service> = {},
) {
  const endpoints = [endpointOf(`https://127.0.0.1:${port}`, endpoint)];
  const versions = { v1: { endpoints, tls: { ...PLAIN_TLS, ...tls }, protocol: 'http1' as const } };
  return gatewayConfigOf([serviceOf('orders', {}, { versions, defaultVersion: 'v1', ...changes })], {
    routes: [routeOf('orders')],
    accessLog: { kind: 'file', path: join(folder, 'access.log') },
  });
}

const codeOf = (reply: Reply): string => (reply.status === 200 ? reply.body : JSON.parse(reply.body).code);

async function answers(gateway: Gateway, host?: string): Promise<string> {
  return codeOf(await call(gateway, '/', host === undefined ? {} : { headers: { host } }));
}

describe('TLS to upstreams', () => {
  it('trusts the pinned authority only', async () => {
    const { port } = await secured();
    const pinned = await harness.gateway(configOf(port, { ca: await file('ca.pem', authority.cert) }));
    expect(await answers(pinned)).toBe('nobody');
    const other = await harness.gateway(
      configOf(port, { ca: await file('other.pem', createAuthority('Other').cert) }),
    );
    expect(await answers(other)).toBe('UPSTREAM_TLS');
    expect(await answers(await harness.gateway(configOf(port, {})))).toBe('UPSTREAM_TLS');
    expect(await answers(await harness.gateway(configOf(port, { verify: false })))).toBe('nobody');
  });

  it('sends and verifies the name of the endpoint, whatever Host the client sends, over one connection', async () => {
    const { port, names } = await secured();
    const ca = await file('ca.pem', authority.cert);
    const gateway = await harness.gateway(configOf(port, { ca, servername: 'orders.internal' }));
    for (const host of ['evil.test', 'other.test', 'orders.test'])
      expect(await answers(gateway, host)).toBe('nobody');
    expect(names).toEqual(['orders.internal']);
    const byDiscovery = await harness.gateway(configOf(port, { ca }, { servername: 'orders.internal' }));
    expect(await answers(byDiscovery, 'evil.test')).toBe('nobody');
    expect(names).toEqual(['orders.internal', 'orders.internal']);
    const byAddress = await harness.gateway(configOf(port, { ca }));
    expect(await answers(byAddress, 'orders.internal')).toBe('nobody');
    expect(names[2]).toBe(false);
  });

  it.each<[string, Partial<UpstreamTls>, ServerOptions | null, string]>([
    ['another name', { servername: 'users.internal' }, null, 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ['a certificate that has expired', {}, {}, 'CERT_HAS_EXPIRED'],
    [
      'an old protocol only',
      {},
      { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' },
      '',
    ],
  ])('refuses %s and says so', async (_title, tls, options, code) => {
    const expired = code === 'CERT_HAS_EXPIRED' ? authority.issue(['127.0.0.1'], 3) : {};
    const { port } = await secured({ ...options, ...expired });
    const gateway = await harness.gateway(
      configOf(port, { ca: await file('ca.pem', authority.cert), ...tls }),
    );
    expect(await answers(gateway)).toBe('UPSTREAM_TLS');
    const { body } = await admin(gateway, '/metrics');
    expect(body).toMatch(/http_client_request_duration_seconds_count\{[^}]*error_type="connect"\} 1/);
  });

  it('tells a port where nobody speaks TLS from one where nobody is', async () => {
    const plain = createTcpServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    });
    await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve));
    harness.onClose(async () => plain.close());
    const { port } = plain.address() as AddressInfo;
    expect(await answers(await harness.gateway(configOf(port, {})))).toBe('UPSTREAM_TLS');
    const { port: free, server } = await secured();
    await new Promise((resolve) => server.close(resolve));
    expect(await answers(await harness.gateway(configOf(free, {})))).toBe('UPSTREAM_CONNECT');
  });

  it('shows its own certificate', async () => {
    const { port } = await secured({ requestCert: true, rejectUnauthorized: true, ca: authority.cert });
    const ca = await file('ca.pem', authority.cert);
    const mine = authority.issue(['gateway.internal']);
    const own = { cert: await file('own.pem', mine.cert), key: await file('own.key', mine.key) };
    const known = await harness.gateway(configOf(port, { ca, ...own }));
    expect(await answers(known)).toBe('gateway.internal');
    // Node's server closes without an alert: that cannot be told from a reset.
    expect(await answers(await harness.gateway(configOf(port, { ca })))).toBe('UPSTREAM_RESET');
  });

  it('takes an alert for what it is, during the handshake and after it', async () => {
    const refusing = createTcpServer((socket) => {
      socket.on('error', () => {});
      // Fatal, handshake_failure.
      socket.on('data', () => socket.end(Buffer.from([0x15, 3, 3, 0, 2, 2, 40])));
    });
    await new Promise<void>((resolve) => refusing.listen(0, '127.0.0.1', resolve));
    harness.onClose(async () => refusing.close());
    const { port } = refusing.address() as AddressInfo;
    expect(await answers(await harness.gateway(configOf(port, {})))).toBe('UPSTREAM_TLS');
    const late = Object.assign(new Error('alert'), { code: 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED' });
    expect([isTlsFailure(late), isTlsFailure(new Error('reset'))]).toEqual([true, false]);
  });

  it('takes new certificates without a restart, and keeps the old ones when the new are no good', async () => {
    const { port } = await secured({ requestCert: true, ca: authority.cert });
    const ca = await file('ca.pem', authority.cert);
    const [first, second] = [authority.issue(['first.internal']), authority.issue(['second.internal'])];
    const own = { cert: await file('own.pem', first.cert), key: await file('own.key', first.key) };
    const gateway = await harness.gateway(configOf(port, { ca, ...own }));
    expect(await answers(gateway)).toBe('first.internal');
    await writeFile(own.cert, second.cert);
    await eventually(() => harness.log.some((line) => line.includes('those read before stay')));
    expect((await admin(gateway, '/metrics')).body).toContain('sluice_upstream_tls_stale 1');
    expect(await answers(gateway)).toBe('first.internal');
    await writeFile(own.key, second.key);
    await eventually(() => harness.log.some((line) => line.includes('are replaced')));
    expect(await answers(gateway)).toBe('second.internal');
    expect((await admin(gateway, '/metrics')).body).toContain('sluice_upstream_tls_stale 0');
  });

  it('does not start, nor reload, with files that cannot be used', async () => {
    const { port } = await secured();
    const good = configOf(port, { ca: await file('ca.pem', authority.cert) });
    const bad = configOf(port, { ca: join(folder, 'missing.pem') });
    await expect(harness.gateway(bad)).rejects.toThrow('missing.pem');
    const gateway = await harness.gateway(good);
    expect(await gateway.reload(bad)).toMatchObject({ ok: false, cause: 'failed' });
    expect(await answers(gateway)).toBe('nobody');
  });

  it('checks health with the same trust', async () => {
    const { port, names } = await secured();
    const health = {
      path: '/',
      intervalMs: 20,
      timeoutMs: 1_000,
      jitter: 0,
      healthy: 1,
      unhealthy: 1,
      expect: [{ from: 200, to: 200 }],
      host: null,
    };
    await harness.gateway(configOf(port, { servername: 'orders.internal' }, {}, { health }));
    await eventually(() =>
      harness.log.some((line) => line.includes('"reason":"UNABLE_TO_VERIFY_LEAF_SIGNATURE"')),
    );
    expect(names.every((name) => name === 'orders.internal')).toBe(true);
  });
});
