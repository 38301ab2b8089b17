import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { call, GatewayHarness, portOf, raw, type Upstream } from '../support/gateway-harness.ts';
import { gatewayOfYaml } from '../support/gateway-yaml.ts';

let harness: GatewayHarness;
let upstream: Upstream;
let gateway: Gateway;

const ROUTES = `
policies:
  secure:
    headers:
      response:
        set: { Strict-Transport-Security: max-age=600, x-route: '\${route.name}' }
        remove: [server, x-powered-by]
routes:
  - name: order
    match: { path: '/orders/{id}' }
    service: orders
    policy: secure
    headers:
      request:
        set:
          x-order: \${param.id}
          x-caller: ip-\${client.ip}
          x-user: \${claim.sub}
          x-copy: <\${header.x-copied}>
          x-literal: $\${param.id}
        add: { x-tag: gateway }
        remove: [cookie]
      response:
        add: { x-tag: '\${request.id}' }
  - name: stored
    match: { prefix: /stored }
    service: orders
    policy: secure
    cache: { ttl: 1m }
    headers: { response: { set: { x-request: '\${request.id}' } } }
`;

beforeEach(async () => {
  harness = await GatewayHarness.open();
  upstream = await harness.upstream((_request, response) => {
    response.setHeader('Server', 'secret');
    response.setHeader('X-Tag', 'upstream');
    response.end('hello');
  });
  gateway = await harness.gateway(gatewayOfYaml(upstream.url, ROUTES));
});
afterEach(() => harness.close());

describe('header edits', () => {
  it('fill templates in for the upstream; a field without a value is not there, not even as the client sent it', async () => {
    await call(gateway, '/orders/42', {
      headers: { 'X-User': 'forged', 'x-tag': 'client', cookie: 'a=b', traceparent: 'traceparent' },
    });
    const [request] = upstream.seen;
    expect(request?.headers).toMatchObject({
      'x-order': '42',
      'x-caller': 'ip-127.0.0.1',
      'x-literal': ['$', '{param.id}'].join(''),
      'x-tag': 'client, gateway',
    });
    expect(request?.headers).not.toHaveProperty('x-user');
    expect(request?.headers).not.toHaveProperty('x-copy');
    expect(request?.headers).not.toHaveProperty('cookie');
    expect(request?.headers.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
  });

  it('drop the twin with underscores of a field that is set or removed: servers take one for the other', async () => {
    await call(gateway, '/orders/42', { headers: { X_User: 'forged', x_order: '43', x_tag: 'kept' } });
    const [request] = upstream.seen;
    expect(request?.headers).toMatchObject({ 'x-order': '42', x_tag: 'kept' });
    expect(request?.headers).not.toHaveProperty('x_user');
    expect(request?.headers).not.toHaveProperty('x_order');
  });

  it('change responses, with the policy and the route merged', async () => {
    const reply = await call(gateway, '/orders/1');
    expect(reply.headers).toMatchObject({
      'strict-transport-security': 'max-age=600',
      'x-route': 'order',
      'x-tag': ['upstream', reply.headers['x-request-id']],
    });
    expect(reply.headers).not.toHaveProperty('server');
  });

  it('change stored responses anew each time', async () => {
    const replies = [await call(gateway, '/stored'), await call(gateway, '/stored')];
    expect(upstream.seen).toHaveLength(1);
    for (const { headers } of replies) expect(headers['x-request']).toBe(headers['x-request-id']);
    expect(replies[0]?.headers['x-request']).not.toBe(replies[1]?.headers['x-request']);
  });

  it('change problem documents', async () => {
    upstream.server.closeAllConnections();
    await new Promise((resolve) => upstream.server.close(resolve));
    const reply = await call(gateway, '/orders/1');
    expect([reply.status, reply.headers['strict-transport-security']]).toEqual([502, 'max-age=600']);
  });

  it('encode what could end a field: nobody injects one', async () => {
    await call(gateway, '/orders/a%0D%0AX-Evil:%201', { headers: { 'x-copied': 'plain' } });
    expect(upstream.seen[0]?.headers).toMatchObject({ 'x-order': 'a%0D%0AX-Evil: 1', 'x-copy': '<plain>' });
    expect(upstream.seen[0]?.headers).not.toHaveProperty('x-evil');
    await raw(
      portOf(gateway),
      'GET /orders/1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Copied: caf\xe9\r\n\r\n',
    );
    expect(upstream.seen[1]?.headers['x-copy']).toBe('<caf%C3%A9>');
  });
});
