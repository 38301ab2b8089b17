/**
 * How long a canary that turns bad goes on hurting clients: from the first bad answer that a client sees to weight 0
 * on both gateways and to the last answer of the canary; with both operators alive, and with the leading one killed
 * at the moment when the canary turns bad. Judges nothing: the rule is the product's own.
 * @module
 */

import { readFlags } from '../rig/flags.mjs';
import { grouped, quantile, table } from '../rig/numbers.mjs';
import { conclude } from '../rig/results.mjs';
import { load } from '../rig/sluice.mjs';
import { runOnce } from './one-run.mjs';

const DEFAULTS = {
  /** Runs with both operators alive. */
  runs: 4,
  /** Runs in which the leading operator is killed (SIGKILL) as the canary turns bad. */
  kills: 3,
  /** Requests per second over both gateways. */
  rate: 500,
  connections: 48,
  /** Share of users with the canary, percent. */
  weight: 10,
  /** Milliseconds of good answers at that weight before it turns bad. */
  settle: 3000,
  rule: '5xx > 2x',
  over: '5m',
  quick: false,
  dist: 'dist',
};
const quick = process.argv.includes('--quick');
const flags = readFlags(quick ? { ...DEFAULTS, runs: 1, kills: 1, settle: 2000 } : DEFAULTS);

const { serviceKeys } = await load(flags.dist, 'adapters/redis/keys.js');
const keys = serviceKeys('orders');
const forms = [
  { name: 'both operators alive', killLeader: false, runs: flags.runs },
  { name: 'leading operator killed', killLeader: true, runs: flags.kills },
];
process.stdout.write(
  `2 gateways, 2 operators, Redis with appendfsync always; ${flags.rate} requests/s in all, canary at ` +
    `${flags.weight} %; abort when ${flags.rule} over ${flags.over}\n\n`,
);

const results = [];
for (const { name, killLeader, runs } of forms) {
  for (let run = 1; run <= runs; run += 1) {
    results.push({ form: name, run, ...(await runOnce({ ...flags, keys, killLeader })) });
  }
}

const COLUMNS = [
  ['new owner s', ({ takenOverMs }) => takenOverMs],
  ['abort written s', ({ writtenMs }) => writtenMs],
  ['both gateways at 0 s', ({ servedMs }) => servedMs],
  ['last canary answer s', ({ lastCanaryMs }) => lastCanaryMs],
];
const seconds = (ms) => (ms === null || !Number.isFinite(ms) ? '–' : (ms / 1000).toFixed(2));
const head = ['first bad answer →', 'run', ...COLUMNS.map(([name]) => name), 'failed requests', 'of sent'];
const rows = forms.flatMap(({ name }) => {
  const own = results.filter(({ form }) => form === name);
  if (own.length === 0) return [];
  const summary = (label, q) => [
    '',
    label,
    ...COLUMNS.map(([, read]) => seconds(quantile(own.map(read).filter(Number.isFinite), q))),
    grouped(
      quantile(
        own.map(({ failed }) => failed),
        q,
      ),
    ),
    '',
  ];
  return [
    ...own.map((result, index) => [
      index === 0 ? name : '',
      result.run,
      ...COLUMNS.map(([, read]) => seconds(read(result))),
      result.failed,
      grouped(result.sent),
    ]),
    summary('p50', 0.5),
    summary('max', 1),
  ];
});
const problems = results.flatMap(({ form, run, problems: own }) =>
  own.map((problem) => `${form}, run ${run}: ${problem}`),
);
process.stdout.write(
  `${table(head, rows)}\n\n` +
    (problems.length === 0
      ? 'every run: one abort by its rule, weight 0 on both gateways, no request lost and none wrong but the canary’s own\n'
      : `FAILED:\n${problems.join('\n')}\n`),
);
conclude('abort', flags, { results }, problems.length === 0);
