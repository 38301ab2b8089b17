import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gatewayConfigOf, routeOf, serviceOf } from '../support/gateway-config.ts';
import { admin, call, GatewayHarness, type Upstream } from '../support/gateway-harness.ts';
import { accessFile } from '../support/gateway-observed.ts';

let harness: GatewayHarness;
let upstream: Upstream;

beforeEach(async () => {
  harness = await GatewayHarness.open();
  upstream = await harness.named('answer');
});

afterEach(() => harness.close());

describe('a route with bot rules', () => {
  it('refuses with 403 before anything is spent, lets crawlers in from their addresses, and shows both', async () => {
    const log = accessFile(harness);
    const bots = {
      deny: ['badbot'],
      require: ['accept'],
      allow: [{ agent: 'goodbot', ips: ['192.0.2.0/24'] }],
    };
    const gateway = await harness.gateway(
      gatewayConfigOf([serviceOf('orders', { v1: [upstream.url] })], {
        routes: [routeOf('orders', { bots })],
        trustedProxies: ['127.0.0.1'],
        accessLog: log.config,
      }),
    );
    const as = async (agent: string, address: string, accept = '*/*') => {
      const headers = { 'user-agent': agent, 'x-forwarded-for': address, accept };
      const { status, body } = await call(gateway, '/', { headers });
      return status === 200 ? 200 : `${status} ${JSON.parse(body).code}`;
    };
    expect(await as('Mozilla/5.0', '203.0.113.1')).toBe(200);
    expect(await as('Goodbot/2', '192.0.2.7', '')).toBe(200);
    expect(await as('Goodbot/2', '203.0.113.1')).toBe('403 BOT_REFUSED');
    expect(await as('a BadBot', '192.0.2.7')).toBe('403 BOT_REFUSED');
    expect(await as('Mozilla/5.0', '203.0.113.1', '')).toBe('403 BOT_REFUSED');
    expect(upstream.seen).toHaveLength(2);

    const lines = await log.lines(5);
    expect(lines.map(({ bots: verdict }) => verdict)).toEqual([
      undefined,
      'crawler',
      'impostor',
      'denied',
      'incomplete',
    ]);
    expect(lines.slice(2)).toEqual(Array(3).fill(expect.objectContaining({ version: '' })));
    const { body } = await admin(gateway, '/metrics');
    for (const verdict of ['ordinary', 'crawler', 'denied', 'incomplete', 'impostor'])
      expect(body).toMatch(new RegExp(`sluice_bot_requests_total\\{[^}]*verdict="${verdict}"\\} 1`));
  });
});
