import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { IpPolicy } from '../../src/config/policies/ip.ts';
import { isAddressAllowed } from '../../src/gateway/address-rules.ts';
import { gatewayConfigOf, listenerOf, routeOf, serviceOf } from '../support/gateway-config.ts';
import { call, GatewayHarness, type Upstream } from '../support/gateway-harness.ts';
import { accessFile } from '../support/gateway-observed.ts';

describe('address rules', () => {
  it.each<[Partial<IpPolicy>, string, boolean]>([
    [{ allow: ['192.0.2.0/24'] }, '192.0.2.9', true],
    [{ allow: ['192.0.2.0/24'] }, '192.0.3.9', false],
    [{ allow: ['192.0.2.0/24'], deny: ['192.0.2.9'] }, '192.0.2.9', false],
    [{ deny: ['192.0.2.9'] }, '192.0.2.8', true],
    [{ deny: ['2001:db8::/32'] }, '2001:db8::1', false],
    [{ deny: ['2001:db8::/32'] }, '2001:db9::1', true],
    [{ allow: ['2001:db8::/32'] }, '192.0.2.1', false],
    [{}, '', false],
  ])('%j lets %s in: %s', (rules, address, expected) => {
    expect(isAddressAllowed({ allow: null, deny: [], ...rules }, address)).toBe(expected);
  });
});

describe('a gateway with address rules', () => {
  let harness: GatewayHarness;
  let upstream: Upstream;

  beforeEach(async () => {
    harness = await GatewayHarness.open();
    upstream = await harness.named('answer');
  });

  afterEach(() => harness.close());

  async function open(route: IpPolicy | null, listener: IpPolicy | null, trustedProxies: string[] = []) {
    const log = accessFile(harness);
    const gateway = await harness.gateway(
      gatewayConfigOf([serviceOf('orders', { v1: [upstream.url] })], {
        listeners: [listenerOf({ ip: listener, address: { host: '::', port: 0 } })],
        routes: [routeOf('orders', { ip: route })],
        trustedProxies,
        accessLog: log.config,
      }),
    );
    const from = async (address: string) =>
      (await call(gateway, '/', { headers: { 'x-forwarded-for': address } })).status;
    return { log, from };
  }

  const LOCAL: IpPolicy = { allow: ['127.0.0.1'], deny: [] };
  const OTHERS: IpPolicy = { allow: ['192.0.2.0/24'], deny: [] };

  it('knows IPv4 on a dual-stack socket, and believes no field of an untrusted client', async () => {
    const { from } = await open(LOCAL, LOCAL);
    expect(await from('192.0.2.1')).toBe(200);
    const { from: fromOthers, log } = await open(OTHERS, null);
    expect(await fromOthers('192.0.2.1')).toBe(403);
    expect((await log.lines(1))[0]).toMatchObject({ ip: 'refused', error: 'ADDRESS_REFUSED', version: '' });
    expect(upstream.seen).toHaveLength(1);
  });

  it('takes the forwarded address behind a trusted proxy, from the right', async () => {
    const { from } = await open(OTHERS, null, ['127.0.0.1']);
    expect(await from('192.0.2.1')).toBe(200);
    expect(await from('192.0.2.1, 203.0.113.5')).toBe(403);
  });

  it('asks the listener before any route', async () => {
    const { from, log } = await open(null, OTHERS);
    expect(await from('192.0.2.1')).toBe(403);
    expect((await log.lines(1))[0]).toMatchObject({ route: '', ip: 'refused' });
  });
});
