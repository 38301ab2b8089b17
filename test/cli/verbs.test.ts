import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ControlApi, startControlApi } from '../../src/api/control-api.ts';
import { SluiceError } from '../../src/core/domain/errors.ts';
import type { RolloutView } from '../../src/core/view/rollout-view.ts';
import { type CliRunOptions, fakeKeyboard, runCli, startCli } from '../support/cli-harness.ts';
import { eventually } from '../support/eventually.ts';
import { ScriptedControl } from '../support/scripted-control.ts';
import { silentLogger } from '../support/silent-logger.ts';
import { holdingView, readyView } from '../support/view-fixture.ts';

let control: ScriptedControl;
let api: ControlApi;

beforeEach(async () => {
  control = new ScriptedControl([readyView(), readyView('search-v3')]);
  api = await startControlApi({
    control,
    address: { host: '127.0.0.1', port: 0 },
    tokens: [
      { name: 'dash', role: 'viewer', token: 'viewer-token-0001' },
      { name: 'ci', role: 'operator', token: 'operator-token-0002' },
    ],
    loopbackWithoutToken: true,
    logger: silentLogger,
  });
});

afterEach(() => api.close());

const withServer = (options: CliRunOptions = {}): CliRunOptions => ({
  ...options,
  env: { SLUICE_SERVER: api.url, ...options.env },
});
const cli = (argv: readonly string[], options: CliRunOptions = {}) => runCli(argv, withServer(options));
const begin = (argv: readonly string[], options: CliRunOptions = {}) => startCli(argv, withServer(options));

const started = () => control.move('orders-v2', 'started', { phase: 'holding', run: 1 });

describe('start', () => {
  it('shows the plan, starts, and says what is different and what comes next', async () => {
    const run = await cli(['start', 'orders-v2', '--message', 'new pricing']);
    expect(run.code).toBe(0);
    expect(run.stdout).toBe('');
    expect(run.stderr).toContain('STEP  CANARY  HOLD  REQUESTS  THEN\n');
    expect(run.stderr).toContain('Aborts when\n  5xx > 2x\n');
    expect(run.stderr).toContain('Takes at least 1h20m, plus the wait at 1 gate.\n');
    expect(run.stderr).toMatch(
      /Started orders-v2 \(run 1\): v2 gets 1% of orders\.\nNext: rollout watch orders-v2\n$/,
    );
    expect(control.requests.map(({ action }) => action)).toMatchObject([
      { kind: 'start', dryRun: true },
      { kind: 'start', dryRun: false, message: 'new pricing' },
    ]);
    expect(control.requests[1]?.actor).toEqual({ kind: 'user', name: 'ana' });
  });

  it('--dry-run puts the plan on stdout and changes nothing', async () => {
    const run = await cli(['start', 'orders-v2', '--dry-run']);
    expect([run.code, run.stderr]).toEqual([0, 'Nothing was changed.\nNext: rollout start orders-v2\n']);
    expect(run.stdout).toContain('orders-v2: orders v1 → v2\n');
    expect((await control.view('orders-v2')).phase).toBe('ready');
  });

  it('-f sends the file along and takes the name from it', async () => {
    const text = '# plan\nrollout: orders-v2\nservice: orders\n';
    const run = await cli(['start', '-f', 'my.yaml', '--quiet'], { files: { 'my.yaml': text } });
    expect([run.code, run.stdout, run.stderr]).toEqual([0, '', '']);
    expect(control.requests.at(-1)?.action).toMatchObject({ source: { file: 'my.yaml', text } });
  });

  it('without a name, or with a file that cannot be read or names none, it is a usage error', async () => {
    expect(await cli(['start'])).toMatchObject({
      code: 2,
      stderr:
        'error: The command line is not valid: say which rollout to start\n  rollout list shows those that are declared.\n',
    });
    expect((await cli(['start', '-f', 'x.yaml'], { files: { 'x.yaml': 'a: 1' } })).stderr).toContain(
      'x.yaml names no rollout',
    );
    const missing = await cli(['start', '-f', '/nonexistent/x.yaml']);
    expect([missing.code, missing.stderr]).toEqual([
      2,
      expect.stringContaining('cannot read /nonexistent/x.yaml'),
    ]);
  });

  it('renders the findings of a bad plan with their places, exit code 2', async () => {
    control.failNext = new SluiceError('CONFIG_INVALID', {
      data: {
        diagnostics: [
          {
            file: 'orders-v2.yaml',
            line: 2,
            column: 5,
            endLine: 2,
            endColumn: 11,
            severity: 'error',
            message: 'unknown key "wieght" in steps[0]',
            hint: 'did you mean "weight"?',
          },
        ],
        sources: { 'orders-v2.yaml': 'steps:\n  - wieght: 25%\n' },
      },
    });
    const run = await cli(['start', 'orders-v2']);
    expect(run.code).toBe(2);
    expect(run.stderr).toContain('orders-v2.yaml:2:5  error  unknown key "wieght" in steps[0]\n');
    expect(run.stderr).toContain('    2 │   - wieght: 25%\n      │     ^^^^^^ did you mean "weight"?');
    expect(run.stderr).toContain('error: The configuration is not valid\n');
  });
});

