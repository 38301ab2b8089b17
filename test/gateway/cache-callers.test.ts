import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cached, numbered } from '../support/caching-gateway.ts';
import { createAuthority } from '../support/certificates.ts';
import { listenerOf } from '../support/gateway-config.ts';
import { call, GatewayHarness } from '../support/gateway-harness.ts';
import { gatewayOfYaml } from '../support/gateway-yaml.ts';
import { callTls } from '../support/tls-client.ts';

let harness: GatewayHarness;

beforeEach(async () => {
  harness = await GatewayHarness.open();
});

afterEach(() => harness.close());

/** A listener that takes client certificates, and two people who have one. */
async function certified() {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-'));
  harness.onClose(() => rm(folder, { recursive: true }));
  const authority = createAuthority();
  const { cert, key } = authority.issue(['shop.test']);
  const files = { cert: join(folder, 'shop.pem'), key: join(folder, 'shop.key') };
  const ca = join(folder, 'clients.pem');
  await writeFile(files.cert, cert);
  await writeFile(files.key, key);
  await writeFile(ca, authority.cert);
  const clientCertificates = { ca, required: false, allow: { subjects: [], altNames: [] } };
  const tls = { certificates: [files], minVersion: 'TLSv1.2' as const, clientCertificates };
  return {
    listeners: [listenerOf({ tls })],
    ann: authority.issue(['ann.test']),
    bob: authority.issue(['bob.test']),
  };
}

/** An upstream that greets whoever its request is of, by `field`. */
const greeting =
  (field: string, fields: Record<string, string> = {}): Parameters<typeof cached>[1] =>
  (request, response) =>
    response.writeHead(200, fields).end(`hello ${request.headers[field] ?? 'stranger'}`);

describe('a cached response to a caller whom the upstream knows', () => {
  it.each<[string, Record<string, string>, number | null]>([
    ['the route’s lifetime', {}, 60_000],
    ['the response’s own', { 'cache-control': 'max-age=60' }, null],
  ])('by a client certificate reaches nobody else, by %s', async (_what, fields, ttlMs) => {
    const { listeners, ann, bob } = await certified();
    const greet = greeting('x-client-cert-subject', fields);
    const { gateway } = await cached(harness, greet, { ttlMs }, {}, { listeners });
    const bodies = [];
    for (const caller of [ann, bob, {}, ann]) bodies.push((await callTls(gateway, caller)).body);
    expect(bodies).toEqual(['hello CN=ann.test', 'hello CN=bob.test', 'hello stranger', 'hello stranger']);
  });

  it('by a client certificate is for all where it says so itself', async () => {
    const { listeners, ann } = await certified();
    const answer = numbered({ 'cache-control': 'public, max-age=60' });
    const { gateway, calls } = await cached(harness, answer, {}, {}, { listeners });
    expect((await callTls(gateway, ann)).body).toBe('call 1');
    expect([(await callTls(gateway)).body, calls()]).toEqual(['call 1', 1]);
  });

  it('by the certificate that a trusted proxy tells of reaches nobody else', async () => {
    const greet = greeting('client-cert', { 'cache-control': 'max-age=60' });
    const trusting = { trustedProxies: ['127.0.0.1/32'] };
    const { gateway } = await cached(harness, greet, { ttlMs: 60_000 }, {}, trusting);
    const bodies = [];
    for (const headers of [{ 'client-cert': ':YW5u:' }, { 'client-cert': ':Ym9i:' }, {}])
      bodies.push((await call(gateway, '/', { headers })).body);
    expect(bodies).toEqual(['hello :YW5u:', 'hello :Ym9i:', 'hello stranger']);
  });

  it('does not make others wait for it, nor it for others', async () => {
    const { listeners, ann, bob } = await certified();
    const held: (() => void)[] = [];
    const { gateway } = await cached(
      harness,
      (_request, response) => {
        held.push(() => response.end());
        // Nobody gets an answer before both have asked.
        if (held.length === 2) for (const answer of held) answer();
      },
      { ttlMs: 60_000 },
      {},
      { listeners },
    );
    const replies = await Promise.all([callTls(gateway, ann), callTls(gateway, bob)]);
    expect(replies.map(({ status }) => status)).toEqual([200, 200]);
  });

  it.each(['x-api-key', 'X_Api_Key', 'X-Auth-Token', 'private-token'])(
    'by %s is not kept by the route’s lifetime or a guess',
    async (name) => {
      const old = { 'last-modified': 'Mon, 01 Jan 2024 00:00:00 GMT' };
      for (const ttlMs of [60_000, null]) {
        const { gateway, calls } = await cached(harness, numbered(old), { ttlMs });
        await call(gateway, '/', { headers: { [name]: 'ann' } });
        expect([(await call(gateway, '/')).body, calls()]).toEqual(['call 2', 2]);
      }
    },
  );

  it('by a key is kept where the response names a lifetime itself, or the key is part of the cache’s', async () => {
    const explicit = await cached(harness, numbered({ 'cache-control': 'max-age=60' }));
    const keyed = await cached(harness, numbered({}), { ttlMs: 60_000, headers: ['x-api-key'] });
    for (const { gateway, calls } of [explicit, keyed]) {
      for (const user of ['ann', 'ann']) await call(gateway, '/', { headers: { 'x-api-key': user } });
      expect(calls()).toBe(1);
    }
    expect((await call(keyed.gateway, '/', { headers: { 'x-api-key': 'bob' } })).body).toBe('call 2');
  });

  it('by a field that the configuration reads keys from, or that it fills from one, is not kept', async () => {
    const upstream = await harness.upstream((request, response) =>
      response.end(`hello ${request.headers['x-shop-key'] ?? request.headers['x-copy'] ?? 'stranger'}`),
    );
    const gateway = await harness.gateway(
      gatewayOfYaml(
        upstream.url,
        `
identity:
  introspection:
    partners:
      url: http://127.0.0.1:1
      clientId: gateway
      clientSecret: { env: CLIENT_SECRET }
      token: { header: X-Shop-Key }
routes:
  - { name: judged-elsewhere, match: { prefix: /a }, service: orders, cache: { ttl: 1m } }
  - name: copied
    match: { prefix: /b }
    service: orders
    cache: { ttl: 1m }
    headers: { request: { set: { x-copy: 'of \${header.authorization}' }, remove: [authorization] } }
`,
      ),
      { env: { CLIENT_SECRET: 'secret' } },
    );
    const ask = async (path: string, headers: Record<string, string> = {}) =>
      (await call(gateway, path, { headers })).body;
    expect(await ask('/a', { 'x-shop-key': 'ann' })).toBe('hello ann');
    expect(await ask('/a')).toBe('hello stranger');
    expect(await ask('/b', { authorization: 'ann' })).toBe('hello of ann');
    expect(await ask('/b')).toBe('hello stranger');
  });
});
