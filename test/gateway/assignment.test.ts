import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { GatewayConfig, Service } from '../../src/config/gateway-model.ts';
import { gatewayConfigOf, serviceOf } from '../support/gateway-config.ts';
import {
  admin,
  call,
  eventually,
  GatewayHarness,
  splitOf,
  type Upstream,
} from '../support/gateway-harness.ts';

let harness: GatewayHarness;
let v1: Upstream;
let v2: Upstream;

beforeEach(async () => {
  harness = await GatewayHarness.open();
  [v1, v2] = [await harness.named('v1'), await harness.named('v2')];
});

afterEach(() => harness.close());

function configOf(sticky: Service['sticky'], changes: Partial<GatewayConfig> = {}): GatewayConfig {
  return gatewayConfigOf([serviceOf('orders', { v1: [v1.url], v2: [v2.url] }, { sticky })], changes);
}

describe('assignment', () => {
  it('is the same on two gateways for every user', async () => {
    const config = configOf([{ header: 'x-user-id' }]);
    const one = await harness.gateway({ ...config, name: 'one' });
    const two = await harness.gateway({ ...config, name: 'two' }, { incarnation: 'test-2' });
    await harness.channel.write(splitOf('orders', 1, 5_000));
    const seen = new Set<string>();
    for (let user = 0; user < 100; user += 1) {
      const headers = { 'x-user-id': `user-${user}` };
      const version = (await call(one, '/', { headers })).body;
      expect((await call(two, '/', { headers })).body).toBe(version);
      seen.add(version);
    }
    expect(seen).toEqual(new Set(['v1', 'v2']));
  });

  it('issues a cookie where there is none or a malformed one, and follows it from then on', async () => {
    const gateway = await harness.gateway(configOf([{ cookie: 'sid' }]));
    await harness.channel.write(splitOf('orders', 1, 5_000));
    const versions = new Set<string>();
    for (let visit = 0; visit < 30; visit += 1) {
      const first = await call(
        gateway,
        '/',
        visit % 2 === 0 ? {} : { headers: { cookie: 'sid=forged; a=b' } },
      );
      const cookie = String(first.headers['set-cookie']);
      expect(cookie).toMatch(/^sid=[\w-]{22}; Path=\/; Max-Age=31536000; HttpOnly; SameSite=Lax$/);
      const again = await call(gateway, '/', { headers: { cookie: `x=sid=; ${cookie.split(';')[0]}` } });
      expect(again.headers['set-cookie']).toBeUndefined();
      expect(again.body).toBe(first.body);
      versions.add(first.body);
    }
    expect(versions.size).toBe(2);
  });

  it('takes the first source that has a key, and the client address in the end', async () => {
    const gateway = await harness.gateway(
      configOf([{ claim: 'sub' }, { header: 'x-user-id' }], { trustedProxies: ['127.0.0.1'] }),
    );
    await harness.channel.write(splitOf('orders', 1, 5_000));
    const versionOf = async (headers: Record<string, string>): Promise<string> =>
      (await call(gateway, '/', { headers })).body;
    const byAddress = new Map<string, string>();
    for (let host = 1; host <= 40; host += 1) {
      const address = `203.0.113.${host}`;
      byAddress.set(address, await versionOf({ 'x-forwarded-for': address }));
    }
    expect(new Set(byAddress.values()).size).toBe(2);
    for (const [address, version] of byAddress)
      expect(await versionOf({ 'x-forwarded-for': address })).toBe(version);
    const byUser = await versionOf({ 'x-user-id': 'ann' });
    for (const address of byAddress.keys()) {
      expect(await versionOf({ 'x-user-id': 'ann', 'x-forwarded-for': address })).toBe(byUser);
    }
  });

  it('is overridden for testers, whose requests are counted apart', async () => {
    const gateway = await harness.gateway(configOf(['ip']));
    const matches = [{ source: { header: 'x-tester' }, equals: 'yes', version: 'v2' }] as const;
    await harness.channel.write(splitOf('orders', 1, 0, { matches }));
    expect((await call(gateway, '/', { headers: { 'x-tester': 'yes' } })).body).toBe('v2');
    expect((await call(gateway, '/', { headers: { 'x-tester': 'no' } })).body).toBe('v1');
    const canary = await eventually(
      () => harness.stream.summaries.find(({ versions }) => versions.v2)?.versions.v2,
    );
    expect(canary.forced).toBe(1);
    expect(canary.attempts.outcomes.status2xx + canary.responses.outcomes.status2xx).toBe(0);
    expect(canary.attempts.latencyUs).toEqual([]);
    const { body } = await admin(gateway, '/metrics');
    expect(body).toMatch(/^http_client_request_duration_seconds_count\{[^}]*sluice_version="v1"/m);
    expect(body).not.toMatch(/^http_client_request_duration_seconds_count\{[^}]*sluice_version="v2"/m);
  });

  it('shows revision and weights on the admin port', async () => {
    const gateway = await harness.gateway(configOf(['ip']));
    await harness.channel.write(splitOf('orders', 1, 1));
    const { body } = await admin(gateway, '/metrics');
    expect(body).toContain('sluice_split_revision{service="orders"} 1');
    expect(body).toContain('sluice_weight_ratio{service="orders",version="v2"} 0.0001');
    expect(gateway.splits()).toMatchObject([
      { service: 'orders', state: 'applied', served: { v1: 9_999, v2: 1 } },
    ]);
  });
});