describe('start --wait', () => {
  const script = (...moves: readonly (() => unknown)[]) => {
    control.afterAct = () => {
      control.afterAct = null;
      void (async () => {
        await eventually(() => control.listeners > 0);
        for (const move of moves) move();
      })();
    };
  };
  // The dry run comes first and must not use the script up.
  const afterStart = (...moves: readonly (() => unknown)[]) => {
    control.afterAct = () => script(...moves);
  };
  const at = (phase: 'holding' | 'paused' | 'awaiting-gate' | 'promoted' | 'aborted', step: number) => ({
    phase,
    step,
    weight: {
      ...readyView().weight,
      setBp: phase === 'aborted' ? 0 : (readyView().steps[step]?.weightBp ?? 0),
    },
  });

  it('says each transition and ends with 0 when it was promoted', async () => {
    afterStart(
      () => control.move('orders-v2', 'advanced', at('holding', 1)),
      () => control.move('orders-v2', 'promoted', at('promoted', 4)),
    );
    const run = await cli(['start', 'orders-v2', '--wait']);
    expect(run.code).toBe(0);
    expect(run.stdout).toBe('orders-v2 PROMOTED: promoted by the script.\n');
    expect(run.stderr).toContain('2026-11-24T12:00:00Z  orders-v2  advanced      step 2 · 1% → 5% · ');
    expect(run.stderr).toContain('2026-11-24T12:00:00Z  orders-v2  promoted      step 5 · 5% → 100% · ');
  });

  it('ends with 3 when it was aborted, and reports to GitHub Actions', async () => {
    afterStart(() => control.move('orders-v2', 'aborted', at('aborted', 0)));
    const env = { GITHUB_ACTIONS: 'true', GITHUB_STEP_SUMMARY: '/summary.md' };
    const run = await cli(['start', 'orders-v2', '--wait', '--json'], { env });
    expect(run.code).toBe(3);
    expect(JSON.parse(run.stdout)).toMatchObject({ rollout: 'orders-v2', phase: 'aborted' });
    expect(run.appended['/summary.md']).toContain('## ❌ orders-v2: ABORTED\n');
    expect(run.appended['/summary.md']).toContain('| 12:00:00 | aborted | 1% → 0% | op-1 | ');
  });

  it('ends with 9 at a manual gate: only a person gets it further', async () => {
    afterStart(() => control.move('orders-v2', 'awaiting-gate', at('awaiting-gate', 2)));
    const run = await cli(['start', 'orders-v2', '--wait', '--quiet']);
    expect([run.code, run.stderr]).toEqual([9, '']);
    expect(run.stdout).toBe('orders-v2 WAITING: awaiting-gate by the script.\n');
  });

  it('ends with 8 when the time is over', async () => {
    const run = await cli(['start', 'orders-v2', '--wait', '--timeout', '50ms']);
    expect(run.code).toBe(8);
    expect(run.stderr).toMatch(/The rollout goes on\.\nNext: rollout status orders-v2 --wait\n$/);
  });

  it('ends with 130 when it is interrupted, and the rollout goes on', async () => {
    const run = begin(['start', 'orders-v2', '--wait']);
    await eventually(() => control.listeners > 0);
    run.interrupt();
    await run.ended;
    expect(run.code).toBe(130);
    expect(run.stderr).toMatch(/Interrupted; the rollout goes on\.\n$/);
    expect((await control.view('orders-v2')).phase).toBe('holding');
  });

  it('reports the run that it started even when somebody has started another one', async () => {
    afterStart(() => {
      control.move('orders-v2', 'promoted', at('promoted', 4));
      control.move('orders-v2', 'started', { ...at('holding', 0), run: 2 });
    });
    expect((await cli(['start', 'orders-v2', '--wait'])).code).toBe(0);
  });
});

