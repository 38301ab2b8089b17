import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { GatewayConfig } from '../../src/config/gateway-model.ts';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { gatewayConfigOf, routeOf, serviceOf } from '../support/gateway-config.ts';
import { admin, call, GatewayHarness, portOf, raw, type Upstream } from '../support/gateway-harness.ts';
import { accessFile } from '../support/gateway-observed.ts';
import { openTokenIssuer } from '../support/token-issuer.ts';

let harness: GatewayHarness;
let upstream: Upstream;

beforeEach(async () => {
  harness = await GatewayHarness.open();
  upstream = await harness.upstream((request, response) => {
    response.statusCode = request.url?.startsWith('/fail') === true ? 500 : 200;
    response.end('hello');
  });
});
afterEach(() => harness.close());

const RULES = { share: 1, errors: true, slowMs: null, redacted: new Set<string>() };

function configOf(changes: Partial<GatewayConfig>): GatewayConfig {
  return gatewayConfigOf([serviceOf('orders', { v1: [upstream.url] })], changes);
}

async function metric(gateway: Gateway, name: string): Promise<number> {
  const { body } = await admin(gateway, '/metrics');
  return Number(new RegExp(`^${name} (.*)$`, 'm').exec(body)?.[1]);
}

describe('access log', () => {
  it('holds neither query nor path of a request, nor the values of redacted fields', async () => {
    const issuer = await openTokenIssuer();
    harness.onClose(() => issuer.close());
    const log = accessFile(harness);
    const gateway = await harness.gateway(
      configOf({
        accessLog: log.config,
        logRules: { ...RULES, redacted: new Set(['caller', 'client_ip']) },
        jwt: { main: issuer.provider },
        routes: [routeOf('orders', { auth: { jwt: 'main', optional: false } })],
      }),
    );
    const authorization = await issuer.bearer({ sub: 'ann', tenant_id: 'acme' });
    await call(gateway, '/people/secret-1?token=secret-2', { headers: { authorization } });
    const [line] = await log.lines(1);
    expect(line).toMatchObject({ caller: '[redacted]', client_ip: '[redacted]', tenant: 'acme', path: '/*' });
    expect(JSON.stringify(line)).not.toContain('secret');
    expect(JSON.stringify(line)).not.toContain('ann');
  });

  it('leaves out the share that is not asked for and counts it, but no error and nothing slow', async () => {
    const log = accessFile(harness);
    const gateway = await harness.gateway(
      configOf({ accessLog: log.config, logRules: { ...RULES, share: 0 } }),
    );
    for (const path of ['/a', '/fail', '/b', '/fail', '/c']) await call(gateway, path);
    await raw(portOf(gateway), 'NOT HTTP\r\n\r\n');
    const lines = await log.lines(2);
    expect(lines.map(({ status }) => status)).toEqual([500, 500]);
    await expect.poll(() => metric(gateway, 'sluice_access_log_sampled_out_total')).toBe(4);
    await expect.poll(() => metric(gateway, 'sluice_access_log_written_total')).toBe(2);
    await expect.poll(() => metric(gateway, 'sluice_access_log_dropped_total')).toBe(0);
  });

  it('says of a line that was drawn for how many requests it stands', async () => {
    const log = accessFile(harness);
    const gateway = await harness.gateway(
      configOf({ accessLog: log.config, logRules: { ...RULES, share: 0.5 } }),
    );
    for (let i = 0; i < 64; i += 1) await call(gateway, '/a');
    const lines = await log.lines(1);
    expect(new Set(lines.map((line) => line.stands_for))).toEqual(new Set([2]));
    const skipped = (): Promise<number> => metric(gateway, 'sluice_access_log_sampled_out_total');
    const written = (): Promise<number> => metric(gateway, 'sluice_access_log_written_total');
    await expect.poll(async () => (await skipped()) + (await written())).toBe(64);
    expect(await skipped()).toBeGreaterThan(0);
  });

  it('takes new rules with a reload, without a restart', async () => {
    const log = accessFile(harness);
    const config = configOf({ accessLog: log.config });
    const gateway = await harness.gateway(config);
    await call(gateway, '/a');
    expect(await gateway.reload({ ...config, logRules: { ...RULES, share: 0 } })).toEqual({ ok: true });
    await call(gateway, '/b');
    await expect.poll(() => metric(gateway, 'sluice_access_log_sampled_out_total')).toBe(1);
    expect(await log.lines(1)).toHaveLength(1);
  });
});

describe('metrics of the process', () => {
  it('show by how much the event loop is late', async () => {
    const gateway = await harness.gateway(configOf({}));
    const untilMs = performance.now() + 300;
    while (performance.now() < untilMs);
    await new Promise((resolve) => setImmediate(resolve));
    await call(gateway, '/a');
    const { body } = await admin(gateway, '/metrics');
    const count = (le: string): number =>
      Number(new RegExp(`sluice_event_loop_delay_seconds_bucket\\{le="${le}"\\} (\\d+)`).exec(body)?.[1]);
    expect(count('\\+Inf') - count('0.25')).toBeGreaterThanOrEqual(1);
  });

  it('show the connections of an endpoint, and how many are free', async () => {
    let release = (): void => {};
    const slow = await harness.upstream((_request, response) => {
      release = () => response.end('done');
    });
    const gateway = await harness.gateway(gatewayConfigOf([serviceOf('orders', { v1: [slow.url] })]));
    const series = async (name: string): Promise<string | undefined> =>
      new RegExp(`^${name}\\{.*\\} (\\d+)$`, 'm').exec((await admin(gateway, '/metrics')).body)?.[1];
    const first = call(gateway, '/a');
    await new Promise<void>((resolve) => slow.server.once('request', () => resolve()));
    expect(await series('sluice_endpoint_connections')).toBe('1');
    expect(await series('sluice_endpoint_connections_free')).toBe('0');
    release();
    await first;
    await expect.poll(() => series('sluice_endpoint_connections_free')).toBe('1');
    expect(await series('sluice_endpoint_attempts_queued')).toBe('0');
  });
});
