import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CertificateFiles, ListenerConfig, ListenerTls } from '../../src/config/policies/listeners.ts';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { type Authority, type Certificate, createAuthority } from '../support/certificates.ts';
import { gatewayConfigOf, listenerOf, serviceOf } from '../support/gateway-config.ts';
import {
  admin,
  call,
  eventually,
  GatewayHarness,
  portOf,
  raw,
  type Upstream,
} from '../support/gateway-harness.ts';
import { callTls } from '../support/tls-client.ts';

let harness: GatewayHarness;
let folder: string;
let authority: Authority;
let upstream: Upstream;

beforeEach(async () => {
  harness = await GatewayHarness.open();
  folder = await mkdtemp(join(tmpdir(), 'sluice-'));
  harness.onClose(() => rm(folder, { recursive: true }));
  authority = createAuthority();
  upstream = await harness.named('answer');
});

afterEach(() => harness.close());

async function files(name: string, certificate: Certificate): Promise<CertificateFiles> {
  const paths = { cert: join(folder, `${name}.pem`), key: join(folder, `${name}.key`) };
  await writeFile(paths.cert, certificate.cert);
  await writeFile(paths.key, certificate.key);
  return paths;
}

async function tlsOf(changes: Partial<ListenerTls> = {}): Promise<ListenerTls> {
  const certificates = [await files('shop', authority.issue(['shop.test']))];
  return { certificates, minVersion: 'TLSv1.2', clientCertificates: null, ...changes };
}

function configOf(listener: Partial<ListenerConfig>, trustedProxies: string[] = []) {
  const service = serviceOf(
    'orders',
    { v1: [upstream.url], v2: [upstream.url] },
    { sticky: [{ cookie: 'sluice_id' }, 'ip'] },
  );
  return gatewayConfigOf([service], { listeners: [listenerOf(listener)], trustedProxies });
}

const open = async (listener: Partial<ListenerConfig>): Promise<Gateway> =>
  harness.gateway(configOf(listener));