describe('actions', () => {
  it('say what is different and what comes next', async () => {
    started();
    const said = async (...argv: readonly string[]) => {
      const run = await cli(argv);
      expect([run.code, run.stdout], argv.join(' ')).toEqual([0, '']);
      return run.stderr;
    };
    expect(await said('pause', 'orders-v2', '--reason', 'lunch')).toBe(
      'Paused orders-v2 at step 1 of 5: v2 keeps 0%, abort rules still watch.\nNext: rollout resume orders-v2\n',
    );
    expect(await said('resume', 'orders-v2')).toBe(
      'Resumed orders-v2 at step 1 of 5: v2 gets 0%.\nNext: rollout watch orders-v2\n',
    );
    expect(await said('promote', 'orders-v2')).toBe(
      'Moved orders-v2 on to step 2 of 5: v2 gets 5%.\nNext: rollout watch orders-v2\n',
    );
    expect(await said('abort', 'orders-v2', '--reason', 'complaints')).toBe(
      'Aborted orders-v2: v1 serves all traffic of orders.\nNext: rollout retry orders-v2 (once it is fixed)\n',
    );
    expect(await said('retry', 'orders-v2', '-m', 'fixed')).toBe(
      'Started orders-v2 again (run 2): v2 gets 1% of orders.\nNext: rollout watch orders-v2\n',
    );
    expect(await said('promote', 'orders-v2', '--full', '--yes')).toContain(
      'Promoted orders-v2: v2 serves all traffic of orders.\nNext: rollout undo orders-v2 (takes it back)\n',
    );
    expect(await said('undo', 'orders-v2', '--reason', 'no')).toBe(
      'Undid orders-v2: orders is back on v1.\nNext: rollout retry orders-v2 (once it is fixed)\n',
    );
    expect(control.requests.map(({ action, expectStep }) => ({ ...action, expectStep }))).toEqual([
      { kind: 'pause', reason: 'lunch', expectStep: null },
      { kind: 'resume', expectStep: null },
      { kind: 'promote', full: false, reason: null, expectStep: 0 },
      { kind: 'abort', reason: 'complaints', expectStep: null },
      { kind: 'retry', message: 'fixed', expectStep: null },
      { kind: 'promote', full: true, reason: null, expectStep: 0 },
      { kind: 'undo', reason: 'no', expectStep: null },
    ]);
  });

  it('with --json put the new view on stdout, with --quiet nothing on stderr', async () => {
    started();
    const run = await cli(['pause', 'orders-v2', '--json', '--quiet']);
    expect([run.code, run.stderr]).toEqual([0, '']);
    expect(JSON.parse(run.stdout)).toMatchObject({ rollout: 'orders-v2', phase: 'paused', word: 'PAUSED' });
  });

  it('abort never asks, and has a reason without one being given', async () => {
    started();
    const keyboard = fakeKeyboard();
    await cli(['abort', 'orders-v2'], { keyboard });
    expect(keyboard.questions).toEqual([]);
    expect(control.requests[0]?.action).toEqual({ kind: 'abort', reason: 'aborted by hand' });
  });

  it('promote --step refuses when the rollout is elsewhere', async () => {
    started();
    const run = await cli(['promote', 'orders-v2', '--step', '3']);
    expect([run.code, run.stdout]).toEqual([1, '']);
    expect(run.stderr).toBe('error: The rollout has moved on since you looked: it is at step 1, not 3\n');
    expect((await cli(['promote', 'orders-v2', '--step', '0'])).code).toBe(2);
    expect((await cli(['promote', 'orders-v2', '--step', '1'])).code).toBe(0);
  });

  it('promote --full lists what it skips and asks', async () => {
    control.put(holdingView());
    const yes = fakeKeyboard(['n', 'yes']);
    const declined = await cli(['promote', 'orders-v2', '--full'], { keyboard: yes });
    expect([declined.code, declined.stderr]).toEqual([
      1,
      'This skips\n  the rest of step 3: 10%, hold 30m, manual gate\n  step 4: 50%, hold 30m\nNothing was changed.\n',
    ]);
    expect(yes.questions).toEqual(['Send all traffic of orders to v2 now? [y/N] ']);
    expect(control.requests).toEqual([]);
    expect((await cli(['promote', 'orders-v2', '--full'], { keyboard: yes })).code).toBe(0);
  });

  it('promote --full needs --yes where nobody can be asked', async () => {
    control.put(holdingView());
    for (const run of [
      await cli(['promote', 'orders-v2', '--full']),
      await cli(['promote', 'orders-v2', '--full', '--no-input'], { keyboard: fakeKeyboard(['y']) }),
    ]) {
      expect([run.code, run.stderr]).toEqual([2, expect.stringContaining('Add --yes if you are sure.')]);
    }
    expect(control.requests).toEqual([]);
  });

  it('take the only active rollout when no name is given', async () => {
    started();
    const run = await cli(['pause']);
    expect(run.stderr).toMatch(/^\(orders-v2, the only active rollout\)\nPaused orders-v2 /);
  });

  it('ask for a name when none or several are active', async () => {
    const none = await cli(['pause']);
    expect([none.code, none.stderr]).toEqual([
      2,
      'error: The command line is not valid: no rollout is active, so say which one is meant\n  One of: orders-v2, search-v3\n',
    ]);
    started();
    control.move('search-v3', 'started', { phase: 'holding', run: 1 });
    const several = await cli(['abort']);
    expect([several.code, several.stderr]).toEqual([2, expect.stringContaining('2 rollouts are active')]);
    expect(control.requests).toEqual([]);
  });

  it('are refused with what, why and what to do', async () => {
    expect(await cli(['resume', 'orders-v2'])).toMatchObject({
      code: 1,
      stdout: '',
      stderr: 'error: The rollout is not in a phase in which this can be done: orders-v2 is ready\n',
    });
    expect(await cli(['pause', 'nope'])).toMatchObject({
      code: 1,
      stderr: 'error: There is no such rollout: "nope" is not declared\n',
    });
    const json = await cli(['resume', 'orders-v2', '--json']);
    expect(JSON.parse(json.stderr)).toMatchObject({
      error: { code: 'WRONG_PHASE', detail: 'orders-v2 is ready' },
    });
  });
});

