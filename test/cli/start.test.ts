import { describe, expect, it } from 'vitest';
import { SluiceError } from '../../src/core/domain/errors.ts';
import { cliWithApi } from '../support/cli-with-api.ts';
import { eventually } from '../support/eventually.ts';
import { readyView } from '../support/view-fixture.ts';

const { begin, cli, control } = cliWithApi();

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
    expect(control().requests.map(({ action }) => action)).toMatchObject([
      { kind: 'start', dryRun: true },
      { kind: 'start', dryRun: false, message: 'new pricing' },
    ]);
    expect(control().requests[1]?.actor).toEqual({ kind: 'user', name: 'ana' });
  });

  it('--dry-run puts the plan on stdout and changes nothing', async () => {
    const run = await cli(['start', 'orders-v2', '--dry-run']);
    expect([run.code, run.stderr]).toEqual([0, 'Nothing was changed.\nNext: rollout start orders-v2\n']);
    expect(run.stdout).toContain('orders-v2: orders v1 → v2\n');
    expect((await control().view('orders-v2')).phase).toBe('ready');
  });

  it('-f sends the file along and takes the name from it', async () => {
    const text = '# plan\nrollout: orders-v2\nservice: orders\n';
    const run = await cli(['start', '-f', 'my.yaml', '--quiet'], { files: { 'my.yaml': text } });
    expect([run.code, run.stdout, run.stderr]).toEqual([0, '', '']);
    expect(control().requests.at(-1)?.action).toMatchObject({ source: { file: 'my.yaml', text } });
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
    control().failNext = new SluiceError('CONFIG_INVALID', {
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
    control().afterAct = () => {
      control().afterAct = null;
      void (async () => {
        await eventually(() => control().listeners > 0);
        for (const move of moves) move();
      })();
    };
  };
  // The dry run comes first and must not use the script up.
  const afterStart = (...moves: readonly (() => unknown)[]) => {
    control().afterAct = () => script(...moves);
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
      () => control().move('orders-v2', 'advanced', at('holding', 1)),
      () => control().move('orders-v2', 'promoted', at('promoted', 4)),
    );
    const run = await cli(['start', 'orders-v2', '--wait']);
    expect(run.code).toBe(0);
    expect(run.stdout).toBe('orders-v2 PROMOTED: promoted by the script.\n');
    expect(run.stderr).toContain('2026-11-24T12:00:00Z  orders-v2  advanced      step 2 · 1% → 5% · ');
    expect(run.stderr).toContain('2026-11-24T12:00:00Z  orders-v2  promoted      step 5 · 5% → 100% · ');
  });

  it('ends with 3 when it was aborted, and reports to GitHub Actions', async () => {
    afterStart(() => control().move('orders-v2', 'aborted', at('aborted', 0)));
    const env = { GITHUB_ACTIONS: 'true', GITHUB_STEP_SUMMARY: '/summary.md' };
    const run = await cli(['start', 'orders-v2', '--wait', '--json'], { env });
    expect(run.code).toBe(3);
    expect(JSON.parse(run.stdout)).toMatchObject({ rollout: 'orders-v2', phase: 'aborted' });
    expect(run.appended['/summary.md']).toContain('## ❌ orders-v2: ABORTED\n');
    expect(run.appended['/summary.md']).toContain('| 12:00:00 | aborted | 1% → 0% | op-1 | ');
  });

  it('ends with 9 at a manual gate: only a person gets it further', async () => {
    afterStart(() => control().move('orders-v2', 'awaiting-gate', at('awaiting-gate', 2)));
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
    await eventually(() => control().listeners > 0);
    run.interrupt();
    await run.ended;
    expect(run.code).toBe(130);
    expect(run.stderr).toMatch(/Interrupted; the rollout goes on\.\n$/);
    expect((await control().view('orders-v2')).phase).toBe('holding');
  });

  it('reports the run that it started even when somebody has started another one', async () => {
    afterStart(() => {
      control().move('orders-v2', 'promoted', at('promoted', 4));
      control().move('orders-v2', 'started', { ...at('holding', 0), run: 2 });
    });
    expect((await cli(['start', 'orders-v2', '--wait'])).code).toBe(0);
  });
});
