import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Route } from '../../src/config/gateway-model.ts';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { gatewayConfigOf, routeOf, serviceOf } from '../support/gateway-config.ts';
import { admin, call, GatewayHarness, splitOf } from '../support/gateway-harness.ts';

let harness: GatewayHarness;

beforeEach(async () => {
  harness = await GatewayHarness.open();
});
afterEach(() => harness.close());

/** An attempt is counted at its end, which the client may see first. */
const POLL = { timeout: 20_000 };
/** Nobody listens there. */
const NOWHERE = 'http://127.0.0.1:1';

/** Attempts of `orders`, those above 0, as `version endpoint outcome`. */
async function attempts(
  gateway: Gateway,
  names: Readonly<Record<string, string>>,
): Promise<Record<string, number>> {
  const { body } = await admin(gateway, '/metrics');
  const sample =
    /^sluice_endpoint_attempts_total\{service="orders",version="(.*)",endpoint="(.*)",outcome="(.*)"\} (\d+)$/gm;
  return Object.fromEntries(
    [...body.matchAll(sample)]
      .filter(([, , , , count]) => count !== '0')
      .map(([, version, url = '', outcome, count]) => [
        `${version} ${names[url] ?? url} ${outcome}`,
        Number(count),
      ]),
  );
}

/** Answers with the status that the path names, breaks off or says nothing. */
function obedient(onSilence: () => void = () => {}): Promise<{ url: string }> {
  return harness.upstream((request, response) => {
    const wanted = request.url?.slice(1) ?? '';
    if (wanted === 'reset') request.socket.destroy();
    else if (wanted === 'silence') onSilence();
    else response.writeHead(Number(wanted)).end();
  });
}

function configOf(urls: readonly string[], changes: Partial<Route> = {}) {
  const timeout = { connectMs: 20_000, responseMs: 60_000, idleMs: 60_000, totalMs: 600_000 };
  return gatewayConfigOf([serviceOf('orders', { v1: urls })], {
    routes: [routeOf('orders', { timeout, ...changes })],
  });
}

describe('attempts by endpoint', () => {
  it('are counted by outcome', async () => {
    let passedMs = 0;
    const { url } = await obedient(() => {
      passedMs += 60_001;
    });
    const monotonicMs = () => performance.now() + passedMs;
    const gateway = await harness.gateway(configOf([url]), { monotonicMs });
    for (const wanted of ['204', '304', '404', '404', '500', 'reset', 'silence'])
      await call(gateway, `/${wanted}`);
    await expect
      .poll(() => attempts(gateway, { [url]: 'good' }), POLL)
      .toEqual({
        'v1 good 2xx': 1,
        'v1 good 3xx': 1,
        'v1 good 4xx': 2,
        'v1 good 5xx': 1,
        'v1 good reset': 1,
        'v1 good timeout': 1,
      });
    // A first error is an increase only where there was a 0 before.
    expect((await admin(gateway, '/metrics')).body).toContain(`endpoint="${url}",outcome="connect"} 0`);
  });

  it('tell the endpoint that fails, though retries hide it from clients', async () => {
    const { url } = await obedient();
    const retry = { attempts: 1, on: ['connect'] as const, baseMs: 1, maxMs: 1, bufferBytes: 0 };
    const gateway = await harness.gateway(configOf([url, NOWHERE], { retry }));
    for (let i = 0; i < 4; i += 1) expect((await call(gateway, '/200')).status).toBe(200);
    const counted = () => attempts(gateway, { [url]: 'good', [NOWHERE]: 'bad' });
    await expect.poll(counted, POLL).toEqual({ 'v1 good 2xx': 4, 'v1 bad connect': expect.any(Number) });
  });

  it('go on after a reload, and go with their endpoint', async () => {
    const [one, other] = [await obedient(), await obedient()];
    const gateway = await harness.gateway(configOf([one.url, other.url]));
    for (let i = 0; i < 2; i += 1) await call(gateway, '/200');
    const counted = () => attempts(gateway, { [one.url]: 'one', [other.url]: 'other' });
    await expect.poll(counted, POLL).toEqual({ 'v1 one 2xx': 1, 'v1 other 2xx': 1 });
    expect(await gateway.reload(configOf([one.url]))).toEqual({ ok: true });
    await call(gateway, '/500');
    await expect.poll(counted, POLL).toEqual({ 'v1 one 2xx': 1, 'v1 one 5xx': 1 });
    expect((await admin(gateway, '/metrics')).body).not.toContain(other.url);
  });

  it('leave testers out, as the attempts that rules read do', async () => {
    const { url } = await obedient();
    const services = [serviceOf('orders', { v1: [url], v2: [url] })];
    const gateway = await harness.gateway(gatewayConfigOf(services));
    const matches = [{ source: { header: 'x-tester' }, equals: 'yes', version: 'v2' }] as const;
    await harness.channel.write(splitOf('orders', 1, 0, { matches }));
    await call(gateway, '/500', { headers: { 'x-tester': 'yes' } });
    await call(gateway, '/200');
    await expect.poll(() => attempts(gateway, { [url]: 'both' }), POLL).toEqual({ 'v1 both 2xx': 1 });
  });
});
