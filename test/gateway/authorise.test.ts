import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { GatewayConfig } from '../../src/config/gateway-model.ts';
import type { AuthPolicy, TokenPlace } from '../../src/config/policies/identity.ts';
import { gatewayConfigOf, routeOf, serviceOf } from '../support/gateway-config.ts';
import { admin, call, GatewayHarness, type Reply, type Upstream } from '../support/gateway-harness.ts';
import { openTokenIssuer, type TokenIssuer } from '../support/token-issuer.ts';

let harness: GatewayHarness;
let upstream: Upstream;
let issuer: TokenIssuer;

beforeEach(async () => {
  harness = await GatewayHarness.open();
  upstream = await harness.named('v1');
  issuer = await openTokenIssuer();
});

afterEach(async () => {
  await harness.close();
  await issuer.close();
});

function config(auth: Partial<AuthPolicy>, token?: TokenPlace): GatewayConfig {
  return gatewayConfigOf([serviceOf('orders', { v1: [upstream.url] })], {
    jwt: { main: { ...issuer.provider, ...(token && { token }) } },
    routes: [
      routeOf('orders', { name: 'open', path: { kind: 'prefix', path: '/open' } }),
      routeOf('orders', { auth: { jwt: 'main', optional: false, ...auth } }),
    ],
  });
}

async function ask(auth: Partial<AuthPolicy>, claims: Record<string, unknown>): Promise<Reply> {
  const gateway = await harness.gateway(config(auth));
  return call(gateway, '/', { headers: { authorization: await issuer.bearer(claims) } });
}

describe('authorisation', () => {
  it('lets a token with the scopes and claims pass', async () => {
    const auth = { scopes: { all: ['orders:write'], any: ['a', 'b'] }, claims: { tenant_id: ['acme'] } };
    const reply = await ask(auth, { scope: 'b orders:write', tenant_id: 'acme' });
    expect(reply.status).toBe(200);
  });

  it('answers 403 and names the scopes that are needed', async () => {
    const reply = await ask({ scopes: { all: ['orders:write'], any: ['a'] } }, { scope: 'orders:read' });
    expect([reply.status, JSON.parse(reply.body).code]).toEqual([403, 'SCOPE_INSUFFICIENT']);
    expect(reply.headers['www-authenticate']).toBe(
      'Bearer realm="orders", error="insufficient_scope", error_description="the token lacks a scope", ' +
        'scope="orders:write a"',
    );
    expect(upstream.seen).toHaveLength(0);
  });

  it('answers 403 when a claim has another value', async () => {
    const reply = await ask({ claims: { tenant_id: ['acme'] } }, { tenant_id: 'other' });
    expect([reply.status, JSON.parse(reply.body).code]).toEqual([403, 'CLAIM_REFUSED']);
    expect(reply.headers['www-authenticate']).toContain('error="insufficient_scope"');
  });

  it('names realm and scopes, and no error, to somebody without a token', async () => {
    const gateway = await harness.gateway(config({ realm: 'the shop', scopes: { all: ['a'], any: [] } }));
    for (const headers of [{}, { authorization: 'Basic YTpi' }]) {
      const reply = await call(gateway, '/', { headers });
      expect(reply.status).toBe(401);
      expect(reply.headers['www-authenticate']).toBe('Bearer realm="the shop", scope="a"');
    }
  });

  it.each(['Bearer', 'Bearer a b', 'Bearer a,b'])(
    'answers 400 to the malformed "%s"',
    async (authorization) => {
      const gateway = await harness.gateway(config({}));
      const reply = await call(gateway, '/', { headers: { authorization } });
      expect([reply.status, JSON.parse(reply.body).code]).toEqual([400, 'TOKEN_MALFORMED']);
      expect(reply.headers['www-authenticate']).toContain('error="invalid_request"');
    },
  );

  it.each([
    [{ header: 'x-token' }, (token: string) => ({ 'x-token': token })],
    [{ header: 'x-token', scheme: 'JWT' }, (token: string) => ({ 'x-token': `jwt ${token}` })],
    [{ cookie: 'session' }, (token: string) => ({ cookie: `a=b; session=${token}` })],
  ])('takes the token from %j', async (place, headersOf) => {
    const gateway = await harness.gateway(config({}, place));
    const bearer = await issuer.bearer({ sub: 'ann' });
    expect((await call(gateway, '/', { headers: headersOf(bearer.slice(7)) })).status).toBe(200);
    expect((await call(gateway, '/', { headers: { authorization: bearer } })).status).toBe(401);
  });

  it('counts what became of callers by route and cause', async () => {
    const gateway = await harness.gateway(config({ scopes: { all: ['a'], any: [] } }));
    const bearer = (scope: string) => issuer.bearer({ sub: 'ann', scope });
    await call(gateway, '/', { headers: { authorization: await bearer('a') } });
    await call(gateway, '/', { headers: { authorization: await bearer('b') } });
    await call(gateway, '/', { headers: { authorization: 'Bearer x' } });
    await call(gateway, '/');
    const { body } = await admin(gateway, '/metrics');
    for (const outcome of ['accepted', 'scope_missing', 'malformed', 'missing']) {
      expect(body).toMatch(new RegExp(`^sluice_auth_requests_total\\{.*outcome="${outcome}"\\} 1$`, 'm'));
    }
  });
});

