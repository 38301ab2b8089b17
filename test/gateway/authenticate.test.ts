import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { GatewayConfig } from '../../src/config/gateway-model.ts';
import type { JwtProvider } from '../../src/config/policies/identity.ts';
import { gatewayConfigOf, routeOf, serviceOf } from '../support/gateway-config.ts';
import { call, GatewayHarness, type Reply, splitOf, type Upstream } from '../support/gateway-harness.ts';

let keys: { publicKey: CryptoKey; privateKey: CryptoKey };
let stranger: { publicKey: CryptoKey; privateKey: CryptoKey };
let jwk: JWK;
let harness: GatewayHarness;
let upstream: Upstream;
let folder: string;

beforeAll(async () => {
  keys = await generateKeyPair('ES256');
  stranger = await generateKeyPair('ES256');
  jwk = { ...(await exportJWK(keys.publicKey)), kid: 'k1', alg: 'ES256', use: 'sig' };
});

beforeEach(async () => {
  harness = await GatewayHarness.open();
  upstream = await harness.named('v1');
  folder = await mkdtemp(join(tmpdir(), 'sluice-jwt-'));
  await writeFile(join(folder, 'jwks.json'), JSON.stringify({ keys: [jwk] }));
});

afterEach(async () => {
  await harness.close();
  await rm(folder, { recursive: true });
});

function configOf(jwks: JwtProvider['jwks'], optional = false): GatewayConfig {
  const provider: JwtProvider = {
    issuer: 'https://issuer.test',
    audience: 'orders',
    algorithms: ['ES256'],
    jwks,
    clockToleranceMs: 5_000,
  };
  return gatewayConfigOf([serviceOf('orders', { v1: [upstream.url] })], {
    path: join(folder, 'gateway.yaml'),
    jwt: { main: provider },
    routes: [routeOf('orders', { auth: { jwt: 'main', optional } })],
  });
}

interface TokenChanges {
  readonly issuer?: string;
  readonly audience?: string;
  readonly expires?: number;
  readonly key?: CryptoKey;
  readonly kid?: string;
}

function token(changes: TokenChanges = {}): Promise<string> {
  const nowS = Math.floor(Date.now() / 1000);
  return new SignJWT({ sub: 'ann' })
    .setProtectedHeader({ alg: 'ES256', kid: changes.kid ?? 'k1' })
    .setIssuer(changes.issuer ?? 'https://issuer.test')
    .setAudience(changes.audience ?? 'orders')
    .setIssuedAt(nowS)
    .setExpirationTime(changes.expires ?? nowS + 60)
    .sign(changes.key ?? keys.privateKey);
}

async function withToken(config: GatewayConfig, authorization: string | null): Promise<Reply> {
  const gateway = await harness.gateway(config);
  return call(gateway, '/', { headers: authorization === null ? {} : { authorization } });
}

