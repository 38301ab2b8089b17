import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { call, eventually, GatewayHarness, portOf, raw, type Upstream } from '../support/gateway-harness.ts';
import { gatewayOfYaml } from '../support/gateway-yaml.ts';

const ROUTES = `
policies:
  short: { timeout: { idle: 200ms } }
routes:
  - name: keyed
    match: { prefix: /keyed }
    service: orders
    policy: short
    idempotency: {}
  - name: mapped
    match: { prefix: /mapped }
    service: orders
    policy: short
    json: { request: { drop: [secret], maxBytes: 1000000 } }
  - name: plain
    match: { prefix: /plain }
    service: orders
    policy: short
`;

let harness: GatewayHarness;
let upstream: Upstream;
let gateway: Gateway;
let received: number[];

beforeEach(async () => {
  harness = await GatewayHarness.open();
  received = [];
  upstream = await harness.upstream((request, response) => {
    let bytes = 0;
    request.on('data', (piece: Buffer) => {
      bytes += piece.length;
    });
    request.on('end', () => {
      received.push(bytes);
      response.end('answer');
    });
  });
  const config = gatewayOfYaml(upstream.url, ROUTES);
  const [listener] = config.listeners;
  if (listener === undefined) throw new Error('there is a listener');
  // So that only the idle time can end it.
  const patient = { ...listener, limits: { ...listener.limits, minBytesPerSecond: 0 } };
  gateway = await harness.gateway({ ...config, listeners: [patient] });
});

afterEach(() => harness.close());

describe('a body that has to be there before the attempt', () => {
  it.each(['/keyed', '/mapped', '/plain'])(
    'is given up on %s when it stands still for the idle time',
    async (path) => {
      const head =
        `POST ${path} HTTP/1.1\r\nHost: shop.test\r\nContent-Type: application/json\r\nIdempotency-Key: "k"\r\n` +
        'Content-Length: 100\r\n\r\n';
      const text = await raw(portOf(gateway), `${head}{"a":`);
      expect(text).toMatch(/^HTTP\/1\.1 408 /);
      expect(text).toContain('REQUEST_TIMEOUT');
      expect(upstream.seen).toHaveLength(0);
      await eventually(() => harness.stream.summaries.length > 0);
      expect(harness.outcomes('v1', 'attempts', 'timeout')).toBe(0);
    },
  );

  it('may be larger than what waits for a slow upstream', async () => {
    const body = JSON.stringify({ text: 'x'.repeat(600_000) });
    const reply = await call(gateway, '/mapped', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
    expect([reply.status, received]).toEqual([200, [body.length]]);
  });
});
