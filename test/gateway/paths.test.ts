import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { call, GatewayHarness, type Upstream } from '../support/gateway-harness.ts';
import { gatewayOfYaml } from '../support/gateway-yaml.ts';

let harness: GatewayHarness;
let upstream: Upstream;
let gateway: Gateway;

/** What is guarded lets nobody in; all else is open. */
const ROUTES = `
routes:
  - name: cancel
    match: { path: '/orders:cancel' }
    service: orders
    ip: { allow: [192.0.2.1] }
  - name: admin
    match: { prefix: /admin }
    service: orders
    ip: { allow: [192.0.2.1] }
  - name: sums
    match: { path: /a+b }
    service: orders
    ip: { allow: [192.0.2.1] }
  - name: rest
    match: { prefix: / }
    service: orders
`;

beforeAll(async () => {
  harness = await GatewayHarness.open();
  upstream = await harness.upstream((request, response) => response.end(request.url));
  gateway = await harness.gateway(gatewayOfYaml(upstream.url, ROUTES));
});
afterAll(() => harness.close());
beforeEach(() => {
  upstream.seen.length = 0;
});

describe('another spelling of a guarded path', () => {
  it.each([
    ['/orders:cancel', 403],
    ['/orders%3Acancel', 403],
    ['/orders%3acancel', 403],
    ['//orders%3acancel', 403],
    ['/%6frders:cancel', 403],
    ['/admin/x', 403],
    ['/admin;a=1', 400],
    ['/admin;a=1/x', 400],
    ['/;a/admin', 400],
    ['/admin%3Ba=1', 400],
    ['/admin/x;a=1', 403],
    ['/a+b', 403],
    ['/a%2Bb', 400],
  ])('does not lead around its policy: %s', async (path, status) => {
    expect((await call(gateway, path)).status).toBe(status);
    expect(upstream.seen).toHaveLength(0);
  });

  it.each(['/public;v=1', '/x/a;b/c%3Bd', '/c%2Bd'])(
    'is passed on as it is where there is one reading: %s',
    async (path) => {
      expect(await call(gateway, path)).toMatchObject({ status: 200, body: path });
    },
  );
});