describe('status', () => {
  it('prints the picture, or the view with --json', async () => {
    control.put(holdingView());
    const run = await cli(['status', 'orders-v2'], { columns: 80 });
    expect([run.code, run.stderr]).toEqual([0, '']);
    await expect(run.stdout).toMatchFileSnapshot('goldens/holding-80.txt');
    const json = await cli(['--json', 'status', 'orders-v2']);
    expect(JSON.parse(json.stdout)).toEqual(JSON.parse(JSON.stringify(holdingView())));
  });

  it('--wait takes the name after it for the name, not for the goal', async () => {
    started();
    control.move('orders-v2', 'promoted', { phase: 'promoted', step: 4 });
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
      await eventually(() => control.listeners > 0);
      control.move('orders-v2', 'advanced', change);
      await run.ended;
      expect(run.code).toBe(code);
    });
  }

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
    control.move('orders-v2', 'aborted', { phase: 'aborted' }, 'ben');
    const run = await cli(['history', 'orders-v2']);
    expect(run.stdout).toMatch(/^RUN {2}STARTED .*\n {2}1 {2}2026-11-24 12:00:00 .*✗ aborted.* ben/);
    expect(JSON.parse((await cli(['history', 'orders-v2', '--json'])).stdout)).toMatchObject([
      { run: 1, outcome: 'aborted' },
    ]);
    expect(await cli(['history', 'search-v3'])).toMatchObject({
      code: 0,
      stdout: '',
      stderr: 'search-v3 has never been started.\nNext: rollout start search-v3\n',
    });
  });

  it('events shows the newest, oldest first, and as JSON one object a line', async () => {
    for (let step = 0; step < 4; step += 1) control.move('orders-v2', 'advanced', { step });
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
    await eventually(() => control.listeners > 0);
    control.move('orders-v2', 'paused', { phase: 'paused' }, 'ben');
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
  });
});

