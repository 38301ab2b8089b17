import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { call, GatewayHarness, type Upstream } from '../support/gateway-harness.ts';
import { gatewayOfYaml } from '../support/gateway-yaml.ts';

let harness: GatewayHarness;
let upstream: Upstream;

beforeEach(async () => {
  harness = await GatewayHarness.open();
  // Says what it looked at, and what it saw there.
  upstream = await harness.upstream((request, response) => {
    const name = request.url?.slice(1) ?? '';
    response.writeHead(200, { 'cache-control': 'max-age=60', vary: name });
    response.end(String(request.headers[name]));
  });
});

afterEach(() => harness.close());

describe('a stored response whose Vary names a field that', () => {
  it.each<[string, string, string, Record<string, string>[], string[], number]>([
    [
      'the route takes out is for all',
      'x-lang',
      'remove: [x-lang]',
      [{ 'x-lang': 'de' }, {}],
      ['undefined'],
      1,
    ],
    ['the route sets is for all', 'x-lang', 'set: { x-lang: en }', [{ 'x-lang': 'de' }, {}], ['en'], 1],
    [
      'the route fills from another is for who has that',
      'x-lang',
      `set: { x-lang: '\${header.x-asked}' }`,
      [{ 'x-asked': 'de' }, { 'x-asked': 'en' }, { 'x-asked': 'de' }],
      ['de', 'en', 'de'],
      2,
    ],
    [
      'is new in every request is for nobody else',
      'x-request-id',
      'remove: [x-none]',
      [{ 'x-request-id': 'request-1' }, { 'x-request-id': 'request-2' }],
      ['request-1', 'request-2'],
      2,
    ],
    [
      'only proxies send is for all',
      'client-cert',
      'remove: [x-none]',
      [{ 'client-cert': ':YW5u:' }, {}],
      ['undefined'],
      1,
    ],
  ])('%s', async (_what, name, edits, requests, expected, calls) => {
    const gateway = await harness.gateway(
      gatewayOfYaml(
        upstream.url,
        `routes:
  - { name: all, match: { prefix: / }, service: orders, cache: {}, headers: { request: { ${edits} } } }
`,
      ),
    );
    const bodies = [];
    for (const headers of requests) bodies.push((await call(gateway, `/${name}`, { headers })).body);
    expect(bodies).toEqual(requests.map((_request, index) => expected[index] ?? expected[0]));
    expect(upstream.seen).toHaveLength(calls);
  });
});
