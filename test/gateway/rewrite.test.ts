import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { completeRewrite, type RewriteYaml } from '../../src/config/policies/rewrite.ts';
import { parseTarget } from '../../src/core/policy/request-target.ts';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { compileRewrite } from '../../src/gateway/transform/rewrite.ts';
import type { TransformSubject } from '../../src/gateway/transform/transform-model.ts';
import { call, GatewayHarness, type Upstream } from '../support/gateway-harness.ts';
import { gatewayOfYaml } from '../support/gateway-yaml.ts';

let harness: GatewayHarness;
let upstream: Upstream;
let gateway: Gateway;

const ROUTES = `
routes:
  - name: product
    match: { path: '/v1/products/{id}/{part}' }
    service: orders
    rewrite: { path: '/catalog/{part}/items/{id}', query: { set: { lang: '\${header.x-lang}' }, remove: [debug], rename: { q: search } } }
  - name: api
    match: { prefix: /api }
    service: orders
    rewrite: { prefix: / }
  - name: moved
    match: { prefix: /moved }
    service: orders
    rewrite: { prefix: /new/place, query: { keep: [page] } }
  - name: old
    match: { prefix: /old }
    service: orders
    rewrite: { regex: { pattern: '^/old/([a-z]+)/(.*)$', to: '/new/$2/$1' } }
  - name: tenant
    match: { prefix: /tenant }
    service: orders
    cache: { ttl: 1m }
    rewrite: { path: '/t/\${header.x-tenant}/list' }
  - name: slow
    match: { prefix: /slow }
    service: orders
    rewrite: { regex: { pattern: '^/slow/(a+)+$', to: '/never' } }
`;

beforeEach(async () => {
  harness = await GatewayHarness.open();
  upstream = await harness.upstream((request, response) => response.end(request.url));
  gateway = await harness.gateway(gatewayOfYaml(upstream.url, ROUTES));
});
afterEach(() => harness.close());

describe('path rewrites', () => {
  it.each([
    ['/v1/products/42/a%2Bb', '/catalog/a%2Bb/items/42'],
    ['/v1/products/42/b?debug=1&q=x%20y&z&lang=de', '/catalog/b/items/42?search=x%20y&z'],
    ['/api/orders/1?x=1', '/orders/1?x=1'],
    ['/api', '/'],
    ['/api?x', '/?x'],
    ['/moved', '/new/place'],
    ['/moved/a/b?page=2&x=1&p%61ge=3', '/new/place/a/b?page=2&p%61ge=3'],
    ['/old/shop/1/2', '/new/1/2/shop'],
    ['/old/SHOP/1', '/old/SHOP/1'],
  ])('%s goes on as %s', async (path, target) => {
    expect((await call(gateway, path)).body).toBe(target);
  });

  it('sets parameters from variables, and escapes what would part the query', async () => {
    const reply = await call(gateway, '/v1/products/1/a?lang=forged', {
      headers: { 'x-lang': 'd e&admin=1#' },
    });
    expect(reply.body).toBe('/catalog/a/items/1?lang=d%20e%26admin%3D1%23');
  });

  it.each([
    ['a dot segment', '..'],
    ['an empty value', ''],
    ['an escaped slash', '../x'],
    ['an escaped backslash', 'a\\b'],
  ])('refuses to make a path with %s', async (_what, tenant) => {
    const reply = await call(gateway, '/tenant', { headers: { 'x-tenant': tenant } });
    expect([reply.status, JSON.parse(reply.body).code]).toEqual([400, 'UNREWRITABLE_PATH']);
    expect(upstream.seen).toHaveLength(0);
  });

  it('refuses a path that a pattern would make a network path or an empty segment of', async () => {
    expect((await call(gateway, '/old/shop/')).status).toBe(400);
  });

  it('keeps stored responses apart by what the upstream was asked for', async () => {
    const ask = async (tenant: string) =>
      (await call(gateway, '/tenant', { headers: { 'x-tenant': tenant } })).body;
    expect([await ask('a'), await ask('b'), await ask('a')]).toEqual(['/t/a/list', '/t/b/list', '/t/a/list']);
    expect(upstream.seen).toHaveLength(2);
  });

  it('takes no longer for a pattern that makes other engines backtrack', async () => {
    // Those would not be done before the test's deadline.
    const path = `/slow/${'a'.repeat(8_000)}!`;
    expect((await call(gateway, path)).body).toBe(path);
  });
});

describe('compileRewrite', () => {
  const segment = fc.stringMatching(/^[\w.~!$&'()*+,;=:@%-]{0,12}$/);

  it('makes canonical paths only, whatever a pattern does to a canonical one', () => {
    const rules: RewriteYaml[] = [
      { regex: { pattern: '[a-m]', to: '/' } },
      { regex: { pattern: '^/([^/]*)/?(.*)$', to: '$2/../$1' } },
      { regex: { pattern: '(.)(.)', to: '$2$1' } },
      { regex: { pattern: '%', to: '%2' } },
    ];
    const compiled = rules.map((rule) =>
      compileRewrite(completeRewrite(rule), { kind: 'prefix', path: '/' }),
    );
    fc.assert(
      fc.property(fc.array(segment, { minLength: 1, maxLength: 4 }), fc.nat(3), (segments, index) => {
        const path = parseTarget(`/${segments.join('/')}`)?.path;
        if (path === undefined) return;
        const subject = { path, query: '' } as TransformSubject;
        const target = compiled[index]?.target(subject);
        if (target === undefined) return;
        expect(parseTarget(target)).toEqual({ path: target, query: '', authority: null });
        expect(target).not.toContain('//');
      }),
      { numRuns: 2_000 },
    );
  });
});
