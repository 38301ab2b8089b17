import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { GatewayConfig } from '../../src/config/gateway-model.ts';
import type { ListenerConfig, ListenerTls } from '../../src/config/policies/listeners.ts';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { createAuthority } from '../support/certificates.ts';
import { gatewayConfigOf, listenerOf, serviceOf } from '../support/gateway-config.ts';
import { admin, GatewayHarness, portOf, raw, type Upstream } from '../support/gateway-harness.ts';
import { accessFile } from '../support/gateway-observed.ts';
import { proxyV2 } from '../support/proxy-header.ts';

const V1 = 'PROXY TCP4 203.0.113.9 10.0.0.1 4660 443\r\n';
const V2 = proxyV2({ bytes: [203, 0, 113, 9, 10, 0, 0, 1, 1, 1, 1, 1] }).toString('latin1');
const GET = 'GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n';

let harness: GatewayHarness;
let upstream: Upstream;

beforeEach(async () => {
  harness = await GatewayHarness.open();
  upstream = await harness.named('answer');
});

afterEach(() => harness.close());

function configOf(listener: Partial<ListenerConfig> = {}, changes: Partial<GatewayConfig> = {}) {
  return gatewayConfigOf([serviceOf('orders', { v1: [upstream.url] })], {
    listeners: [listenerOf({ proxyProtocol: { from: ['127.0.0.1'], timeoutMs: 10_000 }, ...listener })],
    ...changes,
  });
}

const forwardedFor = (): unknown => upstream.seen.at(-1)?.headers['x-forwarded-for'];

async function refused(gateway: Gateway, reason: string): Promise<number> {
  const pattern = new RegExp(`sluice_listener_refused_connections_total\\{[^}]*reason="${reason}"\\} (\\d+)`);
  return Number(pattern.exec((await admin(gateway, '/metrics')).body)?.[1]);
}

async function tlsFiles(): Promise<ListenerTls> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-'));
  harness.onClose(() => rm(folder, { recursive: true }));
  const { cert, key } = createAuthority().issue(['shop.test']);
  const files = { cert: join(folder, 'shop.pem'), key: join(folder, 'shop.key') };
  await writeFile(files.cert, cert);
  await writeFile(files.key, key);
  return { certificates: [files], minVersion: 'TLSv1.2', clientCertificates: null };
}

async function behindHeader(gateway: Gateway): Promise<Socket> {
  const socket = connect(portOf(gateway), '127.0.0.1');
  await new Promise((resolve) => socket.write(V1, resolve));
  return socket;
}

