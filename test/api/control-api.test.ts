import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { request } from 'undici';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createEmbeddedPurgeChannel } from '../../src/adapters/embedded/purge-channel.ts';
import type { ControlApi } from '../../src/api/control-api.ts';
import { startControlApi } from '../../src/api/control-api.ts';
import { forward } from '../../src/api/forward.ts';
import { SluiceError } from '../../src/core/domain/errors.ts';
import { eventually } from '../support/eventually.ts';
import { ScriptedControl } from '../support/scripted-control.ts';
import { silentLogger } from '../support/silent-logger.ts';
import { event, NOON, readyView } from '../support/view-fixture.ts';

let control: ScriptedControl;
let api: ControlApi;

async function start(over: ScriptedControl, tokens: Parameters<typeof startControlApi>[0]['tokens'] = []) {
  return startControlApi({
    control: over,
    purges: createEmbeddedPurgeChannel(),
    address: { host: '127.0.0.1', port: 0 },
    tokens,
    loopbackWithoutToken: true,
    logger: silentLogger,
  });
}

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

beforeEach(async () => {
  control = new ScriptedControl([readyView(), readyView('search-v3')]);
  api = await start(control);
});

afterEach(async () => {
  await api.close();
});

describe('reading', () => {
  it('lists all rollouts and answers one by its name', async () => {
    const list = await call('GET', '/api/v1/rollouts');
    expect(list.status).toBe(200);
    expect(list.json.rollouts.map((view: { rollout: string }) => view.rollout)).toEqual([
      'orders-v2',
      'search-v3',
    ]);
    const one = await call('GET', '/api/v1/rollouts/search-v3');
    expect(one.json).toEqual(JSON.parse(JSON.stringify(readyView('search-v3'))));
    expect(one.headers['cache-control']).toBe('no-store');
    expect((await call('GET', '/api/v1/healthz')).json).toEqual({ status: 'ok' });
  });

  it('pages through events by sequence', async () => {
    for (let n = 0; n < 5; n++) control.move('orders-v2', 'advanced', { step: n });
    const page = await call('GET', '/api/v1/rollouts/orders-v2/events?after=2&limit=2');
    expect(page.json.events.map((e: { sequence: number }) => e.sequence)).toEqual([3, 4]);
    expect((await call('GET', '/api/v1/rollouts/orders-v2/events?limit=0')).status).toBe(400);
    expect((await call('GET', '/api/v1/rollouts/orders-v2/events?befor=1')).status).toBe(400);
  });

  it('derives one row per run with its outcome, newest first', async () => {
    const log = [
      event({ sequence: 1, run: 1, type: 'started', by: 'ana', atMs: NOON }),
      event({ sequence: 2, run: 1, type: 'aborted', atMs: NOON + 5000, reason: '5xx over 2x' }),
      event({ sequence: 3, run: 2, type: 'started', by: 'ben', atMs: NOON + 9000 }),
      event({ sequence: 4, run: 2, type: 'promoted', atMs: NOON + 20_000 }),
      event({ sequence: 5, run: 2, type: 'undone', by: 'ana', atMs: NOON + 30_000, reason: 'complaints' }),
      event({ sequence: 6, run: 3, type: 'started', by: 'ana', atMs: NOON + 40_000, reason: 'third try' }),
    ];
    control.put({ ...readyView(), run: 3, events: log });
    const { json } = await call('GET', '/api/v1/rollouts/orders-v2/runs');
    expect(json.runs).toMatchObject([
      { run: 3, outcome: 'running', endedAtMs: null, reason: null, message: 'third try' },
      {
        run: 2,
        outcome: 'undone',
        startedBy: { name: 'ben' },
        endedBy: { name: 'ana' },
        reason: 'complaints',
      },
      { run: 1, outcome: 'aborted', startedAtMs: NOON, endedAtMs: NOON + 5000, reason: '5xx over 2x' },
    ]);
  });
});