describe('identity for upstreams', () => {
  const forward = { 'x-user-id': 'sub', 'x-tenant': 'tenant_id', 'x-roles': 'roles' };

  it('comes from validated claims, never from the client', async () => {
    const gateway = await harness.gateway(config({ forward }));
    const headers = {
      authorization: await issuer.bearer({ sub: 'ann', roles: ['a', 'b'] }),
      'X-User-Id': 'eve',
      X_User_Id: 'eve',
      'X-Tenant': 'evil',
    };
    expect((await call(gateway, '/', { headers })).status).toBe(200);
    const seen = upstream.seen[0]?.headers ?? {};
    expect([seen['x-user-id'], seen.x_user_id, seen['x-tenant'], seen['x-roles']]).toEqual([
      'ann',
      undefined,
      undefined,
      'a,b',
    ]);
  });

  it('cannot be forged on a route without auth, or without a token where it is optional', async () => {
    const gateway = await harness.gateway(config({ forward, optional: true }));
    for (const path of ['/open/1', '/']) {
      expect((await call(gateway, path, { headers: { 'x-user-id': 'eve', x_tenant: 'evil' } })).status).toBe(
        200,
      );
    }
    for (const { headers } of upstream.seen) {
      expect([headers['x-user-id'], headers.x_tenant]).toEqual([undefined, undefined]);
    }
    expect(upstream.seen).toHaveLength(2);
  });

  it('cannot be forged to be led to another route', async () => {
    const { routes, ...rest } = config({ forward });
    const staff = routeOf('orders', {
      name: 'staff',
      path: { kind: 'prefix', path: '/open' },
      conditions: [{ kind: 'field', name: 'x-roles', value: 'staff' }],
      ip: { allow: ['192.0.2.1'], deny: [] },
    });
    const gateway = await harness.gateway({ ...rest, routes: [staff, ...routes] });
    for (const name of ['x-roles', 'X_Roles'])
      expect((await call(gateway, '/open/1', { headers: { [name]: 'staff' } })).status).toBe(200);
  });

  it('leaves out a claim that could break out of its field', async () => {
    const gateway = await harness.gateway(config({ forward }));
    const authorization = await issuer.bearer({ sub: 'ann\r\nX-Admin: 1', tenant_id: 'ä' });
    expect((await call(gateway, '/', { headers: { authorization } })).status).toBe(200);
    const seen = upstream.seen[0]?.headers ?? {};
    expect([seen['x-user-id'], seen['x-admin'], seen['x-tenant']]).toEqual([undefined, undefined, undefined]);
  });
});
