import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cliWithApi } from '../support/cli-with-api.ts';

const { api, cli, control } = cliWithApi();

const GATEWAY = `listeners: [{ address: ':8080' }]
services: { orders: { versions: { v1: { endpoints: [http://a.example] }, v2: { endpoints: [http://b.example] } } } }
routes: [{ name: orders, match: { prefix: / }, service: orders }]
`;
const ROLLOUT = `rollout: orders-v2
service: orders
baseline: v1
canary: v2
steps: [{ weight: 1%, hold: 10m }, { weight: 10%, hold: 10m, gate: manual }, { weight: 100% }]
abort: [{ when: 5xx > 2x }, { when: p99 > 800ms }]
advance: { when: proven }
`;

let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sluice-plan-'));
  writeFileSync(join(dir, 'gateway.yaml'), GATEWAY);
  mkdirSync(join(dir, 'rollouts'));
  writeFileSync(join(dir, 'rollouts/orders-v2.yaml'), ROLLOUT);
});

afterEach(() => rmSync(dir, { recursive: true, force: true }));

const plan = (...argv: readonly string[]) => {
  const files = ['--gateway', join(dir, 'gateway.yaml'), '--rollouts', join(dir, 'rollouts')];
  return cli(['plan', 'orders-v2', ...files, ...argv], { columns: 100 });
};

describe('plan', () => {
  it('shows what each step and rule sees with stated traffic, without an operator', async () => {
    await api().close();
    const run = await plan('--rps', '200', '--errors', '0.5%');
    expect([run.code, run.stderr]).toEqual([0, '']);
    expect(run.stdout).toContain('orders-v2: orders v1 → v2, at 200 requests/s, 0.50% errors\n');
    expect(run.stdout).toMatch(/1 {6}1% {3}10m {2}5xx > 2x/);
    expect(run.stdout).toMatch(
      /A healthy release takes [\dms]+, at best 4m, at worst 20m, plus the wait at 1 gate\.\n/,
    );
  });

  it('takes what the file states of the traffic, unless a flag says otherwise', async () => {
    const stated = `${ROLLOUT}traffic: { requests: 600/min, errors: 0.25% }\n`;
    writeFileSync(join(dir, 'rollouts/orders-v2.yaml'), stated);
    await api().close();
    expect((await plan()).stdout).toContain('at 10 requests/s, 0.25% errors');
    expect((await plan('--rps', '200')).stdout).toContain('at 200 requests/s, 0.25% errors');
  });

  it('marks a step that is blind, and says what to change', async () => {
    const run = await plan('--rps', '100', '--errors', '0.1%');
    expect(run.stdout).toMatch(
      /Step 1 is blind to 2x by "5xx > 2x": hold it for [\dhms]+, or give it more weight\./,
    );
  });

  it('says which rules carry no guarantee, and of which the traffic says nothing', async () => {
    const pair =
      'sum(increase(bad{v="$version"}[$interval])) / sum(increase(all{v="$version"}[$interval])) > 2x';
    const rules = `abort: [{ when: 'promql: up > 1' }, { when: 'promql: ${pair}' }]`;
    const operator = 'operator: { prometheus: { url: http://prometheus.example } }';
    writeFileSync(join(dir, 'rollouts/operator.yaml'), operator);
    writeFileSync(
      join(dir, 'rollouts/orders-v2.yaml'),
      ROLLOUT.replace(/abort: .*/, () => rules),
    );
    const run = await plan('--rps', '100', '--errors', '0.1%');
    expect(run.stderr).toBe('');
    expect(run.stdout).toContain('"promql: up > 1" is a threshold: no guarantee, and nothing to forecast.\n');
    expect(run.stdout).toContain(`"promql: ${pair}" bets on counters of its own`);
    expect(run.stdout).toContain('no rule looks here');
  });

  it('takes the measured traffic where none is stated', async () => {
    control().measured = { requestsPerSecond: 1_234, errorRate: 0.0123, overMs: 300_000 };
    expect((await plan()).stdout).toContain('at 1,234 requests/s, 1.23% errors');
    expect((await plan('--rps', '10')).stdout).toContain('at 10 requests/s, 1.23% errors');
    const json = JSON.parse((await plan('--json')).stdout);
    expect(json).toMatchObject({ rollout: 'orders-v2', traffic: { requestsPerSecond: 1_234 } });
    expect(json.steps[0].sights[0]).toMatchObject({ rule: 0, size: 2 });
  });

  it('proposes a ramp for a budget, to paste', async () => {
    const run = await plan('--rps', '200', '--errors', '0.5%', '--budget', '50 failed requests');
    expect(run.stdout).toMatch(
      /\n# at most 50 failed requests, in [\dhms]+: a release that fails [\d.]+% of/,
    );
    expect(run.stdout).toMatch(
      /\nsteps:\n( {2}- \{ weight: [\d.]+%, hold: [\dhms]+ \}\n)+ {2}- \{ weight: 100% \}\n/,
    );
    const none = await plan('--rps', '20000', '--errors', '0.5%', '--budget', '5');
    expect(none.stdout).toContain('No ramp keeps a bad release to 5 failed requests');
  });

  it('shows the ramp that steps: auto would run, with its bounds and what it costs at worst', async () => {
    const auto = ROLLOUT.replace(/steps: .*\n/, 'steps: auto\nauto: { budget: 60 failed requests }\n');
    writeFileSync(join(dir, 'rollouts/orders-v2.yaml'), auto);
    const run = await plan('--rps', '200', '--errors', '0.5%');
    expect(run.stdout).toMatch(/1 +1% +1m +5xx > 2x/);
    expect(run.stdout).toMatch(/A healthy release takes [\dms]+, at best [\dms]+, at worst 6h\.\n/);
    expect(run.stdout).toContain(
      'steps: auto, from 1%, at most 3x at once, each held for 1m to 30m, within 6h; 2.5x the errors may cost 60 failed requests.',
    );
    expect(run.stdout).toMatch(
      /With this ramp a release that fails [\d.]+% of its requests is expected to fail \d+ before/,
    );
    expect(run.stdout).not.toContain('blind');
    const dear = await plan('--rps', '20000', '--errors', '0.5%');
    expect(dear.stdout).toMatch(
      /It does not keep its bounds: at 1% of 20000 requests\/s .* more than the budget of 60\./,
    );
    const json = JSON.parse((await plan('--rps', '200', '--errors', '0.5%', '--json')).stdout);
    expect(json.auto.steps[0]).toEqual({ weightBp: 100, holdMs: 60_000 });
    expect(json.durationMs.best).toBeLessThanOrEqual(json.durationMs.likely);
  });

  it('asks for the traffic when there is nobody to ask, or too little to measure', async () => {
    expect(await plan()).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('--rps 200 --errors 0.5%'),
    });
    await api().close();
    expect(await plan()).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('--rps 200 --errors 0.5%'),
    });
  });

  it('refuses what is no number, an unknown rollout and a broken file', async () => {
    expect((await plan('--rps', 'many')).code).toBe(2);
    const unknown = await cli([
      'plan',
      'nope',
      '--gateway',
      join(dir, 'gateway.yaml'),
      '--rollouts',
      join(dir, 'rollouts'),
    ]);
    expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringContaining('Declared are: orders-v2')]);
    writeFileSync(join(dir, 'rollouts/orders-v2.yaml'), ROLLOUT.replace('5xx > 2x', '5xx > two'));
    const broken = await plan('--rps', '1', '--errors', '1%');
    expect([broken.code, broken.stderr]).toEqual([2, expect.stringContaining('orders-v2.yaml:6:')]);
  });
});