describe('actions', () => {
  it('pass every field of the body on, with the actor that the loopback caller named', async () => {
    await request(`${api.url}/api/v1/rollouts/orders-v2/start`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-sluice-actor': 'ana' },
      body: JSON.stringify({ source: { file: 'a.yaml', text: 'rollout: orders-v2' }, message: 'why' }),
    });
    expect(control.requests[0]).toEqual({
      rollout: 'orders-v2',
      action: {
        kind: 'start',
        source: { file: 'a.yaml', text: 'rollout: orders-v2' },
        message: 'why',
        dryRun: false,
      },
      actor: { kind: 'user', name: 'ana' },
      expectStep: null,
      expectRun: null,
    });
    await call('POST', '/api/v1/rollouts/orders-v2/pause', { reason: 'lunch', expectStep: 0, expectRun: 1 });
    expect(control.requests[1]?.expectRun).toBe(1);
    await call('POST', '/api/v1/rollouts/orders-v2/resume');
    await call('POST', '/api/v1/rollouts/orders-v2/promote', { full: true, expectStep: 0, reason: 'sure' });
    await call('POST', '/api/v1/rollouts/orders-v2/undo', { reason: 'no' });
    await call('POST', '/api/v1/rollouts/orders-v2/retry', { message: 'again' });
    const last = await call('POST', '/api/v1/rollouts/orders-v2/abort', {});
    expect(last).toMatchObject({ status: 200, json: { phase: 'aborted', weight: { setBp: 0 } } });
    expect(control.requests.slice(1).map(({ action, expectStep }) => ({ ...action, expectStep }))).toEqual([
      { kind: 'pause', reason: 'lunch', expectStep: 0 },
      { kind: 'resume', expectStep: null },
      { kind: 'promote', full: true, reason: 'sure', expectStep: 0 },
      { kind: 'undo', reason: 'no', expectStep: null },
      { kind: 'retry', message: 'again', expectStep: null },
      { kind: 'abort', reason: 'requested', expectStep: null },
    ]);
    expect(control.requests.at(-1)?.actor.name).toBe('local');
  });

  it('refuse unknown keys and wrong types with the path of each', async () => {
    const wrong = await call('POST', '/api/v1/rollouts/orders-v2/promote', { expectStep: 'two', ful: true });
    expect(wrong.status).toBe(400);
    expect(wrong.json.code).toBe('BAD_REQUEST');
    expect(wrong.json.data.issues.map((issue: { path: string }) => issue.path)).toEqual(['expectStep', '']);
    expect(wrong.json.detail).toContain('"ful"');
    expect(control.requests).toEqual([]);
  });

  it('take a plan of 1 MiB and refuse a larger one', async () => {
    const send = (bytes: number) =>
      call('POST', '/api/v1/rollouts/orders-v2/start', {
        dryRun: true,
        source: { file: 'a.yaml', text: '\n'.repeat(bytes) },
      });
    expect((await send(1024 * 1024)).status).toBe(200);
    expect((await send(1024 * 1024 + 1)).status).toBe(400);
  });
});

describe('errors', () => {
  it('are problem details with the code, the particulars and the request id', async () => {
    const moved = await call('POST', '/api/v1/rollouts/orders-v2/promote', { expectStep: 3 });
    expect(moved.headers['content-type']).toBe('application/problem+json; charset=utf-8');
    expect(moved.json).toEqual({
      type: 'urn:sluice:problem:step-moved',
      title: 'The rollout has moved on since you looked',
      status: 409,
      detail: 'it is at step 1, not 4',
      code: 'STEP_MOVED',
      data: { expectedStep: 3, actualStep: 0 },
      request_id: moved.headers['x-request-id'],
    });
  });

  it('carry diagnostics and sources of an invalid plan', async () => {
    const data = { diagnostics: [{ file: 'a.yaml', line: 3 }], sources: { 'a.yaml': 'x' } };
    control.failNext = new SluiceError('CONFIG_INVALID', { data });
    const { status, json } = await call('POST', '/api/v1/rollouts/orders-v2/start', {});
    expect(status).toBe(422);
    expect(json.data).toEqual(data);
  });

  it('say nothing of an unexpected failure but its request id', async () => {
    control.failNext = new Error('password is hunter2');
    const { status, json } = await call('GET', '/api/v1/rollouts');
    expect(status).toBe(500);
    expect(json.code).toBe('INTERNAL');
    expect(JSON.stringify(json)).not.toContain('hunter2');
  });

  it('answer unknown addresses, names that cannot be, bodies that are not JSON and other media types', async () => {
    expect((await call('GET', '/api/v2/rollouts')).json.code).toBe('NOT_FOUND');
    expect((await call('GET', '/api/v1/rollouts/No%20Such')).json.code).toBe('ROLLOUT_UNKNOWN');
    expect((await call('GET', '/api/v1/rollouts/nope')).json.code).toBe('ROLLOUT_UNKNOWN');
    const post = (type: string, body: string) =>
      request(`${api.url}/api/v1/rollouts/orders-v2/pause`, {
        method: 'POST',
        headers: { 'content-type': type },
        body,
      });
    const broken = await post('application/json', '{"reason":');
    expect([broken.statusCode, broken.headers['content-type']]).toEqual([
      400,
      'application/problem+json; charset=utf-8',
    ]);
    await broken.body.dump();
    const form = await post('application/x-www-form-urlencoded', 'reason=x');
    expect(form.statusCode).toBe(415);
    await form.body.dump();
    const huge = await post('application/json', JSON.stringify({ reason: 'x'.repeat(100_000) }));
    expect(huge.statusCode).toBe(413);
    await huge.body.dump();
  });
});

describe('a service that another operator holds', () => {
  const tokens = [{ name: 'ci', role: 'operator', token: 'ci-token-123456' }] as const;

  it('is reached through whichever operator was asked, as the same person', async () => {
    const elsewhere = new ScriptedControl();
    const holder = await start(elsewhere, tokens);
    try {
      const asked = await start(control, tokens);
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
    const holder = await start(elsewhere);
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
    const holder = await start(elsewhere);
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
    const asked = await start(control, tokens);
    const holder = await start(new ScriptedControl(), tokens);
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
    const second = await start(other);
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

it('close() twice ends open streams and frees the port', async () => {
  const stream = await request(`${api.url}/api/v1/events`);
  await Promise.all([api.close(), api.close()]);
  expect(await stream.body.text()).toContain('event: snapshot');
  await expect(request(`${api.url}/api/v1/healthz`)).rejects.toThrow();
});
