import { describe, expect, it } from 'vitest';
import { runCli } from '../support/cli-harness.ts';
import { cliWithApi } from '../support/cli-with-api.ts';
import { holdingView } from '../support/view-fixture.ts';

const { api, cli, control } = cliWithApi();

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
    expect(control().requests.at(-1)?.actor.name).toBe('ci');
    expect((await cli(['list', '--token-file', '/empty'], { files })).code).toBe(2);
    expect((await cli(['list', '--token', 'x'])).code).toBe(2);
  });
});

describe('the server', () => {
  it('that is not there is named, with how to start it', async () => {
    await api().close();
    const run = await cli(['list']);
    expect(run.code).toBe(1);
    expect(run.stderr).toBe(
      `error: The control API cannot be reached: tried ${api().url} (ECONNREFUSED)\n` +
        '  Start it with `rollout up`, or name another one with --server or SLUICE_SERVER.\n',
    );
  });

  it('must be a URL without credentials', async () => {
    for (const server of ['localhost:7070', 'ftp://x', 'http://user:pass@x']) {
      expect((await runCli(['list', '--server', server])).code, server).toBe(2);
    }
  });

  it('whose failure is its own gives the request id to look for', async () => {
    control().failNext = new Error('boom');
    const run = await cli(['list']);
    expect([run.code, run.stderr]).toEqual([1, expect.stringMatching(/\n {2}request [0-9a-f-]{36}\n$/)]);
  });
});

describe('the command line', () => {
  it('suggests a verb, shows help, and tells its version', async () => {
    const typo = await cli(['stauts']);
    expect([typo.code, typo.stderr]).toEqual([2, expect.stringContaining('Did you mean status?')]);
    const typoHelp = await cli(['stauts', '--help']);
    expect([typoHelp.code, typoHelp.stderr]).toEqual([2, expect.stringContaining('Did you mean status?')]);
    const help = await cli(['promote', '--help']);
    expect([help.code, help.stdout]).toEqual([0, expect.stringContaining('--step <n>')]);
    expect(help.stdout).toContain('--server <url>');
    expect(await cli(['--version'])).toMatchObject({ code: 0, stdout: '1.2.3\n' });
    expect((await cli([])).code).toBe(2);
    expect((await cli(['pause', 'a', 'b'])).code).toBe(2);
  });

  it('colours only where it may', async () => {
    control().put(holdingView());
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
