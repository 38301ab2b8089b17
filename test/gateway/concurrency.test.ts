import type { ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { GatewayConfig, Route } from '../../src/config/gateway-model.ts';
import type { ConcurrencyPolicy } from '../../src/config/policies/concurrency.ts';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { moody } from '../support/failing-upstream.ts';
import { gatewayConfigOf, routeOf, serviceOf } from '../support/gateway-config.ts';
import {
  admin,
  call,
  eventually,
  GatewayHarness,
  portOf,
  type Upstream,
} from '../support/gateway-harness.ts';

let harness: GatewayHarness;
let held: ServerResponse[];
let upstream: Upstream;

beforeEach(async () => {
  harness = await GatewayHarness.open();
  held = [];
  upstream = await harness.upstream((_request, response) => held.push(response));
});
afterEach(() => harness.close());

function configOf(concurrency: ConcurrencyPolicy, changes: Partial<Route> = {}): GatewayConfig {
  return gatewayConfigOf([serviceOf('orders', { v1: [upstream.url] })], {
    routes: [routeOf('orders', { concurrency, ...changes })],
  });
}

async function inFlight(gateway: Gateway): Promise<number> {
  const { body } = await admin(gateway, '/metrics');
  return Number(/^sluice_route_in_flight\{[^}]*\} (\d+)$/m.exec(body)?.[1]);
}

/** Polls the metric until it is `count`. */
async function untilInFlight(gateway: Gateway, count: number): Promise<void> {
  const deadlineMs = performance.now() + 10_000;
  for (let now = await inFlight(gateway); now !== count; now = await inFlight(gateway)) {
    if (performance.now() > deadlineMs) throw new Error(`${now} requests are under way, not ${count}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe('concurrency caps', () => {
  it('refuses what is beyond the cap of the route with 503, and lets requests pass once others ended', async () => {
    const gateway = await harness.gateway(configOf({ max: 2, perKey: null }));
    const first = call(gateway, '/a');
    const second = call(gateway, '/b');
    await eventually(() => held.length === 2);
    const refused = await call(gateway, '/c');
    expect([refused.status, refused.headers['retry-after']]).toEqual([503, '1']);
    expect(JSON.parse(refused.body)).toMatchObject({
      code: 'TOO_MANY_AT_ONCE',
      detail: 'It is the limit of this route.',
    });
    expect(await inFlight(gateway)).toBe(2);
    for (const response of held.splice(0)) response.end('done');
    expect([(await first).status, (await second).status]).toEqual([200, 200]);
    await untilInFlight(gateway, 0);
    const third = call(gateway, '/d');
    await eventually(() => held.length === 1);
    held[0]?.end('done');
    expect((await third).status).toBe(200);
  });

  it('are shown once, also of a route that a reload moved to another path', async () => {
    const gateway = await harness.gateway(configOf({ max: 2, perKey: null }));
    const reply = call(gateway, '/a');
    await eventually(() => held.length === 1);
    const moved = configOf({ max: 2, perKey: null }, { path: { kind: 'prefix', path: '/a' } });
    expect(await gateway.reload(moved)).toEqual({ ok: true });
    const shown = (await admin(gateway, '/metrics')).body.match(/^sluice_route_in_flight\{.*$/gm);
    expect(shown).toEqual([
      'sluice_route_in_flight{sluice_service="orders",sluice_route="orders-all",http_route="/a/*"} 1',
    ]);
    held[0]?.end('done');
    expect((await reply).status).toBe(200);
  });

  it('holds each caller to its own cap', async () => {
    const concurrency = { max: 10, perKey: { max: 1, key: [{ header: 'x-user-id' }] } } as const;
    const gateway = await harness.gateway(configOf(concurrency));
    const ask = (user: string) => call(gateway, '/', { headers: { 'x-user-id': user } });
    const ann = ask('ann');
    await eventually(() => held.length === 1);
    const again = await ask('ann');
    expect([again.status, JSON.parse(again.body).detail]).toEqual([503, 'It is the limit of this caller.']);
    const bob = ask('bob');
    await eventually(() => held.length === 2);
    for (const response of held) response.end();
    expect([(await ann).status, (await bob).status]).toEqual([200, 200]);
    const { body } = await admin(gateway, '/metrics');
    expect(body).toMatch(/sluice_limit_requests_total\{[^}]*limit="concurrency:key",outcome="refused"\} 1\n/);
  });

  it('goes on counting requests that began before a reload', async () => {
    const gateway = await harness.gateway(configOf({ max: 1, perKey: null }));
    const first = call(gateway, '/');
    await eventually(() => held.length === 1);
    await gateway.reload(configOf({ max: 1, perKey: null }));
    expect((await call(gateway, '/')).status).toBe(503);
    held[0]?.end();
    expect((await first).status).toBe(200);
    await untilInFlight(gateway, 0);
  });

  it('charges nothing to the rate for what it refuses', async () => {
    const rate = {
      name: 'r',
      count: 1,
      periodMs: 3_600_000,
      burst: 2,
      key: ['ip'],
      whenDown: 'local',
    } as const;
    const gateway = await harness.gateway(configOf({ max: 1, perKey: null }, { rateLimits: [rate] }));
    const first = call(gateway, '/');
    await eventually(() => held.length === 1);
    for (let i = 0; i < 5; i += 1) expect((await call(gateway, '/')).status).toBe(503);
    held.pop()?.end();
    expect((await first).headers.ratelimit).toContain('r=1');
    const second = call(gateway, '/');
    await eventually(() => held.length === 1);
    held.pop()?.end();
    expect((await second).headers.ratelimit).toContain('r=0');
    const third = await call(gateway, '/');
    expect(third.status).toBe(429);
    await untilInFlight(gateway, 0);
  });

  it('comes back to nothing under way, however requests end', async () => {
    const flaky = await moody(harness);
    const retry = { attempts: 1, on: ['reset', '503'], baseMs: 1, maxMs: 5, bufferBytes: 1000 } as const;
    const timeout = { connectMs: 200, responseMs: 200, idleMs: 200, totalMs: 400 };
    const concurrency = { max: 50, perKey: { max: 20, key: [{ header: 'x-user-id' }] } } as const;
    const config = gatewayConfigOf([serviceOf('orders', { v1: [flaky.url] })], {
      routes: [routeOf('orders', { concurrency, retry, timeout, maxBodyBytes: 100 })],
    });
    const gateway = await harness.gateway(config);
    const one = (index: number): Promise<void> =>
      new Promise((resolve) => {
        const socket = connect(portOf(gateway), '127.0.0.1');
        const body = index % 4 === 0 ? 'x'.repeat(index % 200) : '';
        // Every seventh promises a body and does not send it; every fifth goes away in the middle.
        const length = index % 7 === 0 ? 500 : body.length;
        socket.on('error', () => {});
        socket.on('close', () => resolve());
        socket.resume();
        socket.write(
          `POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Kind: ${index}\r\nX-User-ID: u${index % 5}\r\n` +
            `Content-Length: ${length}\r\n\r\n${body}`,
        );
        if (index % 5 === 0 || index % 7 === 0) setTimeout(() => socket.destroy(), index % 90);
      });
    for (let round = 0; round < 10; round += 1) {
      await Promise.all(Array.from({ length: 60 }, (_, index) => one(round * 60 + index)));
    }
    await untilInFlight(gateway, 0);
    const replies = await Promise.all(
      Array.from({ length: 20 }, () => call(gateway, '/', { headers: { 'x-kind': '0', 'x-user-id': 'u1' } })),
    );
    expect(replies.every(({ status }) => status === 200)).toBe(true);
  });
});
