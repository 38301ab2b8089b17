import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AuthPolicy, IntrospectionProvider } from '../../src/config/policies/identity.ts';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { gatewayConfigOf, routeOf, serviceOf } from '../support/gateway-config.ts';
import { admin, call, GatewayHarness, type Reply, type Upstream } from '../support/gateway-harness.ts';

let harness: GatewayHarness;
let upstream: Upstream;
let server: Upstream;
let folder: string;
let nowMs: number;
let answer: (response: ServerResponse) => void;
let asked: { authorization: string; body: string }[];

beforeEach(async () => {
  harness = await GatewayHarness.open();
  upstream = await harness.named('v1');
  asked = [];
  server = await harness.upstream((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += String(chunk);
    });
    request.on('end', () => {
      asked.push({ authorization: request.headers.authorization ?? '', body });
      answer(response);
    });
  });
  folder = await mkdtemp(join(tmpdir(), 'sluice-introspection-'));
  await writeFile(join(folder, 'secret'), 's:e\n');
  nowMs = Date.now();
  say({ active: true, sub: 'ann', scope: 'read' });
});

afterEach(async () => {
  await harness.close();
  await rm(folder, { recursive: true });
});

function say(value: unknown): void {
  answer = (response) => response.end(JSON.stringify(value));
}

function open(
  changes: Partial<IntrospectionProvider> = {},
  auth: Partial<AuthPolicy> = {},
): Promise<Gateway> {
  const provider: IntrospectionProvider = {
    url: `${server.url}/introspect`,
    clientId: 'gate way',
    clientSecret: { file: 'secret' },
    issuer: null,
    audience: null,
    timeoutMs: 500,
    cacheMs: 60_000,
    negativeCacheMs: 10_000,
    staleMs: 0,
    ...changes,
  };
  const config = gatewayConfigOf([serviceOf('orders', { v1: [upstream.url] })], {
    path: join(folder, 'gateway.yaml'),
    introspection: { main: provider },
    routes: [routeOf('orders', { auth: { introspection: 'main', optional: false, ...auth } })],
  });
  return harness.gateway(config, { nowMs: () => nowMs });
}

function ask(gateway: Gateway, token = 'opaque'): Promise<Reply> {
  return call(gateway, '/', { headers: { authorization: `Bearer ${token}` } });
}

describe('introspection', () => {
  it('asks as the client of the configuration, and makes claims of the answer', async () => {
    const gateway = await open({}, { scopes: { all: ['read'], any: [] }, forward: { 'x-user-id': 'sub' } });
    expect((await ask(gateway, 'a+b/c==')).status).toBe(200);
    expect(upstream.seen[0]?.headers['x-user-id']).toBe('ann');
    expect(Buffer.from(asked[0]?.authorization.slice(6) ?? '', 'base64').toString()).toBe('gate+way:s%3Ae');
    expect(asked[0]?.body).toBe('token=a%2Bb%2Fc%3D%3D&token_type_hint=access_token');
  });

  it('remembers an active token until its time, and no longer than it is good', async () => {
    const gateway = await open();
    say({ active: true, exp: Math.floor(nowMs / 1000) + 30 });
    for (let i = 0; i < 3; i += 1) expect((await ask(gateway)).status).toBe(200);
    expect(asked).toHaveLength(1);
    say({ active: false });
    nowMs += 31_000;
    expect((await ask(gateway)).status).toBe(401);
  });

  it('remembers for a shorter time that a token is not active', async () => {
    const gateway = await open();
    say({ active: false });
    for (let i = 0; i < 3; i += 1) expect((await ask(gateway)).status).toBe(401);
    expect(asked).toHaveLength(1);
    say({ active: true });
    nowMs += 11_000;
    expect((await ask(gateway)).status).toBe(200);
  });

  it('asks once for many requests with one token', async () => {
    const gateway = await open();
    const replies = await Promise.all(Array.from({ length: 10 }, () => ask(gateway)));
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]));
    expect(asked).toHaveLength(1);
  });

  it.each([
    ['fails', (response: ServerResponse) => response.writeHead(500).end()],
    ['is silent', () => {}],
    ['breaks off', (response: ServerResponse) => response.destroy()],
    ['sends no JSON', (response: ServerResponse) => response.end('<html>')],
    ['sends something else', (response: ServerResponse) => response.end('{"active":"yes"}')],
    ['sends a time that is none', (response: ServerResponse) => response.end('{"active":true,"exp":"soon"}')],
    [
      'sends too much',
      (response: ServerResponse) => response.end(`{"active":true,"x":"${'x'.repeat(70_000)}"}`),
    ],
    ['redirects', (response: ServerResponse) => response.writeHead(302, { location: '/' }).end()],
  ])('answers 503, and lets nobody pass, when the server %s', async (_case, broken) => {
    answer = broken;
    const gateway = await open();
    const reply = await ask(gateway);
    expect([reply.status, JSON.parse(reply.body).code]).toEqual([503, 'INTROSPECTION_UNAVAILABLE']);
    expect(reply.headers['retry-after']).toBeDefined();
    expect(upstream.seen).toHaveLength(0);
    const { body } = await admin(gateway, '/metrics');
    expect(body).toContain('sluice_identity_provider_down{kind="introspection",provider="main"} 1');
  });

  it('goes on with what it knew while nobody answers, if asked to, for as long as asked', async () => {
    const gateway = await open({ staleMs: 60_000 });
    expect((await ask(gateway)).status).toBe(200);
    answer = (response) => response.destroy();
    nowMs += 61_000;
    expect((await ask(gateway)).status).toBe(200);
    nowMs += 60_000;
    expect((await ask(gateway)).status).toBe(503);
  });

  it('refuses a token of another issuer or audience', async () => {
    const gateway = await open({ issuer: 'https://id.test', audience: 'shop' });
    say({ active: true, iss: 'https://id.test', aud: ['shop', 'x'] });
    expect((await ask(gateway, 'a')).status).toBe(200);
    say({ active: true, iss: 'https://id.test', aud: 'other' });
    expect((await ask(gateway, 'b')).status).toBe(401);
    say({ active: true, aud: 'shop' });
    expect((await ask(gateway, 'c')).status).toBe(401);
  });

  it('does not start without its secret', async () => {
    await expect(open({ clientSecret: { file: 'missing' } })).rejects.toThrow(/clientSecret: cannot read/);
  });
});
