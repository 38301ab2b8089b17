import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { GatewayConfig } from '../../src/config/gateway-model.ts';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { gatewayConfigOf, routeOf, serviceOf } from '../support/gateway-config.ts';
import { admin, call, eventually, GatewayHarness, type Upstream } from '../support/gateway-harness.ts';
import { KeyServer, type SigningKey, signingKey, tokenOf } from '../support/key-server.ts';

const MINUTE = 60_000;

let first: SigningKey;
let second: SigningKey;
let harness: GatewayHarness;
let upstream: Upstream;
let issuer: KeyServer;
let nowMs: number;

beforeAll(async () => {
  first = await signingKey('k1');
  second = await signingKey('k2');
});

beforeEach(async () => {
  harness = await GatewayHarness.open();
  upstream = await harness.named('v1');
  issuer = await KeyServer.open(harness, [first.jwk]);
  nowMs = Date.now();
});

afterEach(() => harness.close());

function config(): GatewayConfig {
  return gatewayConfigOf([serviceOf('orders', { v1: [upstream.url] })], {
    jwt: { main: issuer.provider() },
    routes: [routeOf('orders', { auth: { jwt: 'main', optional: false } })],
  });
}

function open(): Promise<Gateway> {
  return harness.gateway(config(), { nowMs: () => nowMs });
}

let serial = 0;

/** A token that no memory knows. */
async function status(gateway: Gateway, key: SigningKey): Promise<number> {
  serial += 1;
  const token = await tokenOf(key, { jti: String(serial) }, nowMs);
  return (await call(gateway, '/', { headers: { authorization: `Bearer ${token}` } })).status;
}

function breakDown(): void {
  issuer.answer = (response) => response.writeHead(500).end();
}

describe('keys by URL', () => {
  it('follow a rotation as soon as a token names the new key', async () => {
    const gateway = await open();
    expect(await status(gateway, first)).toBe(200);
    nowMs += MINUTE;
    issuer.publish([second.jwk]);
    expect(await status(gateway, second)).toBe(200);
    expect(await status(gateway, first)).toBe(401);
    expect(issuer.fetches).toBe(2);
  });

  it('are all tried for a token that names none, as there are two while they are rotated', async () => {
    issuer.publish([first.jwk, second.jwk]);
    const gateway = await open();
    for (const [key, expected] of [
      [first, 200],
      [second, 200],
      [await signingKey('k3'), 401],
    ] as const) {
      const token = await tokenOf(key, { jti: key.jwk.kid ?? '' }, nowMs, false);
      const { status: got } = await call(gateway, '/', { headers: { authorization: `Bearer ${token}` } });
      expect(got).toBe(expected);
    }
  });

  it('are not fetched again for every unknown key id', async () => {
    const gateway = await open();
    expect(await status(gateway, first)).toBe(200);
    for (let i = 0; i < 5; i += 1) expect(await status(gateway, second)).toBe(401);
    expect(issuer.fetches).toBe(1);
    nowMs += 31_000;
    expect(await status(gateway, second)).toBe(401);
    expect(issuer.fetches).toBe(2);
  });

  it('are fetched once for many tokens at a time', async () => {
    const gateway = await open();
    const statuses = await Promise.all(Array.from({ length: 10 }, () => status(gateway, first)));
    expect(new Set(statuses)).toEqual(new Set([200]));
    expect(issuer.fetches).toBe(1);
  });

  it('stay in use for an hour while the issuer is down, with a log line and metrics, then no longer', async () => {
    const gateway = await open();
    expect(await status(gateway, first)).toBe(200);
    breakDown();
    nowMs += 11 * MINUTE;
    expect(await status(gateway, first)).toBe(200);
    await eventually(() => harness.log.some((line) => line.includes('the last good ones stay in use')));
    expect(await status(gateway, first)).toBe(200);
    const { body } = await admin(gateway, '/metrics');
    expect(body).toContain('sluice_identity_provider_down{kind="jwt",provider="main"} 1');
    expect(body).toMatch(/sluice_identity_stale_uses_total\{kind="jwt",provider="main"\} [1-9]/);
    nowMs += 60 * MINUTE;
    expect(await status(gateway, first)).toBe(503);
    issuer.publish([first.jwk]);
    nowMs += 6_000;
    expect(await status(gateway, first)).toBe(200);
  });

  it('survive a reload while the issuer is down', async () => {
    const gateway = await open();
    expect(await status(gateway, first)).toBe(200);
    breakDown();
    expect(await gateway.reload({ ...config(), drainMs: 1_000 })).toEqual({ ok: true });
    expect(await status(gateway, first)).toBe(200);
  });

  it.each([
    ['larger than 256 KiB', (): unknown[] => [first.jwk, { pad: 'x'.repeat(300_000) }]],
    ['more than 100', (): unknown[] => Array.from({ length: 101 }, () => first.jwk)],
    ['only for encryption', (): unknown[] => [{ ...first.jwk, use: 'enc' }]],
  ])('are not used when they are %s', async (_case, keys) => {
    issuer.publish(keys());
    expect(await status(await open(), first)).toBe(503);
  });

  it('that are slow are given up, and the next token does not wait for them again', async () => {
    issuer.answer = (response) => void response.writeHead(200).write('{"keys":[');
    const gateway = await open();
    expect(await status(gateway, first)).toBe(503);
    expect(await status(gateway, first)).toBe(503);
    // Nobody was asked, so there was nothing to wait for.
    expect(issuer.fetches).toBe(1);
  });

  it('are never taken from where a redirect or the token points', async () => {
    const other = await KeyServer.open(harness, [second.jwk]);
    issuer.answer = (response) => response.writeHead(302, { location: `${other.upstream.url}/jwks` }).end();
    const gateway = await open();
    expect(await status(gateway, second)).toBe(503);
    expect(other.fetches).toBe(0);
  });
});
