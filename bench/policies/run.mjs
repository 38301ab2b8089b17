/**
 * What each policy costs on the hot path: microseconds of CPU per request of a gateway with one route, the policy off
 * and on, in alternating batches of the same requests.
 * @module
 */

import { readFlags } from '../rig/flags.mjs';
import { pinning, startProcess } from '../rig/process-tree.mjs';
import { conclude } from '../rig/results.mjs';
import { ROOT, scratchFolder, startLoad, startRedis } from '../rig/sluice.mjs';
import { openCheck } from './check.mjs';
import { measure } from './measure.mjs';
import { costOf, MIN_ROUNDS, noiseOf, tableOf } from './report.mjs';
import { SCENARIOS, scenarioOf } from './scenarios.mjs';
import { openUpstream } from './upstream.mjs';
import { writeFiles } from './world.mjs';

const DEFAULTS = {
  /** Rounds of one batch for each side. */
  rounds: 12,
  /** Requests of a batch. */
  requests: 1_000,
  /** Requests to each side before the first round, so that its code is compiled. */
  warmup: 5_000,
  /** Ids of scenarios, with commas; empty: all. */
  only: '',
  /** Only whether every scenario's files load and its gateways answer as expected. */
  check: false,
  quick: false,
  dist: 'dist',
};
const QUICK = { rounds: MIN_ROUNDS, requests: 100, warmup: 300 };

const quick = process.argv.includes('--quick');
const flags = readFlags(quick ? { ...DEFAULTS, ...QUICK } : DEFAULTS);
if (flags.rounds < MIN_ROUNDS) throw new Error(`--rounds ${flags.rounds}: expected at least ${MIN_ROUNDS}`);

const files = writeFiles(scratchFolder());
const chosen = flags.only === '' ? SCENARIOS : flags.only.split(',').map(scenarioOf);
const scenarios = chosen.filter(({ needs }) => needs === null || files[needs] !== null);
const leftOut = chosen.filter((each) => !scenarios.includes(each));
for (const { label } of leftOut) process.stdout.write(`left out, because there is no openssl: ${label}\n`);
const redis = scenarios.some((each) => each.redis) ? await startRedis(files.folder, false) : null;
const redisUrl = redis === null ? null : redis.url;

await (flags.check ? checkAll() : measureAll());
await redis?.stop();

async function checkAll() {
  const upstream = await openUpstream(files.certificate);
  const world = { ...files, ports: upstream.ports };
  const flawsOf = await openCheck({ world, dist: flags.dist, redisUrl });
  let flawed = 0;
  for (const scenario of scenarios) {
    const flaws = await flawsOf(scenario);
    if (flaws.length === 0) continue;
    flawed += 1;
    process.stdout.write(`${flaws.join('\n')}\n`);
  }
  await upstream.close();
  process.stdout.write(
    `${scenarios.length - flawed} of ${scenarios.length} scenarios load and answer as expected\n`,
  );
  process.exitCode = flawed === 0 ? 0 : 1;
}

async function measureAll() {
  const pinned = pinning();
  const core = pinned ? { gateway: 0, rest: 1 } : { gateway: null, rest: null };
  const { cert, key } = files.certificate ?? {};
  const upstream = startProcess(
    process.execPath,
    [`${ROOT}/bench/policies/upstream.mjs`, ...(cert ? [cert, key] : [])],
    { core: core.rest },
  );
  const ports = JSON.parse((await upstream.matching(/^listening (.*)$/))[1]);
  const generator = startLoad(core.rest, `${ROOT}/bench/policies/load.mjs`);
  const costs = [];
  for (const scenario of scenarios) {
    const rounds = await measure(scenario, {
      ...flags,
      world: { ...files, ports },
      generator,
      core: core.gateway,
      redisUrl,
    });
    const cost = costOf(scenario, rounds);
    costs.push(cost);
    // A row at a time for those who wait; the whole table, which knows the noise, comes at the end.
    process.stderr.write(`${scenario.label}: ${cost.off.toFixed(1)} off, ${cost.on.toFixed(1)} on\n`);
  }
  generator.child.disconnect();
  await Promise.all([generator.exited, upstream.stop()]);

  const noise = noiseOf(costs);
  const faulty = costs.filter(({ faults }) => faults.length > 0);
  process.stdout.write(
    `Microseconds of CPU per request, medians of ${flags.rounds} rounds of ${flags.requests} requests each\n` +
      `${pinned ? 'gateways on core 0; upstream and load generator on core 1\n' : 'not pinned: figures are rougher\n'}\n` +
      `${tableOf(costs, noise)}\n\n` +
      `noise: two bare routes differed by up to ${noise.toFixed(1)} µs in this run\n` +
      `${faulty.length === 0 ? 'every answer was as expected\n' : `WRONG ANSWERS:\n${faulty.map(({ id, faults }) => `${id}: ${JSON.stringify(faults)}`).join('\n')}\n`}`,
  );
  const result = { pinned, noise, costs, leftOut: leftOut.map(({ id }) => id) };
  conclude('policies', flags, result, faulty.length === 0);
}
