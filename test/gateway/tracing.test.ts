import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { GatewayConfig } from '../../src/config/gateway-model.ts';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { openOtlpTracer } from '../../src/gateway/tracing/otlp-tracer.ts';
import { gatewayConfigOf, routeOf, serviceOf } from '../support/gateway-config.ts';
import { admin, call, GatewayHarness, type Upstream } from '../support/gateway-harness.ts';
import { gatewayOfYaml } from '../support/gateway-yaml.ts';
import { type OtlpReceiver, openOtlpReceiver } from '../support/otlp-receiver.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = '00f067aa0ba902b7';
const RETRY = { attempts: 1, on: ['503'], baseMs: 1, maxMs: 1, bufferBytes: 1_024 } as const;

let harness: GatewayHarness;
let receiver: OtlpReceiver;
let upstream: Upstream;

beforeEach(async () => {
  harness = await GatewayHarness.open();
  receiver = await openOtlpReceiver();
  harness.onClose(() => receiver.close());
  upstream = await harness.upstream((request, response) => {
    response.statusCode =
      request.url?.startsWith('/flaky') === true && upstream.seen.length === 1 ? 503 : 200;
    response.end('hello');
  });
});
afterEach(() => harness.close());

function configOf(changes: Partial<GatewayConfig> = {}, share = 1): GatewayConfig {
  return gatewayConfigOf([serviceOf('orders', { v1: [upstream.url] })], {
    name: 'gw-1',
    tracing: { url: receiver.url, share, headers: {} },
    routes: [routeOf('orders', { retry: RETRY, path: { kind: 'prefix', path: '/' } })],
    ...changes,
  });
}

async function spanCount(gateway: Gateway, result: string): Promise<number> {
  const { body } = await admin(gateway, '/metrics');
  return Number(new RegExp(`^sluice_trace_spans_total\\{result="${result}"\\} (\\d+)$`, 'm').exec(body)?.[1]);
}

describe('traces', () => {
  it('have a span for the request and one for each attempt, with the ids that the upstream was told', async () => {
    const gateway = await harness.gateway(configOf());
    const beforeMs = Date.now();
    const headers = { traceparent: `00-${TRACE}-${PARENT}-01`, tracestate: 'a=1' };
    const reply = await call(gateway, '/flaky?secret=1', { headers });
    expect(reply.status).toBe(200);
    const spans = await receiver.received(3);
    const server = spans.find(({ kind }) => kind === 2);
    const clients = spans.filter(({ kind }) => kind === 3);
    expect(server).toMatchObject({ traceId: TRACE, parentSpanId: PARENT, name: 'GET /*', status: 0 });
    expect(clients.map(({ parentSpanId, traceId }) => [parentSpanId, traceId])).toEqual([
      [server?.spanId, TRACE],
      [server?.spanId, TRACE],
    ]);
    expect(upstream.seen.map((request) => request.headers.traceparent)).toEqual(
      clients.map(({ spanId }) => `00-${TRACE}-${spanId}-01`),
    );
    expect(upstream.seen[0]?.headers.tracestate).toBe('a=1');
    expect(server?.attributes).toMatchObject({
      'http.request.method': 'GET',
      'http.route': '/*',
      'http.response.status_code': 200,
      'url.scheme': 'http',
      'client.address': '127.0.0.1',
      'sluice.service': 'orders',
      'sluice.version': 'v1',
      'sluice.attempts': 2,
      'sluice.request_id': reply.headers['x-request-id'],
    });
    expect(clients[0]).toMatchObject({ status: 2, attributes: { 'error.type': '503' } });
    expect(clients[1]).toMatchObject({
      status: 0,
      attributes: { 'http.request.resend_count': 1, 'http.response.status_code': 200 },
    });
    expect(clients[0]?.attributes['server.port']).toBe(Number(new URL(upstream.url).port));
    expect(server?.resource).toMatchObject({
      'service.name': 'sluice-gateway',
      'service.instance.id': 'gw-1',
    });
    for (const span of spans) {
      expect(span.startMs).toBeGreaterThanOrEqual(beforeMs - 5);
      expect(span.endMs).toBeGreaterThanOrEqual(span.startMs);
      expect(span.endMs).toBeLessThan(Date.now() + 5);
    }
    expect(JSON.stringify(spans)).not.toContain('secret');
  });

  it('say what policies did, and where a request failed', async () => {
    const config = gatewayOfYaml(
      upstream.url,
      `tracing: { otlp: '${receiver.url}', sample: 100% }
routes:
  - { name: kept, service: orders, match: { path: /kept }, cache: { ttl: 1m } }
  - { name: old, service: orders, match: { path: /old }, lifecycle: { deprecated: 2020-01-01, sunset: 2020-01-01, goneAfterSunset: true } }
`,
    );
    const dead = serviceOf('dead', { v1: ['http://127.0.0.1:9'] });
    const gateway = await harness.gateway({
      ...config,
      services: { ...config.services, dead },
      routes: [...config.routes, routeOf('dead', { path: { kind: 'exact', path: '/dead' } })],
    });
    for (const path of ['/kept', '/kept', '/dead', '/old']) await call(gateway, path);
    const spans = await receiver.received(6);
    const servers = spans.filter(({ kind }) => kind === 2);
    expect(servers.map(({ attributes }) => attributes['sluice.cache'])).toEqual([
      'miss',
      'hit',
      undefined,
      undefined,
    ]);
    expect(servers[2]).toMatchObject({ status: 2, attributes: { 'error.type': 'UPSTREAM_CONNECT' } });
    expect(servers[3]).toMatchObject({
      status: 0,
      attributes: { 'sluice.lifecycle': 'gone', 'http.response.status_code': 410 },
    });
    const failed = spans.find(({ kind, status }) => kind === 3 && status === 2);
    expect(failed?.attributes['error.type']).toBe('connect');
  });

  it('are kept as the parent decided, whatever the share; those that begin here by the share', async () => {
    const gateway = await harness.gateway(configOf({}, 0));
    await call(gateway, '/a', { headers: { traceparent: `00-${TRACE}-${PARENT}-00` } });
    await call(gateway, '/b');
    await call(gateway, '/c', { headers: { traceparent: `00-${TRACE}-${PARENT}-01` } });
    expect((await receiver.received(2)).map(({ kind }) => kind).sort()).toEqual([2, 3]);
    const sent = upstream.seen.map((request) => String(request.headers.traceparent).slice(-2));
    expect(sent).toEqual(['00', '00', '01']);
  });

  it('begin anew where the fields of the client are malformed', async () => {
    const gateway = await harness.gateway(configOf());
    await call(gateway, '/a', { headers: { traceparent: `00-${TRACE}-${PARENT}-zz`, tracestate: 'a=1' } });
    const [client, server] = await receiver.received(2);
    expect(server).toMatchObject({ kind: 2, parentSpanId: '' });
    expect(server?.traceId).not.toBe(TRACE);
    expect(client?.traceId).toBe(server?.traceId);
    expect(upstream.seen[0]?.headers.tracestate).toBeUndefined();
  });

  it('carry the fields that the collector asks for', async () => {
    const headers = { authorization: { env: 'OTLP_TOKEN' } };
    const gateway = await harness.gateway(configOf({ tracing: { url: receiver.url, share: 1, headers } }), {
      env: { OTLP_TOKEN: 'Bearer abc' },
    });
    await call(gateway, '/a');
    await receiver.received(2);
    expect(receiver.headers[0]?.authorization).toBe('Bearer abc');
  });
});

