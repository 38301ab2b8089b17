import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { RolloutView } from '../../src/core/view/rollout-view.ts';
import { cliWithApi } from '../support/cli-with-api.ts';
import { eventually } from '../support/eventually.ts';
import { holdingView } from '../support/view-fixture.ts';

const { begin, cli, control, started } = cliWithApi();

/** As docs/cli.md lists them. */
function historyFields(): readonly string[] {
  const text = readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8');
  const table = text.split('A run of `history`:')[1]?.split('## Exit codes')[0] ?? '';
  const firstCells = table.matchAll(/^\| (`[^|]*) \|/gm);
  return [...firstCells].flatMap(([, cell]) => (cell ?? '').match(/\w+/g) ?? []).sort();
}

describe('status', () => {
  it('prints the picture, or the view with --json', async () => {
    control().put(holdingView());
    const run = await cli(['status', 'orders-v2'], { columns: 80 });
    expect([run.code, run.stderr]).toEqual([0, '']);
    await expect(run.stdout).toMatchFileSnapshot('goldens/holding-80.txt');
    const json = await cli(['--json', 'status', 'orders-v2']);
    expect(JSON.parse(json.stdout)).toEqual(JSON.parse(JSON.stringify(holdingView())));
  });

  it('--wait takes the name after it for the name, not for the goal', async () => {
    started();
    control().move('orders-v2', 'promoted', { phase: 'promoted', step: 4 });
    expect((await cli(['status', '--wait', 'orders-v2'])).code).toBe(0);
    expect((await cli(['status', '--wait', 'paused', 'orders-v2'])).code).toBe(0);
    expect((await cli(['status', '--wait=nonsense', 'orders-v2'])).code).toBe(2);
  });

  const endings: readonly [string, readonly string[], Partial<RolloutView>, number][] = [
    ['done ends with 3 after an abort', ['--wait'], { phase: 'aborted' }, 3],
    ['done ends with 3 after an undo', ['--wait=done'], { phase: 'undone' }, 3],
    ['done ends with 9 at a manual gate', ['--wait'], { phase: 'awaiting-gate', step: 2 }, 9],
    [
      'done goes on at a webhook gate',
      ['--wait', '--timeout', '50ms'],
      { phase: 'awaiting-gate', step: 1 },
      8,
    ],
    ['done goes on while paused', ['--wait', '--timeout', '50ms'], { phase: 'paused' }, 8],
    ['paused ends with 0 once it is paused', ['--wait=paused'], { phase: 'paused' }, 0],
    ['step ends with 0 at the next step', ['--wait=step'], { phase: 'holding', step: 1 }, 0],
  ];
  for (const [title, argv, change, code] of endings) {
    it(`--wait ${title}`, async () => {
      started();
      const run = begin(['status', 'orders-v2', ...argv]);
      await eventually(() => control().listeners > 0);
      control().move('orders-v2', 'advanced', change);
      await run.ended;
      expect(run.code).toBe(code);
    });
  }

  it('--wait says once that nothing but a person ends a pause', async () => {
    started();
    let nowMs = 0;
    const run = begin(['status', 'orders-v2', '--wait'], { now: () => nowMs });
    await eventually(() => control().listeners > 0);
    control().move('orders-v2', 'paused', { phase: 'paused' });
    await eventually(() => run.stderr.includes('paused'));
    expect(run.stderr).not.toContain('Still paused');
    // Views come all the time; the reminder comes with one of them, and only once.
    await eventually(() => {
      nowMs += 30_000;
      control().emit('orders-v2');
      return run.stderr.includes('Still paused: `rollout resume orders-v2` goes on');
    });
    control().emit('orders-v2');
    control().move('orders-v2', 'promoted', { phase: 'promoted', step: 4 });
    await run.ended;
    expect(run.stderr.split('Still paused')).toHaveLength(2);
  });

  it('--wait on a rollout that was never started fails at once; --timeout needs --wait', async () => {
    expect(await cli(['status', 'orders-v2', '--wait'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('rollout start orders-v2'),
    });
    expect((await cli(['status', 'orders-v2', '--timeout', '1m'])).code).toBe(2);
    expect((await cli(['status', 'orders-v2', '--wait', '--timeout', 'soon'])).code).toBe(2);
    expect((await cli(['status', 'orders-v2', '--wait', '--timeout', '30d'])).code).toBe(2);
  });
});

describe('list, history, events', () => {
  it('list all rollouts as rows, JSON, or names for completion', async () => {
    const rows = await cli(['list']);
    expect([rows.code, rows.stdout.split('\n')[1]]).toEqual([
      0,
      expect.stringMatching(/^orders-v2 {2}○ READY +0% {2}1 ○───5 ○/),
    ]);
    expect(JSON.parse((await cli(['list', '--json'])).stdout)).toHaveLength(2);
    expect((await cli(['list', '--names'])).stdout).toBe('orders-v2\nsearch-v3\n');
    for (const name of ['orders-v2', 'search-v3']) expect(rows.stdout).toContain(name);
  });

  it('history has one row for each run', async () => {
    started();
    control().move('orders-v2', 'aborted', { phase: 'aborted' }, 'ben');
    const run = await cli(['history', 'orders-v2']);
    expect(run.stdout).toMatch(/^RUN {2}STARTED .*\n {2}1 {2}2026-11-24 12:00:00 .*✗ aborted.* ben/);
    const [row] = JSON.parse((await cli(['history', 'orders-v2', '--json'])).stdout);
    expect(row).toMatchObject({ run: 1, outcome: 'aborted' });
    expect(Object.keys(row).sort()).toEqual(historyFields());
    expect(await cli(['history', 'search-v3'])).toMatchObject({
      code: 0,
      stdout: '',
      stderr: 'search-v3 has never been started.\nNext: rollout start search-v3\n',
    });
  });

  it('events shows the newest, oldest first, and as JSON one object a line', async () => {
    for (let step = 0; step < 4; step += 1) control().move('orders-v2', 'advanced', { step });
    const run = await cli(['events', 'orders-v2', '-n', '2']);
    expect(run.stdout.trim().split('\n')).toEqual([
      expect.stringMatching(/^2026-11-24T12:00:00Z {2}orders-v2 {2}advanced {6}step 3 · /),
      expect.stringMatching(/ step 4 · /),
    ]);
    const json = await cli(['events', 'orders-v2', '--json']);
    expect(
      json.stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).sequence),
    ).toEqual([1, 2, 3, 4]);
    expect((await cli(['events', 'orders-v2', '-n', 'all'])).code).toBe(2);
  });

  it('events -f goes on until it is interrupted', async () => {
    started();
    const run = begin(['events', '-f', 'orders-v2', '--json']);
    await eventually(() => control().listeners > 0);
    control().move('orders-v2', 'paused', { phase: 'paused' }, 'ben');
    await eventually(() => run.stdout.split('\n').length === 3);
    run.interrupt();
    await run.ended;
    expect(run.code).toBe(130);
    expect(
      run.stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).type),
    ).toEqual(['started', 'paused']);
    expect(run.stderr.split('\n')[0]).toMatch(/^orders-v2 HOLDING: /);
  });
});

describe('explain', () => {
  it('shows the decision with its numbers, and by --event another one', async () => {
    control().put(holdingView());
    const { checks } = holdingView();
    const told = control().move('orders-v2', 'aborted', { phase: 'aborted' });
    const last = told.events.at(-1);
    if (!last) throw new Error('the script records events');
    control().put({ ...told, events: [...told.events.slice(0, -1), { ...last, evidence: checks }] });
    const run = await cli(['explain', 'orders-v2']);
    expect([run.code, run.stderr]).toEqual([0, '']);
    expect(run.stdout).toContain('orders-v2 run 2: aborted at step 3');
    expect(run.stdout).toMatch(/✗ p95 > \+50%: fail, over 5m\n {4}canary {5}v2 {2}287ms of 2,410 requests\n/);
    expect(run.stdout).toMatch(
      /evidence {3}2700 that it is worse, 100 aborts; 0\.1 that it keeps the limit, 100 proves it/,
    );
    expect(run.stdout).toMatch(/canary {5}v2 {2}0\.25%, 6 of 2,410 \(95%: 0\.\d+% to 0\.\d+%\)/);
    expect(JSON.parse((await cli(['explain', 'orders-v2', '--json'])).stdout).checks).toHaveLength(
      checks.length,
    );
    const number = String(holdingView().events[0]?.sequence);
    const first = await cli(['explain', 'orders-v2', '--event', number]);
    expect(first.stdout).toContain('It rests on no check');
    expect((await cli(['explain', 'orders-v2', '--event', '99'])).code).toBe(1);
    expect((await cli(['explain', 'orders-v2', '--event', 'x'])).code).toBe(2);
  });

  it('has nothing to explain before anything was decided', async () => {
    expect(await cli(['explain', 'orders-v2'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('orders-v2 has decided nothing yet'),
    });
  });
});
