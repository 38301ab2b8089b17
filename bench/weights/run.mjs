/**
 * How long a weight change takes from the operator's write to every gateway's acknowledgement, over a real
 * Redis with two gateways under load, and whether any request is lost on the way.
 * @module
 */

import { readFlags } from '../rig/flags.mjs';
import { quantile, table } from '../rig/numbers.mjs';
import { startOverRedis } from '../rig/over-redis.mjs';
import { openMonitor } from '../rig/redis-monitor.mjs';
import { conclude } from '../rig/results.mjs';
import { load, splitDocument } from '../rig/sluice.mjs';

const flags = readFlags({
  /** Weight changes per phase. */
  changes: 250,
  /** Milliseconds from one change to the next, at least. */
  every: 40,
  /** Requests per second in all of the paced phase. */
  rate: 1000,
  connections: 32,
  dist: 'dist',
});
const NAMES = ['gateway-a', 'gateway-b'];
const APPLY_TIMEOUT_MS = 10_000;
const SETTLE_MS = 1_000;

const rig = await startOverRedis({ dist: flags.dist, names: NAMES });
const { redis, generator } = rig;
const { openRedis } = await load(flags.dist, 'adapters/redis/open-redis.js');
const { serviceKeys } = await load(flags.dist, 'adapters/redis/keys.js');
const backend = await openRedis({ url: redis.url });

const seen = new Map();
let wake = () => {};
const entryOf = (revision) => {
  const entry = seen.get(revision) ?? { write: null, acknowledgements: new Map() };
  seen.set(revision, entry);
  return entry;
};
const monitor = await openMonitor({
  port: redis.port,
  keys: serviceKeys('orders'),
  onWrite: (write) => {
    entryOf(write.revision).write = write;
    wake();
  },
  onAcknowledgement: (acknowledgement) => {
    const { acknowledgements } = entryOf(acknowledgement.revision);
    // Repeated every two seconds as a sign of life: the first one counts.
    if (!acknowledgements.has(acknowledgement.gateway)) {
      acknowledgements.set(acknowledgement.gateway, acknowledgement);
    }
    wake();
  },
});

let revision = 0;
const phases = [];
phases.push(await phase('paced', flags.rate));
phases.push(await phase('saturated', null));
const last = await everybodyOn('v1', 0);
const first = await everybodyOn('v2', 10_000);

monitor.close();
await backend.close();
const ended = await rig.stop();

const head = ['load', 'from the call to', 'n', 'p50 ms', 'p99 ms', 'max ms'];
const rows = phases.flatMap(({ label, samples }) =>
  [
    ...NAMES.map((name) => [`${name} acknowledged`, samples.byGateway[name]]),
    ['both acknowledged', samples.both],
    ["the same by Redis's clock", samples.bothByRedis],
  ].map(([what, values], index) => [
    index === 0 ? label : '',
    what,
    values.length,
    ...[0.5, 0.99, 1].map((q) => quantile(values, q).toFixed(2)),
  ]),
);
const loadHead = ['load', 'changes', 'requests answered', 'requests/s', 'p99 ms', 'dropped or wrong'];
const loadRows = phases.map(({ label, samples, traffic }) => [
  label,
  samples.both.length,
  traffic.answered,
  Math.round((traffic.answered / traffic.elapsedMs) * 1000),
  traffic.p99Ms.toFixed(2),
  traffic.errorCount,
]);
const failures = [
  ...phases.flatMap(({ label, traffic }) => traffic.examples.map((example) => `${label}: ${example}`)),
  ...[last, first].filter(({ ok }) => !ok).map(({ text }) => text),
  ...ended.map((code, index) => (code === 0 ? '' : `${NAMES[index]} ended with ${code}`)).filter(Boolean),
];
process.stdout.write(
  `${table(head, rows)}\n\n${table(loadHead, loadRows)}\n\n${last.text}\n${first.text}\n` +
    `${failures.length === 0 ? 'no request was lost' : `FAILED:\n${failures.join('\n')}`}\n`,
);
conclude('weights', flags, { phases, ended, checks: [last, first] }, failures.length === 0);

/** Load on both gateways, and one change after the other, each waited for. */
async function phase(label, requestsPerSecond) {
  await generator.ask('begin', loadOptions(requestsPerSecond));
  await pause(SETTLE_MS);
  await generator.ask('look');
  const samples = {
    byGateway: Object.fromEntries(NAMES.map((name) => [name, []])),
    both: [],
    bothByRedis: [],
  };
  const startMs = performance.now();
  for (let i = 0; i < flags.changes; i += 1) {
    const begunMs = performance.now();
    const entry = await change(i % 2 === 0 ? 1000 + i : 9000 - i);
    const arrivals = NAMES.map((name) => entry.acknowledgements.get(name));
    arrivals.forEach(({ arrivedMs }, index) => {
      samples.byGateway[NAMES[index]].push(arrivedMs - entry.calledMs);
    });
    samples.both.push(Math.max(...arrivals.map(({ arrivedMs }) => arrivedMs)) - entry.calledMs);
    samples.bothByRedis.push(Math.max(...arrivals.map(({ redisMs }) => redisMs)) - entry.write.redisMs);
    await pause(Math.max(0, flags.every - (performance.now() - begunMs)));
  }
  const elapsedMs = performance.now() - startMs;
  const traffic = { ...(await generator.ask('finish')), elapsedMs };
  const name =
    requestsPerSecond === null ? `${flags.connections} connections, saturated` : `${requestsPerSecond}/s`;
  return { label: name, phase: label, samples, traffic };
}

/** Writes the next revision and waits until both gateways have acknowledged it. */
async function change(canaryBp) {
  revision += 1;
  const entry = entryOf(revision);
  entry.calledMs = performance.now();
  const written = await backend.channel.write(splitDocument({ revision, canaryBp }));
  if (!written.ok) throw new Error(`revision ${revision} was refused: ${written.cause}`);
  const complete = () => entry.write !== null && NAMES.every((name) => entry.acknowledgements.has(name));
  await new Promise((resolve, reject) => {
    const timer = setTimeout(
      () =>
        reject(new Error(`revision ${revision} was not acknowledged: ${[...entry.acknowledgements.keys()]}`)),
      APPLY_TIMEOUT_MS,
    );
    wake = () => {
      if (!complete()) return;
      clearTimeout(timer);
      resolve();
    };
    wake();
  });
  wake = () => {};
  return entry;
}

/** An acknowledgement must mean it: once both have acknowledged, every new request gets the version. */
async function everybodyOn(version, canaryBp) {
  await change(canaryBp);
  const result = await generator.ask('measure', {
    ...loadOptions(flags.rate),
    pid: null,
    warmupMs: 0,
    windowMs: SETTLE_MS,
  });
  const others = Object.entries(result.byVersion).filter(([name]) => name !== version);
  const ok = others.length === 0 && result.answered > 0 && result.errorCount === 0;
  const share = `${result.byVersion[version] ?? 0} of ${result.answered}`;
  return { ok, text: `after all had acknowledged ${version} at 100 %: ${share} requests went there` };
}

function loadOptions(requestsPerSecond) {
  return rig.load({ connections: flags.connections, requestsPerSecond });
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
