import { type ClientRequest, request as httpRequest } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Gateway } from '../../src/gateway/gateway.ts';
import {
  admin,
  call,
  eventually,
  GatewayHarness,
  portOf,
  type Upstream,
} from '../support/gateway-harness.ts';
import { gatewayOfYaml } from '../support/gateway-yaml.ts';

const ROUTES = `
routes:
  - { name: small, match: { path: /small }, service: orders }
  - name: big
    match: { prefix: /big }
    service: orders
    xml: { request: { root: r }, response: { root: r }, maxBytes: 4000000, maxElements: 1000000 }
  - name: mapped
    match: { prefix: /mapped }
    service: orders
    json:
      request: { drop: ['x[*].@a'], maxBytes: 4000000 }
      response: { pick: ['x[*].@b'], maxBytes: 4000000 }
`;
const ROW = { '@a': 'v', '@b': 'v', '@c': 'v', '@d': 'v', '@e': 'v', '@f': 'v' };
const ROWS = 30_000;
const AS_XML = `<r>${'<x a="v" b="v" c="v" d="v" e="v" f="v"/>'.repeat(ROWS)}</r>`;
const AS_JSON = JSON.stringify({ x: Array(ROWS).fill(ROW) });

let harness: GatewayHarness;
let upstream: Upstream;
let gateway: Gateway;

beforeEach(async () => {
  harness = await GatewayHarness.open();
  upstream = await harness.upstream((request, response) => {
    request.resume().on('end', () => {
      const isBig = request.url !== '/small' && request.method === 'GET';
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(isBig ? AS_JSON : '{}');
    });
  });
  gateway = await harness.gateway(gatewayOfYaml(upstream.url, ROUTES));
});
afterEach(() => harness.close());

/** Resolves when all of the body is with the kernel, which is long before the gateway has reshaped it. */
function upload(path = '/big', form = 'xml', body = AS_XML): Promise<ClientRequest> {
  return new Promise((resolve, reject) => {
    const sending = httpRequest({
      port: portOf(gateway),
      path,
      method: 'POST',
      headers: { 'content-type': `application/${form}`, 'content-length': body.length },
    });
    sending.on('error', reject);
    sending.on('response', (response) => response.resume());
    sending.on('finish', () => resolve(sending));
    sending.end(body);
  });
}

const arrived = (): number =>
  upstream.seen.filter(({ url, method }) => url !== '/small' && method === 'POST').length;

async function callsUntil(over: () => boolean): Promise<number> {
  let calls = 0;
  while (!over()) {
    expect((await call(gateway, '/small')).status).toBe(200);
    calls += 1;
  }
  return calls;
}

// In one go, a body of this size would let three or four others through, while it is read from the socket.
const MANY = 12;

describe('while a large body is reshaped', () => {
  it.each([
    ['/big', 'xml', AS_XML],
    ['/mapped', 'json', AS_JSON],
  ])(
    'other requests are answered, before that of a request to %s goes on to the upstream',
    async (...big) => {
      await upload(...big);
      expect(await callsUntil(() => arrived() === 1)).toBeGreaterThan(MANY);
    },
  );

  it.each(['/big', '/mapped'])(
    'other requests are answered, before that of a response of %s goes on to the client',
    async (path) => {
      let over = false;
      const reply = call(gateway, path, { headers: { accept: 'application/xml, */*;q=0.1' } }).finally(() => {
        over = true;
      });
      expect(await callsUntil(() => over)).toBeGreaterThan(MANY);
      expect((await reply).body.length).toBeGreaterThan(ROWS * 10);
    },
  );

  it('a client that leaves ends the work: nothing comes of it', async () => {
    const leaving = await upload();
    leaving.on('error', () => {});
    let calls = 0;
    await callsUntil(() => {
      calls += 1;
      return calls > MANY / 2;
    });
    leaving.destroy();
    await eventually(() => leaving.closed);
    const before = await requests('big');
    expect(arrived()).toBe(0);
    await upload();
    await callsUntil(() => arrived() > 0);
    expect(arrived()).toBe(1);
    expect(before).toBe(1);
  });
});

/** Requests to `route` that are over. */
async function requests(prefix: string): Promise<number> {
  for (;;) {
    const { body } = await admin(gateway, '/metrics');
    const line = body
      .split('\n')
      .find((each) => each.startsWith('http_server_request_duration_seconds_count') && each.includes(prefix));
    if (line !== undefined) return Number(line.split(' ').at(-1));
  }
}
