import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { request } from 'undici';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ControlApi } from '../../src/api/control-api.ts';
import { forward } from '../../src/api/forward.ts';
import { SluiceError } from '../../src/core/domain/errors.ts';
import { eventually } from '../support/eventually.ts';
import { startScriptedApi, twoRollouts } from '../support/scripted-api.ts';
import { ScriptedControl } from '../support/scripted-control.ts';

let control: ScriptedControl;
let api: ControlApi;

beforeEach(async () => {
  control = twoRollouts();
  api = await startScriptedApi(control);
});

afterEach(() => api.close());

async function call(method: 'GET' | 'POST', path: string, body?: unknown, base = api.url) {
  const answer = await request(`${base}${path}`, {
    method,
    headers: body === undefined ? {} : { 'content-type': 'application/json' },
    body: body === undefined ? null : JSON.stringify(body),
  });
  return { status: answer.statusCode, headers: answer.headers, json: JSON.parse(await answer.body.text()) };
}

/** A request line as it is, which no HTTP client would send. */
async function ask(base: string, line: string, authorization: string): Promise<string> {
  const { hostname, port } = new URL(base);
  const socket = connect(Number(port), hostname);
  socket.write(`${line}\r\nhost: 127.0.0.1\r\nauthorization: ${authorization}\r\nconnection: close\r\n\r\n`);
  return text(socket);
}

describe('a service that another operator holds', () => {
  const tokens = [{ name: 'ci', role: 'operator', token: 'ci-token-123456' }] as const;

  it('is reached through whichever operator was asked, as the same person', async () => {
    const elsewhere = new ScriptedControl();
    const holder = await startScriptedApi(elsewhere, { tokens });
    try {
      const asked = await startScriptedApi(control, { tokens });
      try {
        control.failNext = new SluiceError('HELD_ELSEWHERE', { data: { contact: holder.url } });
        const answer = await request(`${asked.url}/api/v1/rollouts/orders-v2/start`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', authorization: 'Bearer ci-token-123456' },
          body: JSON.stringify({ message: 'from afar' }),
        });
        expect(answer.statusCode).toBe(200);
        expect(await answer.body.json()).toMatchObject({ phase: 'holding', message: 'from afar' });
        expect(elsewhere.requests[0]?.actor.name).toBe('ci');
      } finally {
        await asked.close();
      }
    } finally {
      await holder.close();
    }
  });

  it('streams live through whichever operator was asked', async () => {
    const elsewhere = new ScriptedControl();
    const holder = await startScriptedApi(elsewhere);
    try {
      control.failNext = new SluiceError('HELD_ELSEWHERE', { data: { contact: holder.url } });
      const reader = new AbortController();
      const answer = await request(`${api.url}/api/v1/events?rollouts=orders-v2`, { signal: reader.signal });
      expect(answer.headers['content-type']).toContain('text/event-stream');
      const chunks = answer.body[Symbol.asyncIterator]();
      expect(String((await chunks.next()).value)).toContain('event: snapshot');
      elsewhere.move('orders-v2', 'started', { phase: 'holding', run: 1 });
      expect(String((await chunks.next()).value)).toContain('"type":"started"');
      reader.abort();
      await eventually(() => elsewhere.listeners === 0);
    } finally {
      await holder.close();
    }
  });

  it('passes the holder’s refusals on unchanged', async () => {
    const elsewhere = new ScriptedControl();
    const holder = await startScriptedApi(elsewhere);
    try {
      control.failNext = new SluiceError('HELD_ELSEWHERE', { data: { contact: holder.url } });
      const answer = await call('POST', '/api/v1/rollouts/orders-v2/resume', {});
      expect(answer.json.code).toBe('WRONG_PHASE');
      expect(answer.headers['content-type']).toContain('application/problem+json');
    } finally {
      await holder.close();
    }
  });

  it('never sends the token to a host that the request target names', async () => {
    const seen: string[] = [];
    const thief = createServer((received, response) => {
      seen.push(`${received.url} ${received.headers.authorization}`);
      response.end('{}');
    });
    thief.listen(0, '127.0.0.1');
    await once(thief, 'listening');
    const host = `127.0.0.1:${(thief.address() as AddressInfo).port}`;
    const path = '/api/v1/rollouts/orders-v2';
    const asked = await startScriptedApi(control, { tokens });
    const holder = await startScriptedApi(new ScriptedControl(), { tokens });
    try {
      for (const target of [`http://${host}${path}`, `//${host}${path}`, `/\\${host}${path}`, '*']) {
        control.failNext = new SluiceError('HELD_ELSEWHERE', { data: { contact: holder.url } });
        const answer = await ask(asked.url, `GET ${target} HTTP/1.1`, 'Bearer ci-token-123456');
        expect(answer, target).toMatch(/^HTTP\/1\.1 400 /);
        expect(answer, target).toContain('"code":"BAD_REQUEST"');
        const to = { contact: holder.url, method: 'GET', path: target, headers: {}, body: null } as const;
        if (target !== '*') expect(await forward(to), target).toBeUndefined();
      }
      control.failNext = new SluiceError('HELD_ELSEWHERE', { data: { contact: holder.url } });
      expect(await ask(asked.url, `GET ${path} HTTP/1.1`, 'Bearer ci-token-123456')).toMatch(
        /^HTTP\/1\.1 200 /,
      );
      expect(seen).toEqual([]);
    } finally {
      await Promise.all([asked.close(), holder.close()]);
      thief.close();
    }
  });

  it('answers a look from the store when the contact is away: a leader that has died holds its lease a while', async () => {
    control.failNext = new SluiceError('HELD_ELSEWHERE', { data: { contact: 'http://127.0.0.1:1' } });
    expect(await call('GET', '/api/v1/rollouts/orders-v2')).toMatchObject({
      status: 200,
      json: { rollout: 'orders-v2' },
    });
    control.failNext = new SluiceError('HELD_ELSEWHERE', { data: { contact: 'http://127.0.0.1:1' } });
    expect((await call('GET', '/api/v1/rollouts/orders-v2/runs')).status).toBe(503);
  });

  it('is 503 when the contact is away, missing, or would send the request round in a circle', async () => {
    for (const data of [{ contact: 'http://127.0.0.1:1' }, { contact: 'not a url' }, {}]) {
      control.failNext = new SluiceError('HELD_ELSEWHERE', { data });
      expect(await call('POST', '/api/v1/rollouts/orders-v2/pause', {})).toMatchObject({
        status: 503,
        json: { code: 'HELD_ELSEWHERE' },
      });
    }
    const other = new ScriptedControl();
    const second = await startScriptedApi(other);
    try {
      control.failNext = new SluiceError('HELD_ELSEWHERE', { data: { contact: second.url } });
      other.failNext = new SluiceError('HELD_ELSEWHERE', { data: { contact: api.url } });
      expect((await call('POST', '/api/v1/rollouts/orders-v2/start', {})).status).toBe(503);
      expect(control.requests).toEqual([]);
    } finally {
      await second.close();
    }
  });
});