describe('a TLS listener', () => {
  it('prefers TLS 1.3, speaks 1.2, refuses what is older, and agrees on http/1.1', async () => {
    const gateway = await open({ tls: await tlsOf() });
    const ca = authority.cert;
    const newest = await callTls(gateway, { ca, servername: 'shop.test', ALPNProtocols: ['http/1.1'] });
    expect(newest).toMatchObject({ status: 200, body: 'answer', protocol: 'TLSv1.3', alpn: 'http/1.1' });
    const older = await callTls(gateway, { ca, servername: 'shop.test', maxVersion: 'TLSv1.2' });
    expect(older).toMatchObject({ status: 200, protocol: 'TLSv1.2' });
    expect(older.cipher).toMatch(/^ECDHE-.*(?:GCM|POLY1305)/);
    const ancient = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    await expect(callTls(gateway, ancient)).rejects.toThrow(/protocol version/i);
    await expect(callTls(gateway, { maxVersion: 'TLSv1.2', ciphers: 'AES128-SHA' })).rejects.toThrow();
    await expect(callTls(gateway, { ALPNProtocols: ['ftp'] })).rejects.toThrow(/application protocol/i);
    expect((await admin(gateway, '/metrics')).body).toMatch(/failed_handshakes_total\{[^}]*\} 3/);
  });

  it('speaks 1.3 only where it is told to', async () => {
    const gateway = await open({ tls: await tlsOf({ minVersion: 'TLSv1.3' }) });
    expect((await callTls(gateway)).protocol).toBe('TLSv1.3');
    await expect(callTls(gateway, { maxVersion: 'TLSv1.2' })).rejects.toThrow(/protocol version/i);
  });

  it('chooses the certificate by name: exact before wildcard, the first for all others', async () => {
    const certificates = [
      await files('first', authority.issue(['first.test'])),
      await files('wild', authority.issue(['*.shop.test'])),
      await files('exact', authority.issue(['a.shop.test'])),
    ];
    const gateway = await open({ tls: await tlsOf({ certificates }) });
    const shown = async (servername?: string) =>
      (await callTls(gateway, servername === undefined ? {} : { servername })).shown;
    expect(await shown('a.shop.test')).toBe('a.shop.test');
    expect(await shown('B.shop.test')).toBe('*.shop.test');
    expect(await shown('a.b.shop.test')).toBe('first.test');
    expect(await shown('shop.test')).toBe('first.test');
    expect(await shown('')).toBe('first.test');
  });

  it('tells upstreams and cookies that the client came over https, and browsers to stay there', async () => {
    const gateway = await open({ tls: await tlsOf(), hsts: 'max-age=60' });
    const reply = await callTls(gateway, { headers: { 'x-forwarded-proto': 'http' } });
    expect(upstream.seen[0]?.headers['x-forwarded-proto']).toBe('https');
    expect(String(reply.headers['set-cookie'])).toContain('; Secure');
    expect(reply.headers['strict-transport-security']).toBe('max-age=60');
    const refused = await callTls(gateway, { path: '/a%2fb' });
    expect(refused.status).toBe(400);
    expect(refused.headers['strict-transport-security']).toBe('max-age=60');
  });

  it('says in place of its upstreams whether browsers stay there, and does not pass their word on beside its own', async () => {
    const theirs = await harness.upstream((_request, response) =>
      response.setHeader('Strict-Transport-Security', 'max-age=0').end(),
    );
    const config = { ...configOf({ tls: await tlsOf(), hsts: 'max-age=60' }) };
    const gateway = await harness.gateway({
      ...config,
      services: { orders: serviceOf('orders', { v1: [theirs.url] }) },
    });
    const { headers } = await callTls(gateway);
    expect(headers['strict-transport-security']).toBe('max-age=60');
  });

  it('shows a new certificate as soon as its files change; one that cannot be used changes nothing', async () => {
    const tls = await tlsOf();
    const gateway = await open({ tls });
    await files('shop', authority.issue(['renewed.test']));
    const renewed = async () => (await callTls(gateway)).shown === 'renewed.test';
    await until(renewed);
    await until(
      async () => (await callTls(gateway, { servername: 'renewed.test' })).shown === 'renewed.test',
    );
    await writeFile(tls.certificates[0]?.cert ?? '', 'not a certificate');
    await eventually(() => harness.log.some((line) => line.includes('cannot be used')), 10_000);
    expect((await callTls(gateway)).shown).toBe('renewed.test');
    const metrics = (await admin(gateway, '/metrics')).body;
    expect(metrics).toMatch(/sluice_listener_certificates_stale\{[^}]*\} 1/);
    const expires = Number(/not_after_seconds\{[^}]*shop\.pem"\} (\d+)/.exec(metrics)?.[1]);
    expect(expires).toBeGreaterThan(Date.now() / 1000);
    expect(expires).toBeLessThan(Date.now() / 1000 + 86_400);
  });

  it('takes other certificates, HSTS and client lists by a reload, and none of a bad one', async () => {
    const tls = await tlsOf();
    const gateway = await open({ tls });
    const other = { ...tls, certificates: [await files('other', authority.issue(['other.test']))] };
    expect(await gateway.reload(configOf({ tls: other, hsts: 'max-age=1' }))).toEqual({ ok: true });
    const reply = await callTls(gateway);
    expect(reply.shown).toBe('other.test');
    expect(reply.headers['strict-transport-security']).toBe('max-age=1');
    const missing = { ...tls, certificates: [{ cert: join(folder, 'no.pem'), key: join(folder, 'no.key') }] };
    expect(await gateway.reload(configOf({ tls: missing }))).toMatchObject({ ok: false, cause: 'failed' });
    expect((await callTls(gateway)).shown).toBe('other.test');
    expect(await gateway.reload(configOf({}))).toMatchObject({ ok: false, cause: 'restart-needed' });
  });

  it('reads its files again on a reload that changes nothing', async () => {
    const tls = await tlsOf();
    const gateway = await open({ tls });
    await files('shop', authority.issue(['again.test']));
    expect(await gateway.reload(configOf({ tls }))).toEqual({ ok: true });
    expect((await callTls(gateway)).shown).toBe('again.test');
  });

  it('does not start with a key of another certificate', async () => {
    const { key } = authority.issue(['shop.test']);
    const wrong = await files('wrong', { cert: authority.issue(['shop.test']).cert, key });
    await expect(open({ tls: await tlsOf({ certificates: [wrong] }) })).rejects.toThrow(/key/i);
  });

  it('destroys connections that speak plain http or nothing, and closes with some of them open', async () => {
    const gateway = await open({ tls: await tlsOf() });
    expect(await raw(portOf(gateway), 'GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n')).not.toContain('HTTP/1.1');
    const silent = connect(portOf(gateway), '127.0.0.1');
    const closed = new Promise((resolve) => silent.on('close', resolve));
    silent.on('error', () => {});
    await new Promise((resolve) => silent.on('connect', resolve));
    await gateway.close();
    await closed;
  });
});

