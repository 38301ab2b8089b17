import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

interface Interval {
  readonly low: number;
  readonly mid: number;
  readonly high: number;
}

interface Cost {
  readonly id: string;
  readonly doc: string | null;
  readonly off: number;
  readonly on: number;
  readonly difference: Interval;
  readonly rounds: { readonly off: readonly number[]; readonly on: readonly number[] };
  readonly faults: readonly unknown[];
}

interface Scenario {
  readonly id: string;
  readonly doc: string | null;
  readonly needs: string | null;
  readonly expect: { readonly on: { readonly statuses: readonly number[] } };
}

interface ReportModule {
  readonly medianInterval: (samples: readonly number[]) => Interval;
  readonly inWords: (cost: Pick<Cost, 'doc' | 'difference'>, noise: number) => string;
}

interface ScenariosModule {
  readonly SCENARIOS: readonly Scenario[];
  readonly LEFT_OUT: Readonly<Record<string, string>>;
  readonly scenarioOf: (id: string) => Scenario;
}

type Check = (scenario: Scenario) => Promise<readonly string[]>;

const load = <Module>(name: string): Promise<Module> =>
  import(new URL(`../../bench/policies/${name}.mjs`, import.meta.url).href);
const { medianInterval, inWords } = await load<ReportModule>('report');
const { SCENARIOS, LEFT_OUT, scenarioOf } = await load<ScenariosModule>('scenarios');

const RUN_MS = 180_000;

async function run(args: readonly string[]): Promise<{ readonly code: unknown; readonly output: string }> {
  const child = spawn(process.execPath, ['bench/policies/run.mjs', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  const [code] = await once(child, 'close');
  return { code, output };
}

describe('the scenarios of the policy bench', () => {
  it('measure every policy of the docs, or say why not', () => {
    const documented = [
      ...readFileSync('docs/policies.md', 'utf8').matchAll(/^- \[[^\]]+\]\(policies\/([^)]+)\)$/gm),
    ].map(([, place]) => place);
    const covered = new Set([...SCENARIOS.flatMap(({ doc }) => doc ?? []), ...Object.keys(LEFT_OUT)]);
    expect(documented.length).toBeGreaterThan(40);
    const advice =
      'it needs a scenario in bench/policies/scenarios/, or a reason in LEFT_OUT of scenarios.mjs';
    expect(
      documented.filter((place) => place === undefined || !covered.has(place)),
      advice,
    ).toEqual([]);
    expect([...covered].filter((place) => !documented.includes(place))).toEqual([]);
  });

  it('have ids of their own', () => {
    expect(new Set(SCENARIOS.map(({ id }) => id)).size).toBe(SCENARIOS.length);
  });

  it(
    'load without a finding and are answered as expected, off and on',
    async () => {
      const { code, output } = await run(['--check']);
      // Without openssl those that need a certificate cannot be tried.
      const left = [...output.matchAll(/^left out, because there is no openssl: /gm)].length;
      const tried = SCENARIOS.length - left;
      expect([0, SCENARIOS.filter(({ needs }) => needs !== null).length]).toContain(left);
      expect(output).toContain(`${tried} of ${tried} scenarios load and answer as expected`);
      expect(code).toBe(0);
    },
    RUN_MS,
  );
});

describe('the check of a scenario', () => {
  let folder: string;
  let close: () => Promise<void>;
  let flawsOf: Check;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-check-'));
    const { writeFiles } = await load<{ writeFiles: (folder: string) => object }>('world');
    const { openUpstream } = await load<{
      openUpstream: (certificate: null) => Promise<{ ports: object; close: () => Promise<void> }>;
    }>('upstream');
    const { openCheck } = await load<{ openCheck: (options: object) => Promise<Check> }>('check');
    const upstream = await openUpstream(null);
    close = upstream.close;
    flawsOf = await openCheck({
      world: { ...writeFiles(folder), ports: upstream.ports },
      dist: 'dist',
      redisUrl: null,
    });
  });
  afterAll(async () => {
    await close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('finds nothing in a sound one', async () => {
    expect(await flawsOf(scenarioOf('headers'))).toEqual([]);
  });

  it('names what is wrong with a file', async () => {
    const broken = { ...scenarioOf('rate'), on: () => ({ route: { rateLimit: [] } }) };
    const flaws = await flawsOf(broken);
    expect(flaws).toHaveLength(1);
    expect(flaws[0]).toMatch(/^rate, on: \d+:\d+ .*rateLimit\b.*rateLimits/);
  });

  it('shows an answer that is not the expected one', async () => {
    const scenario = scenarioOf('headers');
    const expectation = { ...scenario.expect, on: { ...scenario.expect.on, statuses: [418] } };
    const flaws = await flawsOf({ ...scenario, expect: expectation });
    expect(flaws[0]).toMatch(/^headers, on: \/page: HTTP\/1\.1 200/);
  });

  it('looks at the files of scenarios over Redis where there is none', async () => {
    expect(await flawsOf(scenarioOf('rate-redis'))).toEqual([]);
  });
});

describe('a small run of the policy bench', () => {
  let code: unknown;
  let output: string;
  let result: { readonly noise: number; readonly costs: readonly Cost[] };

  beforeAll(async () => {
    const size = ['--rounds', '6', '--requests', '40', '--warmup', '40'];
    ({ code, output } = await run([...size, '--only', 'nothing-1,jwt-new']));
    const path = /^raw figures: (.+)$/m.exec(output)?.[1];
    if (path === undefined) throw new Error(`the bench ended with ${code}:\n${output}`);
    result = JSON.parse(readFileSync(path, 'utf8'));
  }, RUN_MS);

  it('gets every answer, and CPU time for every round', () => {
    expect([code, output.includes('every answer was as expected')]).toEqual([0, true]);
    expect(result.costs.map(({ id, faults }) => [id, faults])).toEqual([
      ['nothing-1', []],
      ['jwt-new', []],
    ]);
    for (const { rounds, difference } of result.costs) {
      expect([rounds.off.length, rounds.on.length]).toEqual([6, 6]);
      expect(Math.min(...rounds.off, ...rounds.on)).toBeGreaterThan(0);
      expect(difference.low).toBeLessThanOrEqual(difference.mid);
      expect(difference.mid).toBeLessThanOrEqual(difference.high);
    }
  });

  it('prints its table', () => {
    expect(output).toMatch(/policy +off +on +difference +95% interval +in words/);
    expect(output).toContain('command: npm run bench:policies -- --rounds 6');
  });
});

describe('what the policy bench says of a difference', () => {
  it('takes the interval of the median from the order of the samples', () => {
    expect(medianInterval([6, 1, 5, 2, 4, 3])).toEqual({ low: 1, mid: 3.5, high: 6 });
    const twelve = Array.from({ length: 12 }, (_, n) => n + 1);
    expect(medianInterval(twelve)).toEqual({ low: 3, mid: 6.5, high: 10 });
  });

  it.each<[string, Interval, string | null]>([
    ['costs', { low: 5, mid: 9, high: 12 }, 'x.md#x'],
    ['saves', { low: -12, mid: -9, high: -5 }, 'x.md#x'],
    ['within the spread', { low: -1, mid: 9, high: 12 }, 'x.md#x'],
    ['within the noise', { low: 1, mid: 2, high: 3 }, 'x.md#x'],
    ['nothing was on', { low: 1, mid: 2, high: 3 }, null],
  ])('%s', (words, difference, doc) => {
    expect(inWords({ doc, difference }, 4)).toBe(words);
  });
});
