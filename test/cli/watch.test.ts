import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { stripVTControlCharacters } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ControlApi } from '../../src/api/control-api.ts';
import { LiveScreen } from '../../src/cli/live-screen.ts';
import { renderView } from '../../src/cli/render/view.ts';
import { type CliRun, type CliRunOptions, fakeKeyboard, startCli } from '../support/cli-harness.ts';
import { eventually } from '../support/eventually.ts';
import { startScriptedApi } from '../support/scripted-api.ts';
import { ScriptedControl } from '../support/scripted-control.ts';
import { holdingView, readyView } from '../support/view-fixture.ts';

let control: ScriptedControl;
let api: ControlApi;

const startApi = (port = 0) => startScriptedApi(control, { address: { host: '127.0.0.1', port } });

beforeEach(async () => {
  control = new ScriptedControl([holdingView()]);
  api = await startApi();
});

afterEach(() => api.close());

async function watch(options: CliRunOptions = {}, argv: readonly string[] = []): Promise<CliRun> {
  const run = startCli(['watch', 'orders-v2', ...argv], { ...options, env: { SLUICE_SERVER: api.url } });
  // Until the first view has arrived: what happens before it is part of it.
  await eventually(() => run.stderr !== '' || run.stdout !== '' || run.code !== null);
  return run;
}

const ENTER = '\u001b[?1049h';
const LEAVE = '\u001b[?1049l';

describe('watch without a terminal', () => {
  it('prints one line for each transition and ends with the run', async () => {
    const run = await watch();
    control.move('orders-v2', 'advanced', { step: 3, weight: { ...holdingView().weight, setBp: 5000 } });
    control.move('orders-v2', 'promoted', { step: 4, phase: 'promoted' });
    await run.ended;
    expect(run.code).toBe(0);
    expect(run.stderr).toBe(
      'orders-v2 HOLDING: p95 > +50% is breached for 4m of 10m. Aborts in 6m if it stays so.\n',
    );
    expect(run.stdout.split('\n')).toEqual([
      '2026-11-24T12:00:00Z  orders-v2  advanced      step 4 · 10% → 50% · advanced as the plan says',
      '2026-11-24T12:00:00Z  orders-v2  promoted      step 5 · 50% · promoted as the plan says',
      '',
    ]);
  });

  it('ends with 3 after an abort, and with --json prints objects', async () => {
    const run = await watch({}, ['--json']);
    control.move('orders-v2', 'aborted', { phase: 'aborted' });
    await run.ended;
    expect(run.code).toBe(3);
    expect(JSON.parse(run.stdout)).toMatchObject({ type: 'aborted', rollout: 'orders-v2' });
  });

  it('ends at once when the run is over already, and waits when there was none yet', async () => {
    control.put({ ...holdingView(), phase: 'aborted' });
    expect((await (await watch()).ended).code).toBe(3);
    control.put(readyView());
    const run = await watch();
    control.move('orders-v2', 'started', { phase: 'holding', run: 1 });
    control.move('orders-v2', 'promoted', { phase: 'promoted' });
    expect((await run.ended).code).toBe(0);
  });

  it('takes the only rollout there is when no name is given, even before it was started', async () => {
    control.put(readyView());
    const run = startCli(['watch'], { env: { SLUICE_SERVER: api.url } });
    await eventually(() => run.stderr.includes('READY'));
    expect(run.stderr).toMatch(/^\(orders-v2, the only rollout there is\)\norders-v2 READY: /);
    run.interrupt();
    await run.ended;
  });

  it('survives a restart of the server and prints what it has missed, once', async () => {
    const run = await watch();
    control.move('orders-v2', 'advanced', { step: 3 });
    await eventually(() => run.stdout.includes('step 4'));
    const port = Number(new URL(api.url).port);
    await api.close();
    control.move('orders-v2', 'paused', { phase: 'paused' });
    control.move('orders-v2', 'resumed', { phase: 'holding' });
    api = await startApi(port);
    await eventually(() => run.stdout.includes('resumed'));
    control.move('orders-v2', 'promoted', { phase: 'promoted' });
    await run.ended;
    expect(run.code).toBe(0);
    expect(run.stderr).toContain('reconnecting (');
    const types = run.stdout.split('\n').map((line) => line.split(/ {2,}/)[2]);
    expect(types).toEqual(['advanced', 'paused', 'resumed', 'promoted', undefined]);
  });

  it('fails when the first connection does, and is interrupted with 130', async () => {
    const run = await watch();
    run.interrupt();
    await run.ended;
    expect([run.code, run.stderr]).toEqual([
      130,
      expect.stringMatching(/Interrupted; the rollout goes on\.\n$/),
    ]);
    await api.close();
    const dead = await startCli(['watch', 'orders-v2'], { env: { SLUICE_SERVER: api.url } }).ended;
    expect([dead.code, dead.stderr]).toEqual([1, expect.stringContaining('cannot be reached')]);
  });
});

