import { request } from 'undici';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ControlApi } from '../../src/api/control-api.ts';
import { SluiceError } from '../../src/core/domain/errors.ts';
import { startScriptedApi, twoRollouts } from '../support/scripted-api.ts';
import type { ScriptedControl } from '../support/scripted-control.ts';
import { event, NOON, readyView } from '../support/view-fixture.ts';

let control: ScriptedControl;
let api: ControlApi;

async function call(method: 'GET' | 'POST', path: string, body?: unknown, base = api.url) {
  const answer = await request(`${base}${path}`, {
    method,
    headers: body === undefined ? {} : { 'content-type': 'application/json' },
    body: body === undefined ? null : JSON.stringify(body),
  });
  return { status: answer.statusCode, headers: answer.headers, json: JSON.parse(await answer.body.text()) };
}

beforeEach(async () => {
  control = twoRollouts();
  api = await startScriptedApi(control);
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

it('close() twice ends open streams and frees the port', async () => {
  const stream = await request(`${api.url}/api/v1/events`);
  await Promise.all([api.close(), api.close()]);
  expect(await stream.body.text()).toContain('event: snapshot');
  await expect(request(`${api.url}/api/v1/healthz`)).rejects.toThrow();
});