describe('a collector that fails', () => {
  it('costs spans, which are counted, and no request', async () => {
    receiver.mode = 'refuse';
    const gateway = await harness.gateway(configOf());
    expect((await call(gateway, '/a')).status).toBe(200);
    await expect.poll(() => spanCount(gateway, 'failed'), { timeout: 5_000 }).toBe(2);
    receiver.mode = 'take';
    await call(gateway, '/b');
    expect(await receiver.received(2)).toHaveLength(2);
    expect(await spanCount(gateway, 'exported')).toBe(2);
  });

  it('leaves no more waiting than there may be, and the rest is dropped', async () => {
    receiver.mode = 'silence';
    const counts = { exported: 0, failed: 0, dropped: 0 };
    const tracer = openOtlpTracer({ url: receiver.url, headers: {}, instance: 'gw-1', counts });
    const span = {
      traceId: TRACE,
      spanId: PARENT,
      parentId: '',
      remoteParent: false,
      kind: 'server',
      name: 'GET /',
      startMs: 0,
      endMs: 1,
      failed: false,
      attributes: {},
    } as const;
    for (let i = 0; i < 3_000; i += 1) tracer.end(span);
    expect(counts).toEqual({ exported: 0, failed: 0, dropped: 3_000 - 2_048 });
  });

  it('is not waited for when the gateway ends', async () => {
    receiver.mode = 'silence';
    const gateway = await harness.gateway(configOf());
    await call(gateway, '/a');
    const startedMs = performance.now();
    await gateway.close();
    expect(performance.now() - startedMs).toBeLessThan(4_000);
  });
});

describe('without tracing', () => {
  it('passes trace fields on with a span id of its own', async () => {
    const gateway = await harness.gateway(configOf({ tracing: null }));
    await call(gateway, '/a', {
      headers: { traceparent: `00-${TRACE}-${PARENT}-01`, tracestate: 'a=1,b=2' },
    });
    const { traceparent, tracestate } = upstream.seen[0]?.headers ?? {};
    expect(traceparent).toMatch(new RegExp(`^00-${TRACE}-[0-9a-f]{16}-01$`));
    expect(traceparent).not.toContain(PARENT);
    expect(tracestate).toBe('a=1,b=2');
  });
});