describe('watch on a terminal', () => {
  const tty = { isTTY: true, columns: 80, rows: 40 };

  it('draws on the alternate screen and leaves the last frame behind', async () => {
    const run = await watch({ ...tty, keyboard: fakeKeyboard() });
    await eventually(() => run.stdout.includes('q quit (rollout goes on)'));
    expect(run.stdout.startsWith(ENTER)).toBe(true);
    expect(stripVTControlCharacters(run.stdout)).toContain('p promote  a abort  space pause');
    control.move('orders-v2', 'promoted', { phase: 'promoted', step: 4, word: 'PROMOTED' });
    await run.ended;
    expect(run.code).toBe(0);
    const last = renderView(await control.view('orders-v2'), {
      columns: 80,
      color: false,
      unicode: true,
      timeZone: 'UTC',
    });
    expect(run.stdout.slice(run.stdout.indexOf(LEAVE) + LEAVE.length)).toBe(`${last.join('\n')}\n`);
  });

  it('keys act on the step that is shown', async () => {
    const keyboard = fakeKeyboard();
    let nowMs = 0;
    const run = await watch({ ...tty, keyboard, now: () => (nowMs += 1000) });
    await eventually(() => run.stdout.includes('step 3 of 5'));
    keyboard.press(' ');
    await eventually(() => run.stdout.includes('PAUSED') && run.stdout.includes('space resume'));
    keyboard.press(' ');
    await eventually(() => control.requests.length === 2 && run.stdout.includes('Resumed orders-v2'));
    keyboard.press('p');
    await eventually(() => run.stdout.includes('step 4 of 5'));
    keyboard.press('x');
    keyboard.press('a');
    await run.ended;
    expect(run.code).toBe(3);
    const { run: shown } = holdingView();
    expect(
      control.requests.map(({ action, expectStep, expectRun }) => [action.kind, expectStep, expectRun]),
    ).toEqual([
      ['pause', 2, shown],
      ['resume', 2, shown],
      ['promote', 2, shown],
      ['abort', null, shown],
    ]);
  });

  it('q leaves the rollout running with 0, Ctrl-C with 130', async () => {
    for (const [key, code] of [
      ['q', 0],
      ['\u0003', 130],
    ] as const) {
      const keyboard = fakeKeyboard();
      const run = await watch({ ...tty, keyboard });
      await eventually(() => run.stdout.includes('HOLDING'));
      keyboard.press(key);
      await run.ended;
      expect(run.code).toBe(code);
      expect(run.stdout).toContain(LEAVE);
    }
    expect(control.requests).toEqual([]);
  });

  it('a refused key is said, and the view goes on', async () => {
    const keyboard = fakeKeyboard();
    let nowMs = 0;
    const run = await watch({ ...tty, columns: 120, keyboard, now: () => (nowMs += 1000) });
    await eventually(() => run.stdout.includes('HOLDING'));
    control.put({ ...holdingView(), step: 3 });
    keyboard.press('p');
    await eventually(() => run.stdout.includes('The rollout has moved on since you looked'));
    keyboard.press('q');
    await run.ended;
  });

  it('says how old the data is while the stream is lost', async () => {
    let nowMs = 0;
    const keyboard = fakeKeyboard();
    const run = await watch({ ...tty, keyboard, now: () => nowMs });
    await eventually(() => run.stdout.includes('HOLDING'));
    nowMs = 12_000;
    await api.close();
    await eventually(() => run.stdout.includes('reconnecting, data 12s old'));
    keyboard.press('q');
    await run.ended;
    expect(run.code).toBe(0);
  });
});

