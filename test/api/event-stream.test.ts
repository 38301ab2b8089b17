import { connect, type Socket } from 'node:net';
import { request } from 'undici';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ControlApi } from '../../src/api/control-api.ts';
import { StreamCursor } from '../../src/api/stream-cursor.ts';
import { eventually } from '../support/eventually.ts';
import { startScriptedApi, twoRollouts } from '../support/scripted-api.ts';
import { ScriptedControl } from '../support/scripted-control.ts';
import { readyView } from '../support/view-fixture.ts';

let control: ScriptedControl;
let api: ControlApi;

beforeEach(async () => {
  control = twoRollouts();
  api = await startScriptedApi(control, {
    streamLimits: { pingMs: 20, streams: 3, bufferBytes: 256 * 1024 },
  });
});

afterEach(() => api.close());

interface Message {
  readonly id: string | null;
  readonly event: string | null;
  readonly data: unknown;
  readonly text: string;
}

/** Opens a stream; `next` waits for the next message that is not a ping. */
async function open(query = '', lastEventId?: string) {
  const ended = new AbortController();
  const answer = await request(`${api.url}/api/v1/events${query}`, {
    headers: lastEventId === undefined ? {} : { 'last-event-id': lastEventId },
    signal: ended.signal,
  });
  let buffered = '';
  const chunks = answer.body[Symbol.asyncIterator]();
  const raw = async (): Promise<string> => {
    for (;;) {
      const end = buffered.indexOf('\n\n');
      if (end >= 0) {
        const text = buffered.slice(0, end);
        buffered = buffered.slice(end + 2);
        return text;
      }
      const chunk = await chunks.next();
      if (chunk.done) throw new Error('the stream has ended');
      buffered += String(chunk.value);
    }
  };
  const next = async (): Promise<Message> => {
    for (;;) {
      const text = await raw();
      if (text.startsWith(':')) continue;
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(text)?.[1] ?? null;
      return { id: field('id'), event: field('event'), data: JSON.parse(field('data') ?? 'null'), text };
    }
  };
  return { answer, raw, next, close: () => ended.abort() };
}

describe('a new stream', () => {
  it('starts with the reconnect delay and a snapshot, then sends transitions with ids and views without', async () => {
    const stream = await open();
    expect(stream.answer.headers['content-type']).toBe('text/event-stream; charset=utf-8');
    const first = await stream.next();
    expect(first.text).toMatch(/^retry: 2000$/m);
    expect(first).toMatchObject({ event: 'snapshot', id: 'search-v3:0,orders-v2:0' });
    expect(first.data).toMatchObject({ rollouts: [{ rollout: 'orders-v2' }, { rollout: 'search-v3' }] });
    control.move('orders-v2', 'started', { phase: 'holding', run: 1 });
    expect(await stream.next()).toMatchObject({
      event: 'transition',
      id: 'orders-v2:1,search-v3:0',
      data: { type: 'started', sequence: 1 },
    });
    expect(await stream.next()).toMatchObject({ event: 'view', id: null, data: { phase: 'holding' } });
    stream.close();
  });

  it('carries only the rollouts asked for', async () => {
    const stream = await open('?rollouts=search-v3');
    expect((await stream.next()).data).toMatchObject({ rollouts: [{ rollout: 'search-v3' }] });
    control.move('orders-v2', 'started', { phase: 'holding', run: 1 });
    control.move('search-v3', 'started', { phase: 'holding', run: 1 });
    expect(await stream.next()).toMatchObject({ id: 'search-v3:1' });
    stream.close();
  });

  it('sends comment pings while nothing happens', async () => {
    const stream = await open();
    await stream.raw();
    expect(await stream.raw()).toBe(': ping');
    stream.close();
  });

  it('brings rollouts that another operator runs up to date with each ping', async () => {
    const stream = await open();
    await stream.next();
    const elsewhere = new ScriptedControl();
    elsewhere.move('orders-v2', 'started', { phase: 'holding', run: 1 });
    control.put(await elsewhere.view('orders-v2'));
    expect(await stream.next()).toMatchObject({ event: 'transition', data: { type: 'started' } });
    expect(await stream.next()).toMatchObject({ event: 'view', data: { phase: 'holding' } });
    const declared = new ScriptedControl([readyView('mail-v9')]);
    declared.move('mail-v9', 'started', { phase: 'holding', run: 1 });
    control.put(await declared.view('mail-v9'));
    expect(await stream.next()).toMatchObject({ event: 'transition', data: { rollout: 'mail-v9' } });
    stream.close();
  });

  it('stops listening when the reader goes away', async () => {
    const stream = await open();
    await stream.next();
    expect(control.listeners).toBe(1);
    stream.close();
    await eventually(() => control.listeners === 0);
  });
});