describe('a listener with proxyProtocol', () => {
  it.each([
    ['version 1', V1],
    ['version 2', V2],
  ])(
    'takes the client from a header of %s, in one piece with the request or byte by byte',
    async (_, header) => {
      const log = accessFile(harness);
      const gateway = await harness.gateway(configOf({}, { accessLog: log.config }));
      expect(await raw(portOf(gateway), header + GET)).toContain('answer');
      expect(forwardedFor()).toBe('203.0.113.9');
      const slowly = raw(portOf(gateway), '', async (socket) => {
        socket.setNoDelay();
        for (const byte of header + GET) {
          socket.write(byte, 'latin1');
          await new Promise(setImmediate);
        }
      });
      expect(await slowly).toContain('answer');
      expect(await log.lines(2)).toMatchObject([{ client_ip: '203.0.113.9' }, { client_ip: '203.0.113.9' }]);
    },
  );

  it('keeps the connection for further requests, also for bodies and pipelines', async () => {
    const gateway = await harness.gateway(configOf());
    const post = `POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 100000\r\n\r\n${'x'.repeat(100_000)}`;
    const text = await raw(portOf(gateway), V1 + post + GET);
    expect(text.match(/HTTP\/1\.1 200/g)).toHaveLength(2);
    expect(upstream.seen.map(({ headers }) => headers['x-forwarded-for'])).toEqual(
      Array(2).fill('203.0.113.9'),
    );
  });

  it('asks address rules and trusted proxies about the address in the header', async () => {
    const rules = { ip: { allow: ['203.0.113.0/24'], deny: [] } };
    const gateway = await harness.gateway(configOf(rules, { trustedProxies: ['127.0.0.1'] }));
    const forged = GET.replace('Host', 'X-Forwarded-For: 6.6.6.6\r\nHost');
    expect(await raw(portOf(gateway), V1 + forged)).toContain('answer');
    expect(forwardedFor()).toBe('203.0.113.9');
    expect(await raw(portOf(gateway), V1.replace('203.0.113.9', '192.0.2.1') + GET)).toContain(
      'ADDRESS_REFUSED',
    );
    // A balancer that speaks for itself.
    expect(await raw(portOf(gateway), `PROXY UNKNOWN\r\n${GET}`)).toContain('ADDRESS_REFUSED');
  });

  it('knows the client behind TLS and HTTP/2 too', async () => {
    const gateway = await harness.gateway(configOf({ tls: await tlsFiles(), http2: true }));
    const secure = connectTls({
      socket: await behindHeader(gateway),
      rejectUnauthorized: false,
      ALPNProtocols: ['http/1.1'],
    });
    const text = new Promise((resolve) => {
      let all = '';
      secure.on('data', (piece) => {
        all += piece;
      });
      secure.on('close', () => resolve(all));
    });
    secure.write(GET);
    expect(await text).toContain('answer');
    expect(forwardedFor()).toBe('203.0.113.9');

    const socket = connectTls({
      socket: await behindHeader(gateway),
      rejectUnauthorized: false,
      ALPNProtocols: ['h2'],
    });
    const session = connectHttp2('https://shop.test', { createConnection: () => socket });
    const status = await new Promise((resolve, reject) => {
      session.on('error', reject);
      session.request({ ':path': '/h2' }).on('response', (headers) => resolve(headers[':status']));
    });
    session.destroy();
    expect(status).toBe(200);
    expect(upstream.seen.at(-1)?.url).toBe('/h2');
    expect(forwardedFor()).toBe('203.0.113.9');
    expect(await raw(portOf(gateway), GET)).toBe('');
  });

  it('finds HTTP/2 in plain text behind the header', async () => {
    const gateway = await harness.gateway(configOf({ http2: true }));
    expect(await raw(portOf(gateway), V2 + GET)).toContain('answer');
    const socket = await behindHeader(gateway);
    const session = connectHttp2('http://shop.test', { createConnection: () => socket });
    const status = await new Promise((resolve, reject) => {
      session.on('error', reject);
      session.request({ ':path': '/' }).on('response', (headers) => resolve(headers[':status']));
    });
    session.destroy();
    expect(status).toBe(200);
    expect(forwardedFor()).toBe('203.0.113.9');
  });

  it('closes and counts what has no sound header, and what ends in the middle of one', async () => {
    const gateway = await harness.gateway(configOf());
    const wrong = [GET, 'PROXY TCP4 nobody', `PROXY TCP4 1 2 3 4\r\n${GET}`, V2.slice(0, 20)];
    for (const text of wrong) expect(await raw(portOf(gateway), text, (socket) => socket.end())).toBe('');
    // A look at the port, without a byte.
    expect(await raw(portOf(gateway), '', (socket) => socket.end())).toBe('');
    expect(await refused(gateway, 'header')).toBe(wrong.length);
    expect(upstream.seen).toHaveLength(0);
  });

  it('closes and counts what comes from elsewhere, header or not, and follows a reload', async () => {
    const elsewhere = { proxyProtocol: { from: ['10.0.0.0/8'], timeoutMs: 10_000 } };
    const gateway = await harness.gateway(configOf(elsewhere));
    expect(await raw(portOf(gateway), V1 + GET)).toBe('');
    expect(await refused(gateway, 'source')).toBe(1);
    expect(await gateway.reload(configOf())).toEqual({ ok: true });
    expect(await raw(portOf(gateway), V1 + GET)).toContain('answer');
    expect(await gateway.reload(configOf({ proxyProtocol: null }))).toMatchObject({
      cause: 'restart-needed',
    });
  });

  it('waits for a header no longer than its time', async () => {
    const gateway = await harness.gateway(
      configOf({ proxyProtocol: { from: ['127.0.0.1'], timeoutMs: 50 } }),
    );
    expect(await raw(portOf(gateway), 'PROXY TCP4 ')).toBe('');
    expect(await refused(gateway, 'timeout')).toBe(1);
  });
});
