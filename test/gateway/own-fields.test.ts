import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { listenerOf } from '../support/gateway-config.ts';
import { GatewayHarness, portOf, raw, type Upstream } from '../support/gateway-harness.ts';
import { gatewayOfYaml } from '../support/gateway-yaml.ts';

let harness: GatewayHarness;
let upstream: Upstream;
let port: number;

const ROUTES = `
routes:
  - name: newest
    match: { prefix: /, headers: { x-api: '2' } }
    service: orders
  - name: orders
    match: { prefix: / }
    service: orders
    cache: { ttl: 1m }
    idempotency: {}
    rateLimits: [{ name: all, rate: 1000/s, key: [ip] }]
`;

beforeEach(async () => {
  harness = await GatewayHarness.open();
  upstream = await harness.upstream((request, response) => {
    // What the gateway adds is none of the upstream's connection.
    const nominated = { connection: 'strict-transport-security, x-hop', 'x-hop': '1', 'content-length': '6' };
    request.resume().on('end', () => {
      response.writeHead(200, { ...nominated, vary: 'Accept', 'x-kept': 'yes', 'ratelimit-note': 'own' });
      response.end('answer');
    });
  });
  const config = gatewayOfYaml(upstream.url, ROUTES);
  const gateway = await harness.gateway({ ...config, listeners: [listenerOf({ hsts: 'max-age=60' })] });
  port = portOf(gateway);
});

afterEach(() => harness.close());

const GET = 'GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
const POST =
  'POST /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nIdempotency-Key: "k"\r\nContent-Length: 2\r\n\r\nhi';

/** Names in lower case with their values, in their order, without what differs from one answer to the next. */
function fieldsOf(text: string): string[] {
  const [head = ''] = text.split('\r\n\r\n');
  return (
    head
      .split('\r\n')
      .slice(1)
      .map((line) => line.replace(/^[^:]*/, (name) => name.toLowerCase()))
      // Each client without one gets a key of its own.
      .map((line) => line.replace(/^set-cookie: sluice_id=[^;]*/, 'set-cookie: sluice_id'))
      .filter((line) => !/^(?:x-request-id|ratelimit|date|age|cache-status|idempotency-replayed):/.test(line))
      .sort()
  );
}

describe('what the gateway itself adds to a response', () => {
  it.each([
    ['from the cache', GET],
    ['by an idempotency key', POST],
  ])('is there once, and not once more when the response is given again %s', async (_case, request) => {
    const first = await raw(port, request);
    const again = await raw(port, request);
    const third = await raw(port, request);
    expect(upstream.seen).toHaveLength(1);
    expect(first.match(/strict-transport-security: max-age=60/gi)).toHaveLength(1);
    expect(first).toMatch(/x-kept: yes/i);
    expect(first).not.toMatch(/x-hop/i);
    expect(fieldsOf(again)).toEqual(fieldsOf(first));
    expect(fieldsOf(third)).toEqual(fieldsOf(first));
    for (const text of [first, again, third]) {
      expect(text.match(/^x-request-id:/gim)).toHaveLength(1);
      expect(text.match(/^ratelimit:/gim)).toHaveLength(1);
      expect(text.match(/^vary: x-api/gim)).toHaveLength(1);
    }
  });
});