describe('client certificates', () => {
  const NOBODY = { subjects: [], altNames: [] };

  async function guarded(required: boolean, allow: { subjects?: string[]; altNames?: string[] } = {}) {
    const ca = join(folder, 'clients.pem');
    await writeFile(ca, authority.cert);
    return tlsOf({ clientCertificates: { ca, required, allow: { ...NOBODY, ...allow } } });
  }

  it('are required where they are: none and those of strangers end the handshake', async () => {
    const gateway = await open({ tls: await guarded(true) });
    await expect(callTls(gateway)).rejects.toThrow();
    await expect(callTls(gateway, createAuthority().issue(['job.test']))).rejects.toThrow();
    expect((await callTls(gateway, authority.issue(['job.test']))).status).toBe(200);
    expect(upstream.seen).toHaveLength(1);
  });

  it('reach the upstream as fields that no client can send itself', async () => {
    const gateway = await open({ tls: await guarded(false) });
    const forged = {
      'client-cert': ':Zm9yZ2Vk:',
      'x-client-cert-subject': 'CN=admin',
      x_client_cert_subject: 'y',
    };
    expect((await callTls(gateway, { headers: forged })).status).toBe(200);
    expect(JSON.stringify(upstream.seen[0]?.headers)).not.toMatch(/client.cert/);
    const shown = authority.issue(['job.test']);
    await callTls(gateway, { ...shown, headers: forged });
    const headers = upstream.seen[1]?.headers ?? {};
    const der = shown.cert.replace(/-----.*-----|\n/g, '');
    expect(headers['client-cert']).toBe(`:${der}:`);
    expect(headers['x-client-cert-subject']).toBe('CN=job.test');
    expect(headers['x-client-cert-alt-names']).toBe('DNS:job.test');
  });

  it('that are optional are refused when a stranger issued them', async () => {
    const gateway = await open({ tls: await guarded(false) });
    const refused = await callTls(gateway, createAuthority().issue(['job.test']));
    expect(refused.status).toBe(403);
    expect(refused.body).toContain('CLIENT_CERTIFICATE_REFUSED');
    expect(upstream.seen).toHaveLength(0);
  });

  it('are held to the allow list, by subject or alternative name', async () => {
    const gateway = await open({
      tls: await guarded(true, { subjects: ['CN=batch.test'], altNames: ['DNS:*.jobs.test'] }),
    });
    const status = async (name: string) => (await callTls(gateway, authority.issue([name]))).status;
    expect(await status('batch.test')).toBe(200);
    expect(await status('a.jobs.test')).toBe(200);
    expect(await status('jobs.test')).toBe(403);
  });
});

describe('a plain listener that redirects', () => {
  it('sends every request to https with path and query, and routes none', async () => {
    const gateway = await open({ redirectPort: 443 });
    const reply = await call(gateway, '/orders?a=1', { method: 'POST', headers: { host: 'shop.test:8080' } });
    expect(reply.status).toBe(308);
    expect(reply.headers.location).toBe('https://shop.test/orders?a=1');
    expect(upstream.seen).toHaveLength(0);
  });

  it('names another port, and lets pass what came over https to a trusted proxy', async () => {
    const gateway = await harness.gateway(configOf({ redirectPort: 8443 }, ['127.0.0.1']));
    const plain = await call(gateway, '/', { headers: { host: 'shop.test' } });
    expect(plain.headers.location).toBe('https://shop.test:8443/');
    const secure = await call(gateway, '/', { headers: { host: 'shop.test', 'x-forwarded-proto': 'https' } });
    expect(secure.body).toBe('answer');
  });
});

async function until(check: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!(await check())) {
    if (performance.now() > deadline) throw new Error('not in time');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