describe('access', () => {
  it('a missing role is exit code 4', async () => {
    const env = { SLUICE_TOKEN: 'viewer-token-0001' };
    expect((await cli(['list'], { env })).code).toBe(0);
    const run = await cli(['start', 'orders-v2'], { env });
    expect([run.code, run.stderr]).toEqual([
      4,
      'error: The role of this token does not allow this: dash is viewer, this needs operator\n',
    ]);
  });

  it('a wrong token is exit code 4, one from a file is trimmed, and no flag takes one', async () => {
    expect((await cli(['list'], { env: { SLUICE_TOKEN: 'nope' } })).code).toBe(4);
    const files = { '/token': 'operator-token-0002\n', '/empty': '\n' };
    expect((await cli(['start', 'orders-v2', '--token-file', '/token'], { files })).code).toBe(0);
    expect(control.requests.at(-1)?.actor.name).toBe('ci');
    expect((await cli(['list', '--token-file', '/empty'], { files })).code).toBe(2);
    expect((await cli(['list', '--token', 'x'])).code).toBe(2);
  });
});

describe('the server', () => {
  it('that is not there is named, with how to start it', async () => {
    await api.close();
    const run = await cli(['list']);
    expect(run.code).toBe(1);
    expect(run.stderr).toBe(
      `error: The control API cannot be reached: tried ${api.url} (ECONNREFUSED)\n` +
        '  Start it with `rollout up`, or name another one with --server or SLUICE_SERVER.\n',
    );
  });

  it('must be a URL without credentials', async () => {
    for (const server of ['localhost:7070', 'ftp://x', 'http://user:pass@x']) {
      expect((await runCli(['list', '--server', server])).code, server).toBe(2);
    }
  });

  it('whose failure is its own gives the request id to look for', async () => {
    control.failNext = new Error('boom');
    const run = await cli(['list']);
    expect([run.code, run.stderr]).toEqual([1, expect.stringMatching(/\n {2}request [0-9a-f-]{36}\n$/)]);
  });
});

describe('the command line', () => {
  it('suggests a verb, shows help, and tells its version', async () => {
    const typo = await cli(['stauts']);
    expect([typo.code, typo.stderr]).toEqual([2, expect.stringContaining('Did you mean status?')]);
    const help = await cli(['promote', '--help']);
    expect([help.code, help.stdout]).toEqual([0, expect.stringContaining('--step <n>')]);
    expect(help.stdout).toContain('--server <url>');
    expect(await cli(['--version'])).toMatchObject({ code: 0, stdout: '1.2.3\n' });
    expect((await cli([])).code).toBe(2);
    expect((await cli(['pause', 'a', 'b'])).code).toBe(2);
  });

  it('colours only where it may', async () => {
    control.put(holdingView());
    const sequence = '\u001b[';
    const colored = await cli(['status', 'orders-v2'], { color: true });
    expect(colored.stdout).toContain(sequence);
    for (const run of [
      await cli(['status', 'orders-v2', '--no-color'], { color: true }),
      await cli(['status', 'orders-v2'], { color: true, env: { NO_COLOR: '1' } }),
    ]) {
      expect(run.stdout).not.toContain(sequence);
    }
  });
});
