import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cliWithApi } from '../support/cli-with-api.ts';

const { api, cli, control } = cliWithApi();

const RECORDINGS = fileURLToPath(new URL('../recordings', import.meta.url));
const ERRORS = join(RECORDINGS, 'errors.jsonl');

const LENIENT = `rollout: orders-v2
service: orders
baseline: v1
canary: v2
steps: [{ weight: 1%, hold: 10s }, { weight: 100% }]
abort: [{ when: 5xx > 50x }]
`;

let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sluice-replay-'));
});

afterEach(() => rmSync(dir, { recursive: true, force: true }));

describe('replay', () => {
  it('finds every shipped recording identical to what happened, without an operator', async () => {
    await api().close();
    const run = await cli(['replay', RECORDINGS]);
    expect([run.code, run.stderr]).toEqual([0, '']);
    expect(run.stdout.match(/Identical to what happened\./g)).toHaveLength(5);
  });

  it('says what another plan would have done', async () => {
    const other = join(dir, 'orders-v2.yaml');
    writeFileSync(other, LENIENT);
    const run = await cli(['replay', ERRORS, '--plan', other], { columns: 200 });
    expect(run.code).toBe(0);
    expect(run.stdout).toMatch(/as it happened:\n.*advanced.*\n.*aborted .*rule "5xx > 2x" failed/);
    expect(run.stdout).toContain('The other plan ends promoted at step 2.');
  });

  it('fails on a recording that its decisions do not follow from', async () => {
    const changed = join(dir, 'changed.jsonl');
    writeFileSync(changed, readFileSync(ERRORS, 'utf8').replaceAll('[20,5,5,20', '[20,0,0,20'));
    const run = await cli(['replay', changed]);
    expect([run.code, run.stdout]).toEqual([1, expect.stringContaining('Not what happened.')]);
  });

  it('reads compressed files, and gives JSON', async () => {
    const packed = join(dir, 'errors.jsonl.gz');
    writeFileSync(packed, gzipSync(readFileSync(ERRORS)));
    const run = await cli(['replay', packed, '--json']);
    expect(JSON.parse(run.stdout)).toMatchObject({
      rollout: 'orders-v2',
      phase: 'aborted',
      difference: null,
    });
  });

  it('takes the recording of a rollout by its name from the operator', async () => {
    control().recordings.set('orders-v2', readFileSync(ERRORS, 'utf8'));
    expect((await cli(['replay', 'orders-v2'])).stdout).toContain('Identical to what happened.');
    const printed = await cli(['recording', 'orders-v2']);
    expect([printed.code, printed.stdout]).toEqual([0, readFileSync(ERRORS, 'utf8')]);
    expect((await cli(['recording', 'search-v3'])).code).toBe(1);
    expect((await cli(['recording', 'orders-v2', '--run', 'last'])).code).toBe(2);
  });

  it('names file and line of what is no recording', async () => {
    const broken = join(dir, 'broken.jsonl');
    writeFileSync(broken, `${readFileSync(ERRORS, 'utf8').split('\n').slice(0, 3).join('\n')}\n{"half`);
    const run = await cli(['replay', broken]);
    expect([run.code, run.stderr]).toEqual([
      2,
      expect.stringContaining('broken.jsonl:4: not a frame of a recording'),
    ]);
    expect((await cli(['replay', dir, '--plan', ERRORS])).code).toBe(2);
    rmSync(broken);
    expect(await cli(['replay', dir])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('no recording'),
    });
  });
});
