/**
 * Judges side by side on the same simulated traffic: how often each aborts identical versions, how soon it sees a
 * regression, what users pay until then. Single-threaded and seeded; measures decisions, no I/O.
 * @module
 */

import { readFlags } from '../rig/flags.mjs';
import { table } from '../rig/numbers.mjs';
import { conclude } from '../rig/results.mjs';
import { COMPETITORS, Scraped } from './competitors.mjs';
import { measureCost } from './cost.mjs';
import { judgeRun, loadOurs } from './ours.mjs';
import { measurePartsCost } from './parts-cost.mjs';
import { plot } from './plot.mjs';
import { Random } from './random.mjs';
import { KINDS, SCENARIOS } from './scenarios.mjs';
import { goals, healthyTable, promotionLine, regressionTable, summarise, verdicts } from './summary.mjs';
import { BEFORE_S, latencies, simulate } from './traffic.mjs';

const flags = readFlags({
  quick: false,
  /** Runs per scenario. */
  runs: 0,
  /** Ids of scenarios, separated by commas. */
  only: '',
  seed: 1,
  /** Seconds of a run with canary traffic. */
  horizon: 0,
  dist: 'dist',
});
const runs = flags.runs || (flags.quick ? 1 : 100);
const horizonS = flags.horizon || (flags.quick ? 900 : 1800);
const ours = await loadOurs(flags.dist);
const kinds = Object.fromEntries(
  Object.entries(KINDS).map(([name, change]) => [name, latencies(ours.binOf, change)]),
);
const wanted = SCENARIOS.filter(({ id }) => chosen(id));
const twins = SCENARIOS.filter(({ id }) => wanted.some(({ twin }) => twin === id));
const scenarios = SCENARIOS.filter((each) => wanted.includes(each) || twins.includes(each));
if (wanted.length === 0) throw new Error(`--only ${flags.only}: no such scenario`);

const startedMs = performance.now();
const results = scenarios.map((scenario) => {
  const outcomes = Array.from({ length: runs }, (_, run) => runOnce(scenario, run));
  process.stderr.write(`${scenario.id}: ${Math.round((performance.now() - startedMs) / 1000)} s\n`);
  return { ...scenario, runs, judges: summarise(outcomes), outcomes };
});
const cost = measureCost(ours, kinds, flags.quick);
const partsCost = measurePartsCost(ours, kinds, flags.quick);

process.stdout.write(`\nIdentical versions: aborted, of ${runs} runs of ${horizonS / 60} minutes\n\n`);
process.stdout.write(`${table(...healthyTable(results))}\n`);
process.stdout.write(`\n${promotionLine(results)}\n`);
process.stdout.write('\nRegressions: detected, median / 90th percentile seconds (exposed requests)\n\n');
process.stdout.write(`${table(...regressionTable(results))}\n\n`);
process.stdout.write(`${verdicts(results).join('\n')}\n\n`);
process.stdout.write(`Goals of Sluice:\n${goals(results).join('\n')}\n\n`);
process.stdout.write(
  `judge (CPU): ${cost.perRuleUs.toFixed(1)} µs per rule and second; a week of seconds in ${cost.weekS.toFixed(1)} s\n` +
    `  at 5,000 requests per second, by what is told apart (ms per second; while one instance fails):\n` +
    `${partsCost.map(partsLine).join('\n')}\n`,
);
process.stdout.write(`plot: ${plot(results)}\n\n`);
const within = results.every(
  (each) => each.regression !== null || each.outside || each.judges.Sluice.all.aborted <= allowance(runs),
);
conclude(
  'judges',
  flags,
  { runs, cost, partsCost, results: results.map(({ at: _at, ...rest }) => rest) },
  within,
);

function partsLine({ segments, instances, wellUs, sickUs }) {
  const inMs = (us) => (us / 1000).toFixed(2);
  return `  ${segments} segments × ${instances} instances: ${inMs(wellUs)}; ${inMs(sickUs)}`;
}

function chosen(id) {
  return flags.only === '' || flags.only.split(',').includes(id);
}

/** More false aborts than this have a chance below 1 in 1000 at a rate of 1 %. */
function allowance(count) {
  let chance = 0.99 ** count;
  let sum = chance;
  let most = 0;
  for (; sum < 0.999; most += 1) {
    chance *= ((count - most) / (most + 1)) * (0.01 / 0.99);
    sum += chance;
  }
  return most;
}

/** One run: the traffic is drawn once, all judges see it. */
function runOnce(scenario, run) {
  const random = new Random(flags.seed * 100_003 + run, SCENARIOS.indexOf(scenario));
  const traffic = simulate(scenario, horizonS, random, kinds);
  const scraped = new Scraped(traffic, random);
  const fromS = BEFORE_S + (scenario.regression?.fromS ?? 0);
  const exposed = exposure(scenario, traffic.arms.canary);
  const told = ({ abortAtS, passedAtS }) => ({
    abortS: abortAtS === null ? null : abortAtS - fromS,
    exposed: Math.max(
      0,
      exposed[Math.min(abortAtS ?? traffic.seconds, traffic.seconds) - 1] - exposed[fromS - 1],
    ),
    passedS: passedAtS === null ? null : passedAtS - BEFORE_S,
  });
  const judged = { Sluice: { all: told(judgeRun(ours, traffic)) } };
  for (const { name, judge } of COMPETITORS) {
    judged[name] = Object.fromEntries(
      scenario.metrics.map((metric) => [metric, told(judge(scraped, metric, random))]),
    );
  }
  return judged;
}

/** Cumulative requests that users got from a canary gone bad: failures, or all where it is slow. */
function exposure({ metrics, retried }, arm) {
  const perSecond = metrics[0] !== 'errors' ? arm.total : retried ? arm.failures : arm.bad;
  let sum = 0;
  return Float64Array.from(perSecond, (count) => {
    sum += count;
    return sum;
  });
}
