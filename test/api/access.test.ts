import { networkInterfaces } from 'node:os';
import { request } from 'undici';
import { afterEach, describe, expect, it } from 'vitest';
import type { ApiToken } from '../../src/api/access.ts';
import { isLoopbackAddress } from '../../src/api/access.ts';
import type { ControlApi } from '../../src/api/control-api.ts';
import { startScriptedApi } from '../support/scripted-api.ts';
import { ScriptedControl } from '../support/scripted-control.ts';

const TOKENS: readonly ApiToken[] = [
  { name: 'dash', role: 'viewer', token: 'viewer-token-0001' },
  { name: 'ci', role: 'operator', token: 'operator-token-0002' },
  { name: 'root', role: 'admin', token: 'admin-token-000003' },
];

const READS = [
  '/api/v1/rollouts',
  '/api/v1/rollouts/orders-v2',
  '/api/v1/rollouts/orders-v2/events',
  '/api/v1/rollouts/orders-v2/runs',
];
const ACTIONS = ['start', 'pause', 'resume', 'promote', 'abort', 'retry', 'undo'];

let api: ControlApi;
let control: ScriptedControl;

async function start(loopbackWithoutToken: boolean, tokens = TOKENS, host = '127.0.0.1') {
  control = new ScriptedControl();
  api = await startScriptedApi(control, { address: { host, port: 0 }, tokens, loopbackWithoutToken });
}

async function status(path: string, headers: Record<string, string> = {}, method: 'GET' | 'POST' = 'GET') {
  const answer = await request(`${api.url}${path}`, { method, headers });
  const json = JSON.parse(await answer.body.text());
  return { status: answer.statusCode, code: json.code, challenge: answer.headers['www-authenticate'] };
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

afterEach(() => api.close());

describe('with tokens', () => {
  it('every role reads, the viewer does nothing else, operator and admin act', async () => {
    await start(false);
    for (const { role, token } of TOKENS) {
      for (const path of READS)
        expect((await status(path, bearer(token))).status, `${role} ${path}`).toBe(200);
      for (const action of ACTIONS) {
        const answer = await status(`/api/v1/rollouts/orders-v2/${action}`, bearer(token), 'POST');
        const label = `${role} ${action}`;
        if (role === 'viewer') expect(answer, label).toMatchObject({ status: 403, code: 'FORBIDDEN' });
        else expect([200, 409], label).toContain(answer.status);
      }
    }
    expect(new Set(control.requests.map(({ actor }) => actor.name))).toEqual(new Set(['ci', 'root']));
  });

  it('refuses missing, wrong and malformed ones and names the scheme', async () => {
    await start(false);
    const wrong = ['Bearer nope', 'Bearer ', 'Basic dXNlcjpwYXNz', 'viewer-token-0001', 'Bearer a b'];
    for (const authorization of [undefined, ...wrong]) {
      for (const path of [...READS, '/api/v1/events']) {
        const answer = await status(path, authorization === undefined ? {} : { authorization });
        expect(answer, `${authorization} ${path}`).toEqual({
          status: 401,
          code: 'UNAUTHENTICATED',
          challenge: 'Bearer',
        });
      }
    }
  });

  it('does not let a caller with a token choose the name that is recorded', async () => {
    await start(true);
    const headers = { ...bearer('operator-token-0002'), 'x-sluice-actor': 'boss' };
    await status('/api/v1/rollouts/orders-v2/start', headers, 'POST');
    expect(control.requests[0]?.actor.name).toBe('ci');
  });

  it('a wrong token is not excused by a loopback address', async () => {
    await start(true);
    expect((await status('/api/v1/rollouts', bearer('nope'))).status).toBe(401);
  });

  it('health needs none', async () => {
    await start(false);
    expect((await status('/api/v1/healthz')).status).toBe(200);
  });
});

describe('without a token', () => {
  it('a loopback caller is admin where that is allowed, and nobody where it is not', async () => {
    await start(true, []);
    expect((await status('/api/v1/rollouts/orders-v2/start', {}, 'POST')).status).toBe(200);
    await api.close();
    await start(false, []);
    expect((await status('/api/v1/rollouts')).status).toBe(401);
  });

  it('refuses a Host that is not a loopback name: DNS can point any name at this machine', async () => {
    await start(true, []);
    const port = new URL(api.url).port;
    for (const host of [
      'evil.example',
      `evil.example:${port}`,
      'localhost.evil.example',
      '127.0.0.1.nip.io',
    ]) {
      expect((await status('/api/v1/rollouts', { host })).status, host).toBe(401);
    }
    for (const host of [`localhost:${port}`, '127.0.0.1', '[::1]:80', '127.9.9.9']) {
      expect((await status('/api/v1/rollouts', { host })).status, host).toBe(200);
    }
  });

  it('refuses callers behind a proxy on this machine, whose address says nothing', async () => {
    await start(true, []);
    for (const name of ['x-forwarded-for', 'forwarded', 'via', 'x-real-ip']) {
      expect((await status('/api/v1/rollouts', { [name]: '203.0.113.9' })).status, name).toBe(401);
    }
  });

  it('refuses peers that reach it by another address of this machine', async () => {
    const address = Object.values(networkInterfaces())
      .flat()
      .find((entry) => entry?.family === 'IPv4' && !entry.internal)?.address;
    await start(true, [], '0.0.0.0');
    if (address === undefined) {
      // Nothing but loopback here: the decision itself is all that can be checked.
      expect(isLoopbackAddress('203.0.113.9')).toBe(false);
      return;
    }
    const answer = await request(`http://${address}:${new URL(api.url).port}/api/v1/rollouts`, {
      headers: { host: 'localhost' },
    });
    expect(answer.statusCode).toBe(401);
    await answer.body.dump();
  });

  it('ignores actor names that could not be printed', async () => {
    await start(true, []);
    for (const name of ['ana', 'a\tb', 'x'.repeat(65), ' ']) {
      await status('/api/v1/rollouts/orders-v2/start', { 'x-sluice-actor': name }, 'POST');
      await status('/api/v1/rollouts/orders-v2/abort', {}, 'POST');
    }
    const starts = control.requests.filter(({ action }) => action.kind === 'start');
    expect(starts.map(({ actor }) => actor.name)).toEqual(['ana', 'local', 'local', 'local']);
  });
});

describe('browsers', () => {
  it('are refused when the page is from another origin, with or without a token', async () => {
    await start(true);
    const own = new URL(api.url).host;
    const foreign = [
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { origin: 'http://127.0.0.1:1' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
    ];
    for (const headers of foreign) {
      const label = JSON.stringify(headers);
      const named = headers as Record<string, string>;
      expect((await status('/api/v1/rollouts', named)).code, label).toBe('FORBIDDEN');
      const withToken = { ...named, ...bearer('admin-token-000003') };
      expect((await status('/api/v1/rollouts/orders-v2/abort', withToken, 'POST')).code, label).toBe(
        'FORBIDDEN',
      );
    }
    const same = { origin: `http://${own}`, 'sec-fetch-site': 'same-origin' };
    expect((await status('/api/v1/rollouts', same)).status).toBe(200);
    expect(control.requests).toEqual([]);
  });
});

it('knows loopback addresses of both families, also mapped ones', () => {
  for (const address of ['127.0.0.1', '127.255.0.3', '::1', '::ffff:127.0.0.1']) {
    expect(isLoopbackAddress(address), address).toBe(true);
  }
  for (const address of ['10.0.0.1', '::ffff:10.0.0.1', 'fe80::1', '', '127.evil', '1127.0.0.1']) {
    expect(isLoopbackAddress(address), address).toBe(false);
  }
});
