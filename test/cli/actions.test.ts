import { describe, expect, it } from 'vitest';
import { fakeKeyboard } from '../support/cli-harness.ts';
import { cliWithApi } from '../support/cli-with-api.ts';
import { holdingView } from '../support/view-fixture.ts';

const { cli, control, started } = cliWithApi();

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
    expect(control().requests.map(({ action, expectStep }) => ({ ...action, expectStep }))).toEqual([
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
    expect(control().requests[0]?.action).toEqual({ kind: 'abort', reason: 'aborted by hand' });
  });

  it('promote --step refuses when the rollout is elsewhere', async () => {
    started();
    const run = await cli(['promote', 'orders-v2', '--step', '3']);
    expect([run.code, run.stdout]).toEqual([1, '']);
    expect(run.stderr).toBe('error: The rollout has moved on since you looked: it is at step 1, not 3\n');
    expect((await cli(['promote', 'orders-v2', '--step', '0'])).code).toBe(2);
    expect(await cli(['promote', 'orders-v2', '--step', '9'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('orders-v2 has 5 steps, so --step is 1 to 5, got 9'),
    });
    expect((await cli(['promote', 'orders-v2', '--step', '1'])).code).toBe(0);
  });

  it('promote is about the run that it has looked at', async () => {
    started();
    await cli(['promote', 'orders-v2']);
    expect(control().requests.at(-1)).toMatchObject({ expectRun: 1, expectStep: 0 });
  });

  it('promote says that it ends a pause', async () => {
    started();
    await cli(['pause', 'orders-v2']);
    const run = await cli(['promote', 'orders-v2']);
    expect(run.stderr).toMatch(
      /^It was paused; promoting ends the pause as well\.\nMoved orders-v2 on to step 2/,
    );
  });

  it('abort of an aborted rollout succeeds, changes nothing and says since when', async () => {
    started();
    await cli(['abort', 'orders-v2']);
    const before = await control().view('orders-v2');
    control().put({ ...before, nowMs: (before.sinceMs ?? 0) + 61_500 });
    const again = await cli(['abort', 'orders-v2']);
    expect([again.code, again.stderr.split('\n')[0]]).toEqual([
      0,
      'orders-v2 was aborted 1m1s ago already: v1 serves all traffic of orders.',
    ]);
    expect((await control().view('orders-v2')).version).toBe(before.version);
  });

  it('promote --full lists what it skips and asks', async () => {
    control().put(holdingView());
    const yes = fakeKeyboard(['n', 'yes']);
    const declined = await cli(['promote', 'orders-v2', '--full'], { keyboard: yes });
    expect([declined.code, declined.stderr]).toEqual([
      1,
      'This skips\n  the rest of step 3: 10%, hold 30m, manual gate\n  step 4: 50%, hold 30m\nNothing was changed.\n',
    ]);
    expect(yes.questions).toEqual(['Send all traffic of orders to v2 now? [y/N] ']);
    expect(control().requests).toEqual([]);
    expect((await cli(['promote', 'orders-v2', '--full'], { keyboard: yes })).code).toBe(0);
  });

  it('promote --full needs --yes where nobody can be asked', async () => {
    control().put(holdingView());
    for (const run of [
      await cli(['promote', 'orders-v2', '--full']),
      await cli(['promote', 'orders-v2', '--full', '--no-input'], { keyboard: fakeKeyboard(['y']) }),
    ]) {
      expect([run.code, run.stderr]).toEqual([2, expect.stringContaining('Add --yes if you are sure.')]);
    }
    expect(control().requests).toEqual([]);
  });

  it('take the only active rollout when no name is given', async () => {
    started();
    const run = await cli(['pause']);
    expect(run.stderr).toMatch(/^\(orders-v2, the only active rollout\)\nPaused orders-v2 /);
  });

  it('take the only rollout that ever ran when none is active', async () => {
    started();
    control().move('orders-v2', 'promoted', { phase: 'promoted', step: 4 });
    const run = await cli(['undo']);
    expect(run.stderr).toMatch(/^\(orders-v2, the only rollout that was ever started\)\nUndid orders-v2/);
  });

  it('ask for a name when none or several are active', async () => {
    const none = await cli(['pause']);
    expect([none.code, none.stderr]).toEqual([
      2,
      'error: The command line is not valid: no rollout is active, so say which one is meant\n  One of: orders-v2, search-v3\n',
    ]);
    started();
    control().move('search-v3', 'started', { phase: 'holding', run: 1 });
    const several = await cli(['abort']);
    expect([several.code, several.stderr]).toEqual([2, expect.stringContaining('2 rollouts are active')]);
    expect(control().requests).toEqual([]);
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
