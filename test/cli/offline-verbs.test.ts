import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EXIT, exitCodeOf } from '../../src/cli/exit-codes.ts';
import { ERRORS, type ErrorCode } from '../../src/core/domain/errors.ts';
import { runCli } from '../support/cli-harness.ts';

const GOOD = `rollout: orders-v2
service: orders
baseline: v1
canary: v2
steps:
  - { weight: 5%, hold: 10s }
  - { weight: 100% }
abort:
  - { when: 5xx > 2x }
`;

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-lint-'));
});

afterEach(() => rmSync(folder, { recursive: true }));

function write(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

describe('lint', () => {
  it('says where, what and how to mend it; exit code 2', async () => {
    const path = write('orders-v2.yaml', GOOD.replace('weight: 5%', 'wieght: 5%'));
    const run = await runCli(['lint', path]);
    expect(run.code).toBe(2);
    expect(run.stdout).toContain(`${path}:6:7  error  `);
    expect(run.stdout).toContain('wieght');
    expect(run.stdout).toContain('did you mean "weight"?');
    expect(run.stdout).toMatch(/\d errors?(, .*)?\.\n$/);
  });

  it('is content with a good file; exit code 0', async () => {
    const path = write('orders-v2.yaml', GOOD);
    const run = await runCli(['lint', path]);
    expect([run.code, run.stdout, run.stderr]).toEqual([0, '', '1 file checked: no problems.\n']);
    expect((await runCli(['lint', path, '--quiet'])).stderr).toBe('');
    const warned = await runCli(['lint', write('orders-v2.yaml', GOOD.replace(/abort:.*/s, ''))]);
    expect([warned.code, warned.stdout]).toEqual([0, expect.stringContaining('warning')]);
  });

  it('speaks the language of GitHub Actions, by flag or within it', async () => {
    const path = write('orders-v2.yaml', GOOD.replace('baseline', 'baselin'));
    const byFlag = await runCli(['lint', path, '--format', 'github']);
    const within = await runCli(['lint', path], { env: { GITHUB_ACTIONS: 'true' } });
    expect(byFlag.stdout).toMatch(new RegExp(`^::error file=${path},line=4?\\d*,col=\\d+`, 'm'));
    expect(within.stdout).toBe(byFlag.stdout);
    const text = await runCli(['lint', path, '--format', 'text'], { env: { GITHUB_ACTIONS: 'true' } });
    expect(text.stdout).not.toContain('::error');
  });

  it('gives JSON, and fails on a path that is not there', async () => {
    const run = await runCli(['lint', join(folder, 'missing.yaml'), '--json']);
    expect(run.code).toBe(2);
    expect(JSON.parse(run.stdout)).toMatchObject({ errors: 1, diagnostics: [{ severity: 'error' }] });
    expect((await runCli(['lint', '--format', 'xml'])).code).toBe(2);
  });
});

describe('schema', () => {
  it('prints the schema of each kind of file', async () => {
    for (const kind of ['rollout', 'gateway', 'operator']) {
      const run = await runCli(['schema', kind]);
      expect(run.code).toBe(0);
      expect(JSON.parse(run.stdout)).toMatchObject({ title: `Sluice ${kind}`, type: 'object' });
    }
    expect((await runCli(['schema', 'other'])).code).toBe(2);
  });
});

describe('completion', () => {
  it('names every verb with its options and asks for live names, in each shell', async () => {
    for (const shell of ['bash', 'zsh', 'fish']) {
      const { code, stdout } = await runCli(['completion', shell]);
      expect(code).toBe(0);
      for (const word of ['promote', 'history', 'step', 'rollout list --names'])
        expect(stdout).toContain(word);
      expect(stdout).not.toContain('--names --');
    }
    expect((await runCli(['completion', 'tcsh'])).code).toBe(2);
  });

  it('works in a real bash', async () => {
    const { stdout } = await runCli(['completion', 'bash']);
    const complete = (words: string, index: number) => {
      const script = `${stdout}
rollout() { printf 'orders-v2\\nsearch-v3\\n'; }
COMP_WORDS=(${words}); COMP_CWORD=${index}; _rollout; echo "\${COMPREPLY[*]}"`;
      const run = spawnSync('bash', ['--norc', '-c', script], { encoding: 'utf8' });
      expect(run.stderr).toBe('');
      return run.stdout.trim();
    };
    expect(complete('rollout pro', 1)).toBe('promote');
    expect(complete('rollout promote or', 2)).toBe('orders-v2');
    expect(complete('rollout promote --fu', 2)).toBe('--full');
  });
});

describe('exit codes', () => {
  it('are the documented ones', () => {
    expect(EXIT).toEqual({
      success: 0,
      failure: 1,
      usage: 2,
      aborted: 3,
      auth: 4,
      running: 8,
      approval: 9,
      interrupted: 130,
    });
  });

  it('tell usage and access from other failures', () => {
    const codes = Object.keys(ERRORS) as ErrorCode[];
    const of = (code: number) => codes.filter((each) => exitCodeOf(each) === code).sort();
    expect(of(2)).toEqual(['BAD_REQUEST', 'CONFIG_INVALID', 'USAGE']);
    expect(of(4)).toEqual(['FORBIDDEN', 'UNAUTHENTICATED']);
    expect(of(1)).toHaveLength(codes.length - 5);
  });
});