describe('watch after the garbage collector has run', () => {
  // fetch holds its controller weakly: a stream that only its signal could end would then never end.
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  async function collectGarbage(): Promise<void> {
    for (let round = 0; round < 3; round += 1) {
      if (typeof collect === 'function') collect();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  it('still ends by a key, by Ctrl-C and with the run, and lets the connection go', async () => {
    expect(typeof collect).toBe('function');
    const endings: readonly [number, (run: CliRun, press: (key: string) => void) => unknown][] = [
      [0, (_run, press) => press('q')],
      [130, (run) => run.interrupt()],
      [3, () => control.move('orders-v2', 'aborted', { phase: 'aborted' })],
    ];
    for (const [code, end] of endings) {
      const keyboard = fakeKeyboard();
      const run = await watch({ isTTY: true, keyboard });
      await collectGarbage();
      end(run, keyboard.press);
      await run.ended;
      expect(run.code).toBe(code);
      await eventually(() => control.listeners === 0);
    }
  });
});

describe('LiveScreen', () => {
  function screenOf(size = { columns: 80, rows: 10 }) {
    const writes: string[] = [];
    let nowMs = 0;
    const screen = new LiveScreen({
      output: { write: (text) => writes.push(text) },
      columns: () => size.columns,
      rows: () => size.rows,
      now: () => nowMs,
    });
    writes.length = 0;
    return { screen, writes, at: (ms: number) => (nowMs = ms) };
  }

  it('writes only the lines that have changed', () => {
    const { screen, writes, at } = screenOf();
    screen.show(['one', 'two', 'three']);
    at(1000);
    screen.show(['one', 'TWO', 'three']);
    at(2000);
    screen.show(['one']);
    at(3000);
    screen.show(['one']);
    expect(writes.slice(1)).toEqual(['\u001b[2;1HTWO\u001b[K', '\u001b[2;1H\u001b[J']);
    screen.close([]);
  });

  it('draws at most five times a second and never loses the newest frame', async () => {
    const { screen, writes } = screenOf();
    for (let frame = 0; frame < 100; frame += 1) screen.show([`frame ${frame}`]);
    await eventually(() => writes.length === 2);
    expect(writes[1]).toContain('frame 99');
    screen.close([]);
  });

  it('draws everything again after a resize, and never more rows than there are', () => {
    const size = { columns: 80, rows: 2 };
    const { screen, writes, at } = screenOf(size);
    screen.show(['one', 'two', 'three']);
    expect(writes[0]).not.toContain('three');
    size.columns = 60;
    at(1000);
    screen.show(['one', 'two', 'three']);
    expect(writes[1]).toMatch(/one.*two/s);
    screen.close([]);
    screen.close(['twice']);
    screen.show(['late']);
    expect(writes).toHaveLength(3);
  });
});

it('a server that ends the stream with a refusal for good ends the watch', async () => {
  const server = createServer((request, response) => {
    if (server.listenerCount('second') > 0) {
      response.writeHead(401, { 'content-type': 'application/problem+json' });
      response.end(JSON.stringify({ code: 'UNAUTHENTICATED', data: {} }));
      return;
    }
    server.on('second', () => undefined);
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.end(`event: snapshot\ndata: ${JSON.stringify({ rollouts: [holdingView()] })}\n\n`);
    request.resume();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  try {
    const run = await startCli(['watch', 'orders-v2'], { env: { SLUICE_SERVER: `http://127.0.0.1:${port}` } })
      .ended;
    expect(run.code).toBe(4);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});