describe('after a reconnect', () => {
  it('replays exactly the missed transitions, in order, and goes on without a double', async () => {
    control.move('orders-v2', 'started', { phase: 'holding', run: 1 });
    const before = await open();
    const { id } = await before.next();
    before.close();
    control.move('orders-v2', 'advanced', { step: 1 });
    control.move('search-v3', 'started', { phase: 'holding', run: 1 });
    control.move('orders-v2', 'advanced', { step: 2 });

    const after = await open('', id ?? '');
    expect(await after.next()).toMatchObject({ event: 'snapshot', id });
    const replayed = [await after.next(), await after.next(), await after.next()];
    expect(
      replayed.map((m) => [m.event, (m.data as { rollout: string; sequence: number }).sequence]),
    ).toEqual([
      ['transition', 1],
      ['transition', 2],
      ['transition', 3],
    ]);
    expect(replayed.at(-1)?.id).toBe('orders-v2:3,search-v3:1');
    control.move('orders-v2', 'paused', { phase: 'paused' });
    expect(await after.next()).toMatchObject({ event: 'transition', data: { sequence: 4, type: 'paused' } });
    after.close();
  });

  it('an id that breaks off in the middle of a replay resumes from there', async () => {
    for (let step = 0; step < 4; step++) control.move('orders-v2', 'advanced', { step });
    const first = await open('?rollouts=orders-v2', 'orders-v2:1');
    await first.next();
    const partial = await first.next();
    expect(partial.id).toBe('orders-v2:2');
    first.close();
    const second = await open('?rollouts=orders-v2', partial.id ?? '');
    await second.next();
    expect((await second.next()).data).toMatchObject({ sequence: 3 });
    second.close();
  });

  it('an id that is none is treated as absent', async () => {
    control.move('orders-v2', 'started', { phase: 'holding', run: 1 });
    const stream = await open('', 'what?');
    expect(await stream.next()).toMatchObject({ event: 'snapshot', id: 'search-v3:0,orders-v2:1' });
    stream.close();
  });
});

describe('limits', () => {
  it('an unknown rollout is a problem, not an empty stream', async () => {
    const answer = await request(`${api.url}/api/v1/events?rollouts=nope`);
    expect([answer.statusCode, answer.headers['content-type']]).toEqual([
      404,
      'application/problem+json; charset=utf-8',
    ]);
    await answer.body.dump();
  });

  it('streams beyond the limit are refused until one ends', async () => {
    const streams = [await open(), await open(), await open()];
    const fourth = await request(`${api.url}/api/v1/events`);
    expect(fourth.statusCode).toBe(503);
    await fourth.body.dump();
    streams[0]?.close();
    await eventually(async () => {
      const again = await open();
      again.close();
      return again.answer.statusCode === 200;
    });
    for (const stream of streams) stream.close();
  });

  it('a reader that falls behind gets every transition and, once it has caught up, the newest view', async () => {
    await api.close();
    // Pings would make up for a view that was left out.
    api = await startScriptedApi(control);
    const stream = await open('?rollouts=orders-v2');
    await stream.next();
    const message = 'x'.repeat(20_000);
    for (let n = 0; n < 30; n += 1) control.move('orders-v2', 'advanced', { message: `${n} ${message}` });
    const sequences: number[] = [];
    let newest = '';
    while (!newest.startsWith('29 ')) {
      const { event, data } = await stream.next();
      if (event === 'transition') sequences.push((data as { sequence: number }).sequence);
      if (event === 'view') newest = (data as { message: string }).message;
    }
    expect(sequences).toEqual(Array.from({ length: 30 }, (_, n) => n + 1));
    stream.close();
  });

  it('a reader that does not read is disconnected once its buffer is full', async () => {
    const socket: Socket = connect(Number(new URL(api.url).port), '127.0.0.1');
    socket.pause();
    socket.write('GET /api/v1/events HTTP/1.1\r\nhost: localhost\r\n\r\n');
    await eventually(() => control.listeners === 1);
    await eventually(() => {
      for (let n = 0; n < 200; n++) control.move('orders-v2', 'advanced', { message: 'x'.repeat(1000) });
      return control.listeners === 0;
    });
    socket.destroy();
  });
});

describe('StreamCursor', () => {
  it('reads back what it writes', () => {
    const cursor = StreamCursor.at([readyView(), readyView('search-v3')]);
    cursor.advance({ rollout: 'orders-v2', sequence: 41 });
    expect(StreamCursor.parse(cursor.toString())?.toString()).toBe('orders-v2:41,search-v3:0');
  });

  it('keeps those that changed last when there are too many', () => {
    const names = Array.from({ length: 1000 }, (_, n) => `rollout-${n}`);
    const cursor = StreamCursor.at(names.map((rollout) => readyView(rollout)));
    cursor.advance({ rollout: 'rollout-0', sequence: 5 });
    const text = cursor.toString();
    expect(text.length).toBeLessThanOrEqual(4096);
    expect(text.startsWith('rollout-0:5,rollout-999:0,')).toBe(true);
    expect(StreamCursor.parse(text)?.sequenceOf('rollout-0')).toBe(5);
  });
});