describe('authentication', () => {
  it('lets a valid token pass, first verified, then remembered', async () => {
    const gateway = await harness.gateway(configOf({ file: 'jwks.json' }));
    const headers = { authorization: `Bearer ${await token()}` };
    expect((await call(gateway, '/', { headers })).status).toBe(200);
    expect((await call(gateway, '/', { headers })).status).toBe(200);
    expect(upstream.seen[1]?.headers.authorization).toBe(headers.authorization);
  });

  it('asks for a token where there is none, without an error code', async () => {
    const reply = await withToken(configOf({ file: 'jwks.json' }), null);
    expect([reply.status, reply.headers['www-authenticate']]).toEqual([401, 'Bearer realm="orders"']);
    expect(JSON.parse(reply.body).code).toBe('TOKEN_MISSING');
  });

  it('refuses a token of the wrong issuer, audience, key or key id, or past its time', async () => {
    const gateway = await harness.gateway(configOf({ file: 'jwks.json' }));
    const bad = [
      await token({ issuer: 'https://other.test' }),
      await token({ audience: 'other' }),
      await token({ key: stranger.privateKey }),
      await token({ kid: 'unknown' }),
      await token({ expires: Math.floor(Date.now() / 1000) - 60 }),
    ];
    for (const value of bad) {
      const reply = await call(gateway, '/', { headers: { authorization: `Bearer ${value}` } });
      expect(reply.status).toBe(401);
      expect(reply.headers['www-authenticate']).toMatch(
        /^Bearer realm="orders", error="invalid_token", error_description="[^"]+"$/,
      );
    }
    expect(upstream.seen).toHaveLength(0);
  });

  it('refuses other spellings of a valid token, other algorithms and other schemes', async () => {
    const gateway = await harness.gateway(configOf({ file: 'jwks.json' }));
    const good = await token();
    const [header, payload, signature] = good.split('.');
    const none = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${payload}.`;
    const symmetric = await new SignJWT({ sub: 'ann' })
      .setProtectedHeader({ alg: 'HS256' })
      .sign(new TextEncoder().encode(JSON.stringify(jwk)));
    const spellings = [
      `${good}=`,
      `${header}.${payload}.${signature}==`,
      none,
      symmetric,
      'x',
      `${good}.${signature}`,
    ];
    for (const spelling of spellings) {
      expect((await call(gateway, '/', { headers: { authorization: `Bearer ${spelling}` } })).status).toBe(
        401,
      );
    }
    expect((await call(gateway, '/', { headers: { authorization: 'Basic YTpi' } })).status).toBe(401);
    expect((await call(gateway, '/', { headers: { authorization: `Bearer ${good}` } })).status).toBe(200);
  });

  it('stops accepting a remembered token when it expires', async () => {
    const config = configOf({ file: 'jwks.json' });
    const main = config.jwt.main as JwtProvider;
    const strict = { ...config, jwt: { main: { ...main, clockToleranceMs: 0 } } };
    const gateway = await harness.gateway(strict);
    const expires = Math.floor(Date.now() / 1000) + 2;
    const headers = { authorization: `Bearer ${await token({ expires })}` };
    expect((await call(gateway, '/', { headers })).status).toBe(200);
    const deadline = performance.now() + 5_000;
    let status = 200;
    while (status === 200 && performance.now() < deadline)
      status = (await call(gateway, '/', { headers })).status;
    expect(status).toBe(401);
    expect(Date.now() / 1000).toBeGreaterThanOrEqual(expires);
  });

  it('lets requests without a token pass where it is optional, but no bad token', async () => {
    const gateway = await harness.gateway(configOf({ file: 'jwks.json' }, true));
    expect((await call(gateway, '/')).status).toBe(200);
    expect((await call(gateway, '/', { headers: { authorization: 'Bearer x.y.z' } })).status).toBe(401);
  });

  it('reads keys from a URL, and fetches them once for many tokens', async () => {
    const issuer = await harness.upstream((_request, response) =>
      response.end(JSON.stringify({ keys: [jwk] })),
    );
    const gateway = await harness.gateway(configOf({ url: `${issuer.url}/jwks` }));
    for (let i = 0; i < 5; i += 1) {
      const headers = {
        authorization: `Bearer ${await token({ expires: Math.floor(Date.now() / 1000) + 60 + i })}`,
      };
      expect((await call(gateway, '/', { headers })).status).toBe(200);
    }
    expect(issuer.seen).toHaveLength(1);
  });

  it.each([
    ['cannot be reached', null],
    ['fail', (): [number, string] => [500, 'oops']],
    ['are not JSON', (): [number, string] => [200, '<html>']],
    ['are no key set', (): [number, string] => [200, '{}']],
  ])('answers 503, not 401, when the keys %s', async (_case, answer) => {
    const issuer = await harness.upstream((_request, response) => {
      const [status, body] = answer?.() ?? [200, ''];
      response.writeHead(status).end(body);
    });
    if (answer === null) issuer.server.close();
    const reply = await withToken(configOf({ url: `${issuer.url}/jwks` }), `Bearer ${await token()}`);
    expect([reply.status, JSON.parse(reply.body).code]).toEqual([503, 'KEYS_UNAVAILABLE']);
    expect(reply.headers['retry-after']).toBeDefined();
  });

  it('does not start with a key file that cannot be used', async () => {
    await expect(harness.gateway(configOf({ file: 'missing.json' }))).rejects.toThrow(/missing\.json/);
    await writeFile(join(folder, 'odd.json'), '{}');
    await expect(harness.gateway(configOf({ file: 'odd.json' }))).rejects.toThrow(/not a JSON Web Key Set/);
  });

  it('makes claims available to match overrides', async () => {
    const [v1, v2] = [await harness.named('v1'), await harness.named('v2')];
    const config = configOf({ file: 'jwks.json' });
    const gateway = await harness.gateway({
      ...config,
      services: {
        orders: serviceOf('orders', { v1: [v1.url], v2: [v2.url] }, { sticky: [{ claim: 'sub' }] }),
      },
    });
    await harness.channel.write(
      splitOf('orders', 1, 0, { matches: [{ source: { claim: 'sub' }, equals: 'ann', version: 'v2' }] }),
    );
    const headers = { authorization: `Bearer ${await token()}` };
    expect((await call(gateway, '/', { headers })).body).toBe('v2');
  });
});
