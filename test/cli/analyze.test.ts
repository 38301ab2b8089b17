/**
 * Plans judged against a past that a real Prometheus has kept, without an operator.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../support/cli-harness.ts';
import { pastMetrics } from '../support/past-metrics.ts';
import { type PrometheusServer, startPrometheus } from '../support/prometheus-server.ts';

const S = 15_000;
const MINUTE = 60_000;

const PLAN = `rollout: orders-v2
service: orders
baseline: v1
canary: v2
steps: [{ weight: 5%, hold: 1h }, { weight: 100% }]
abort:
`;

describe('analyze', { timeout: 120_000 }, () => {
  let prometheus: PrometheusServer;
  let dir: string;
  let nowMs: number;
  /** Start of two hours that ended five minutes ago; the canary begins to fail in the middle. */
  let startMs: number;

  beforeAll(async () => {
    nowMs = Date.now();
    startMs = Math.floor((nowMs - 125 * MINUTE) / MINUTE) * MINUTE;
    const past = pastMetrics({
      fromMs: startMs,
      toMs: startMs + 120 * MINUTE,
      scrapeMs: S,
      versions: {
        v1: () => ({ requests: 1_425, failed: 7, over100ms: 60, over1s: 5 }),
        v2: (atMs) => {
          const late = atMs >= startMs + 60 * MINUTE;
          return { requests: 75, failed: late ? 8 : 0, over100ms: late ? 33 : 3, over1s: late ? 30 : 0 };
        },
        // A version that was rolled out from 5 % to half of the traffic in the middle.
        v3: (atMs) => ({ requests: atMs < startMs + 60 * MINUTE ? 75 : 1_425, failed: 0 }),
      },
    });
    prometheus = await startPrometheus({ targets: [], scrapeIntervalMs: 1_000, past });
    dir = mkdtempSync(join(tmpdir(), 'sluice-analyze-'));
  });

  afterAll(async () => {
    await prometheus?.stop();
    if (dir) rmSync(dir, { recursive: true, force: true });
  });

  const at = (minutes: number) => new Date(startMs + minutes * MINUTE).toISOString();

  function analyze(rules: readonly string[], minutes: readonly [number, number], ...argv: readonly string[]) {
    const file = join(dir, 'orders-v2.yaml');
    writeFileSync(file, PLAN + rules.map((rule) => `  - { ${rule} }\n`).join(''));
    const range = ['--from', at(minutes[0]), '--to', at(minutes[1])];
    return runCli(['analyze', file, ...range, '--prometheus', prometheus.url, ...argv], {
      columns: 110,
      now: () => nowMs,
    });
  }

  it('says when a plan would have aborted, by which rule, and with what numbers', async () => {
    const run = await analyze(['when: 5xx > 2x', 'when: 5xx > 50%'], [1, 119]);
    expect([run.code, run.stderr]).toEqual([3, '']);
    const lines = run.stdout.split('\n');
    expect(lines[0]).toMatch(/^orders-v2: orders v1 → v2, .* to .*, 472 intervals of 15s$/);
    expect(run.stdout).toMatch(/5xx > 2x .*\d\d:\d\d:\d\d .*abort \d\d:\d\d:\d\d/);
    expect(run.stdout).toMatch(/5xx > 50% +never +[\de.-]+\/100 .*go on/);
    expect(run.stdout).toMatch(
      /would have aborted at .* by "5xx > 2x"\.\n {2}canary [\d.]+% 5xx .* is over 2x/,
    );
    const json = JSON.parse(
      (await analyze(['when: 5xx > 2x', 'when: 5xx > 50%'], [1, 119], '--json')).stdout,
    );
    // Ten of a hundred fail: three intervals suffice, two are not yet enough.
    const late = json.aborted.atMs - (startMs + 60 * MINUTE);
    expect(late).toBeGreaterThan(S);
    expect(late).toBeLessThan(3 * MINUTE);
    expect(json).toMatchObject({
      rollout: 'orders-v2',
      stepMs: S,
      intervals: 472,
      moved: 0,
      aborted: { rules: [0] },
    });
    expect(json.rules[0]).toMatchObject({
      bets: true,
      means: 'counters',
      intervals: 472,
      gap: null,
      needed: 100,
    });
    expect(json.rules[0].trail).toHaveLength(472);
  });

  it('finds nothing against a canary that was fine', async () => {
    const run = await analyze(['when: 5xx > 2x', 'when: p99 > 1s', 'when: p95 > +50%'], [1, 59]);
    expect([run.code, run.stderr]).toEqual([0, '']);
    expect(run.stdout).toContain('This plan would not have aborted.\n');
    expect(run.stdout).toContain('Latencies are as fine as buckets');
  });

  it('judges latencies by buckets, and a pair of counters', async () => {
    const pair = `promql: sum(increase(http_client_request_duration_seconds_count{sluice_version="$version",http_response_status_code="500"}[$interval])) / sum(increase(http_client_request_duration_seconds_count{sluice_version="$version"}[$interval])) > 2x`;
    const json = JSON.parse(
      (await analyze(['when: p95 > 900ms', `when: '${pair}'`], [31, 119], '--json')).stdout,
    );
    expect(json.aborted.rules.length).toBeGreaterThan(0);
    expect(json.rules).toMatchObject([{ means: 'buckets' }, { means: 'counters' }]);
    for (const { abortedAtMs } of json.rules) expect(abortedAtMs).toBeGreaterThan(startMs + 60 * MINUTE);
  });

  it('labels thresholds, and says what cannot be judged', async () => {
    const value = 'sum(http_client_request_duration_seconds_count{sluice_version="v2"}) > 1e9';
    const run = await analyze(
      [`when: 'promql: ${value}'`, 'when: p95 > 1s, source: prometheus', 'when: differs > 1%'],
      [1, 20],
    );
    expect([run.code, run.stderr]).toEqual([0, '']);
    expect(run.stdout).toContain('is a threshold: no guarantee.');
    expect(run.stdout).toMatch(/"p95 > 1s" could not be judged: a threshold on a quantile/);
    expect(run.stdout).toContain(
      '"differs > 1%" could not be judged: no metric keeps how mirrored answers differ.',
    );
    const broken = await analyze([`when: 'promql: ${value.replace('1e9', '100')}'`], [1, 20]);
    expect(broken.code).toBe(3);
  });

  it('takes longer steps, and no shorter ones than scrapes', async () => {
    const json = JSON.parse((await analyze(['when: 5xx > 2x'], [1, 119], '--step', '1m', '--json')).stdout);
    expect(json).toMatchObject({ stepMs: MINUTE, intervals: 118, aborted: { rules: [0] } });
    expect(await analyze(['when: 5xx > 2x'], [1, 119], '--step', '5s')).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(
        /a step of 5s is shorter than the 15s from scrape to scrape[\s\S]*--step 15s/,
      ),
    });
  });

  it('does not bet on the interval in which the weights moved', async () => {
    const file = join(dir, 'orders-v3.yaml');
    writeFileSync(file, `${PLAN.replaceAll('v2', 'v3')}  - { when: 5xx > 2x }\n`);
    const run = await runCli(
      ['analyze', file, '--from', at(31), '--to', at(90), '--prometheus', prometheus.url],
      { columns: 110, now: () => nowMs },
    );
    expect(run.code).toBe(0);
    expect(run.stdout).toMatch(/In one interval the canary's share jumped/);
  });

  it.each<[string, readonly string[], RegExp]>([
    ['a range that ends before it begins', ['--from', '1h', '--to', '2h'], /--from 1h is not before --to 2h/],
    ['a range of the newest minute', ['--from', '30s'], /newest minute is left out/],
    ['a range that is too long', ['--from', '10d'], /10d .*are more than 7d at once/],
    ['no time', ['--from', 'yesterday'], /--from must be a time, got "yesterday"[\s\S]*--from 2h \(ago\)/],
    ['a time without a zone', ['--from', '2026-03-01T14:00:00'], /must be a time/],
    ['no step', ['--from', '1h', '--step', 'often'], /--step must be a duration from 1s to 5m, got "often"/],
    ['too many intervals', ['--from', '6d', '--step', '15s'], /more than 11000 intervals[\s\S]*longer steps/],
    ['no address', ['--from', '1h', '--prometheus', 'localhost'], /must be an http\(s\) URL/],
  ])('refuses %s', async (_title, argv, said) => {
    const file = join(dir, 'orders-v2.yaml');
    writeFileSync(file, `${PLAN}  - { when: 5xx > 2x }\n`);
    const run = await runCli(['analyze', file, '--prometheus', prometheus.url, ...argv], {
      now: () => nowMs,
    });
    expect([run.code, run.stdout]).toEqual([2, '']);
    expect(run.stderr).toMatch(said);
  });

  it('says that there are no such series, and that Prometheus is not there', async () => {
    const none = await analyze(['when: 5xx > 2x'], [-200, -140]);
    expect(none).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /nothing to judge by: "5xx > 2x": no series counts the canary’s requests[\s\S]*Does this Prometheus scrape/,
      ),
    });
    const file = join(dir, 'orders-v2.yaml');
    const away = await runCli(['analyze', file, '--from', '1h', '--prometheus', 'http://127.0.0.1:1'], {});
    expect(away).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/Prometheus does not answer as it should: http:\/\/127\.0\.0\.1:1: /),
    });
    const unsaid = await runCli(['analyze', file, '--from', '1h'], {});
    expect(unsaid).toMatchObject({ code: 2, stderr: expect.stringContaining('SLUICE_PROMETHEUS') });
  });
});
