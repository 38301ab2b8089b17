import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadApiKeyFile } from '../../src/config/api-key-file.ts';
import type { GatewayConfig } from '../../src/config/gateway-model.ts';
import type { AuthPolicy } from '../../src/config/policies/identity.ts';
import { gatewayConfigOf, routeOf, serviceOf } from '../support/gateway-config.ts';
import { call, eventually, GatewayHarness, type Upstream } from '../support/gateway-harness.ts';
import { openTokenIssuer, type TokenIssuer } from '../support/token-issuer.ts';

let harness: GatewayHarness;
let upstream: Upstream;
let issuer: TokenIssuer;
let folder: string;
let file: string;

beforeEach(async () => {
  harness = await GatewayHarness.open();
  upstream = await harness.named('v1');
  issuer = await openTokenIssuer();
  folder = await mkdtemp(join(tmpdir(), 'sluice-api-keys-'));
  file = join(folder, 'keys.yaml');
  await writeKeys({
    name: 'ci',
    sha256: sha256('good'),
    owner: 'team',
    scopes: ['read'],
    claims: { tenant_id: 'acme' },
  });
});

afterEach(async () => {
  await harness.close();
  await issuer.close();
  await rm(folder, { recursive: true });
});

function sha256(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}

function writeKeys(...keys: Record<string, unknown>[]): Promise<void> {
  return writeFile(file, JSON.stringify({ keys }));
}

function config(auth: Partial<AuthPolicy> = {}): GatewayConfig {
  return gatewayConfigOf([serviceOf('orders', { v1: [upstream.url] })], {
    jwt: { main: issuer.provider },
    apiKeys: { partners: { file } },
    routes: [routeOf('orders', { auth: { apiKey: 'partners', optional: false, ...auth } })],
  });
}

describe('API keys', () => {
  it('let their owner pass, with claims from the file', async () => {
    const forward = { 'x-user-id': 'sub', 'x-tenant': 'tenant_id' };
    const gateway = await harness.gateway(config({ forward, scopes: { all: ['read'], any: [] } }));
    expect((await call(gateway, '/', { headers: { 'x-api-key': 'good' } })).status).toBe(200);
    const seen = upstream.seen[0]?.headers ?? {};
    expect([seen['x-user-id'], seen['x-tenant']]).toEqual(['key:ci', 'acme']);
  });

  it('are refused when unknown, expired or missing, with a challenge', async () => {
    await writeKeys({ name: 'old', sha256: sha256('old'), expires: '2020-01-01T00:00:00Z' });
    const gateway = await harness.gateway(config());
    const all: Record<string, string>[] = [{ 'x-api-key': 'bad' }, { 'x-api-key': 'old' }, {}];
    for (const headers of all) {
      const reply = await call(gateway, '/', { headers });
      expect([reply.status, reply.headers['www-authenticate']]).toEqual([401, 'ApiKey realm="orders"']);
    }
    expect((await call(gateway, '/', { headers: { 'x-api-key': 'a, b' } })).status).toBe(400);
  });

  it('follow their file; a broken one changes nothing', async () => {
    const gateway = await harness.gateway(config());
    const status = async (key: string) =>
      (await call(gateway, '/', { headers: { 'x-api-key': key } })).status;
    expect(await status('good')).toBe(200);
    await writeFile(file, 'keys: [{ name: x }]');
    await eventually(() => harness.log.some((line) => line.includes('those read before stay')));
    expect(await status('good')).toBe(200);
    await writeKeys({ name: 'new', sha256: sha256('better') });
    await eventually(() => harness.log.some((line) => line.includes('API keys are replaced')));
    expect([await status('good'), await status('better')]).toEqual([401, 200]);
  });

  it('are one of several ways to be known', async () => {
    const gateway = await harness.gateway(config({ jwt: 'main' }));
    const authorization = await issuer.bearer({ sub: 'ann' });
    expect((await call(gateway, '/', { headers: { authorization } })).status).toBe(200);
    expect((await call(gateway, '/', { headers: { 'x-api-key': 'good' } })).status).toBe(200);
    expect(
      (await call(gateway, '/', { headers: { authorization: 'Bearer x', 'x-api-key': 'bad' } })).status,
    ).toBe(401);
    const reply = await call(gateway, '/');
    expect(reply.headers['www-authenticate']).toEqual(['Bearer realm="orders"', 'ApiKey realm="orders"']);
  });
});

describe('loadApiKeyFile', () => {
  it.each([
    [
      'keys: [{ name: a, sha256: abc }]',
      'expected a SHA-256 hash of 64 hexadecimal digits, got "abc"',
      'abc',
    ],
    [`keys: [{ name: a, sha256: ${sha256('x')}, expires: soon }]`, /expected a time such as/, 'soon'],
    [
      `keys: [{ name: a, sha256: ${sha256('x')} }, { name: b, sha256: ${sha256('x')} }]`,
      'another entry has the same key',
      `${sha256('x')} }]`,
    ],
  ])('says where %s is wrong', (text, message, at) => {
    const { value, diagnostics } = loadApiKeyFile({ name: 'keys.yaml', text, absolutePath: '/keys.yaml' });
    expect(value).toBeNull();
    expect(diagnostics[0]?.message).toMatch(message);
    expect(diagnostics[0]?.column).toBe(text.indexOf(at) + 1);
  });
});
