/**
 * Proxied requests per second and CPU per request of Sluice beside other gateways, in one interleaved run:
 * every round measures each proxy once, so that the machine's moods meet all of them alike.
 * @module
 */

import { readFileSync } from 'node:fs';
import { readFlags } from '../rig/flags.mjs';
import { pinning } from '../rig/process-tree.mjs';
import { conclude } from '../rig/results.mjs';
import { scratchFolder, startLoad, startUpstream } from '../rig/sluice.mjs';
import { startContenders } from './contenders.mjs';
import { report } from './report.mjs';

const DEFAULTS = {
  rounds: 10,
  /** Milliseconds measured per proxy and round. */
  window: 2500,
  /** Milliseconds of load before each window. */
  settle: 400,
  /** Requests to each proxy before the first round, so that its code is compiled. */
  warmup: 20_000,
  connections: 64,
  bytes: 1024,
  quick: false,
  dist: 'dist',
  /** Node's flags for Sluice's process, such as --cpu-prof. */
  'node-flags': '',
};
const QUICK = { rounds: 8, window: 600, settle: 100, warmup: 5000 };
const quick = process.argv.includes('--quick');
const flags = readFlags(quick ? { ...DEFAULTS, ...QUICK } : DEFAULTS);

const pinned = pinning();
const cores = pinned ? { proxy: 0, rest: 1 } : { proxy: null, rest: null };
const folder = scratchFolder();
const upstream = await startUpstream(flags.bytes, cores.rest);
const generator = startLoad(cores.rest);
const nodeFlags = flags['node-flags'].split(' ').filter((flag) => flag !== '');
const contenders = await startContenders({
  dist: flags.dist,
  upstream,
  core: cores.proxy,
  folder,
  nodeFlags,
});

const measure = (contender, options) =>
  generator.ask('measure', {
    targets: [{ host: '127.0.0.1', port: contender.port }],
    connections: flags.connections,
    bytes: flags.bytes,
    requestsPerSecond: null,
    answersPerConnection: null,
    sticky: contender.sticky,
    pid: contender.pid,
    warmupRequests: 0,
    warmupMs: flags.settle,
    windowMs: flags.window,
    ...options,
  });

process.stdout.write(
  `${flags.rounds} interleaved rounds of ${flags.window} ms, ${flags.connections} connections, ${flags.bytes} bytes a body\n` +
    (pinned
      ? 'proxies on core 0; upstream and load generator on core 1\n'
      : 'not pinned: there is no taskset here, or one core only; figures are rougher\n'),
);
const direct = { port: upstream.v1, pid: null, sticky: false };
const ceiling = await measure(direct, { windowMs: Math.min(1000, flags.window) });
const rounds = [];
const faults = [];
const note = (where, result) => {
  if (result.errorCount > 0) faults.push({ where, errors: result.errors, examples: result.examples });
};
for (const contender of contenders) {
  note(
    `${contender.name}, warm-up`,
    await measure(contender, { warmupRequests: flags.warmup, warmupMs: 0, windowMs: 0 }),
  );
}
for (let round = 0; round < flags.rounds; round += 1) {
  const results = {};
  // A different one comes first in each round.
  for (let i = 0; i < contenders.length; i += 1) {
    const contender = contenders[(round + i) % contenders.length];
    const result = await measure(contender, {});
    note(`${contender.name}, round ${round + 1}`, result);
    results[contender.name] = {
      ...result,
      requestsPerSecond: (result.answered / result.elapsedMs) * 1000,
      cpuUsPerRequest: (result.cpuUs.user + result.cpuUs.kernel) / result.answered,
      coreShare: (result.cpuUs.user + result.cpuUs.kernel) / (result.elapsedMs * 1000),
      userUs: result.cpuUs.user / result.answered,
      kernelUs: result.cpuUs.kernel / result.answered,
    };
  }
  rounds.push(results);
}
const metrics = await (await fetch(`http://127.0.0.1:${contenders[0].adminPort}/metrics`)).text();
const ended = await Promise.all([...contenders, upstream].map(({ stop }) => stop()));
generator.child.disconnect();
await generator.exited;

const lost = /^sluice_access_log_dropped_total (\d+)/m.exec(metrics)?.[1];
const logged = countLines(contenders[0].logPath);
const summary = report({ flags, contenders, rounds, ceiling, faults });
process.stdout.write(
  `${summary.text}\n\naccess log: ${logged} lines written, ${lost ?? 'unknown'} dropped\n`,
);
if (ended[0] !== 0)
  process.stdout.write(`Sluice ended with ${ended[0]}\n${contenders[0].errors.join('\n')}\n`);
const figures = {
  pinned,
  contenders: contenders.map(({ name, label }) => ({ name, label })),
  ceiling,
  rounds,
  faults,
  accessLog: { lines: logged, dropped: Number(lost) },
  summary: summary.figures,
};
conclude('gateway', flags, figures, faults.length === 0 && ended[0] === 0);

function countLines(file) {
  let lines = 0;
  for (const byte of readFileSync(file)) if (byte === 0x0a) lines += 1;
  return lines;
}
