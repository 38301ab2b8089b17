/**
 * What the small things cost that happen per request or per tick: an assignment, a histogram record, a judge's
 * tick. In-process loops over the build; measures no I/O.
 * @module
 */

import { readFlags } from '../rig/flags.mjs';
import { quartiles, table } from '../rig/numbers.mjs';
import { conclude } from '../rig/results.mjs';
import { load, splitDocument } from '../rig/sluice.mjs';

const flags = readFlags({
  /** Samples per case; the median and quartiles are shown. */
  samples: 15,
  /** Milliseconds of each sample. */
  sample: 80,
  dist: 'dist',
});
const { compileAssigner } = await load(flags.dist, 'core/split/assign.js');
const { Histogram } = await load(flags.dist, 'core/analysis/histogram.js');
const { createSequentialJudge, emptyMemory } = await load(flags.dist, 'core/analysis/sequential-judge.js');
const { SecondLedger } = await load(flags.dist, 'core/analysis/second-ledger.js');
const { emptyWindow, foldSummary } = await load(flags.dist, 'core/analysis/evidence-window.js');
const { NO_OUTCOMES } = await load(flags.dist, 'core/domain/telemetry.js');

const KEYS = 4096;
const MINUTE = 60_000;
/** Keeps results alive, so that no loop is optimised away. */
let sink = 0;

const cases = [
  assignment('assignment, key of 11 characters', (i) => `user-${String(i).padStart(6, '0')}`),
  assignment('assignment, UUID of 36 characters', (i) => uuidLike(i)),
  assignment(
    'assignment, key of 64 bytes with UTF-8',
    (i) => `${'ü'.repeat(30)}${String(i).padStart(4, '0')}`,
  ),
  {
    name: 'assignment, three versions',
    unit: 'ns',
    run: assigner({ ...split(), weights: { v1: 6000, v2: 1000, v3: 3000 } }, (i) => uuidLike(i)),
  },
  { name: 'compile a split', unit: 'ns', run: compile },
  { name: 'histogram record', unit: 'ns', run: recording() },
  judgeSecond('a second of 10 gateways summed, bet on and judged, 3 rules', 10),
  folding('fold a summary of one gateway and second', 1),
];

const results = cases.map(({ name, unit, run }) => {
  const perCallNs = measure(run);
  const scale = unit === 'µs' ? 1000 : 1;
  return { name, unit, ...mapValues(quartiles(perCallNs), (value) => value / scale) };
});
const rows = results.map(({ name, unit, low, mid, high }) => [
  name,
  `${format(mid)} ${unit}`,
  `${format(low)} to ${format(high)}`,
]);
process.stdout.write(`${table(['per call', 'median', 'quartiles'], rows)}\n\n`);
conclude('split', flags, { results, sink }, true);

/** Nanoseconds per call, one figure per sample. `run(n)` makes n calls. */
function measure(run) {
  let calls = 1;
  for (let tookMs = 0; tookMs < flags.sample; ) {
    calls *= 2;
    tookMs = time(run, calls);
  }
  return Array.from({ length: flags.samples }, () => (time(run, calls) / calls) * 1e6);
}

function time(run, calls) {
  const startMs = performance.now();
  sink += run(calls);
  return performance.now() - startMs;
}

function split() {
  return splitDocument({ revision: 1, canaryBp: 1000 });
}

function assignment(name, key) {
  return { name, unit: 'ns', run: assigner(split(), key) };
}

function assigner(document, key) {
  const assign = compileAssigner(document, ['v1', 'v2', 'v3'], 'orders');
  const keys = Array.from({ length: KEYS }, (_, i) => key(i));
  return (calls) => {
    let canary = 0;
    for (let i = 0; i < calls; i += 1) if (assign(keys[i & (KEYS - 1)]) === 'v2') canary += 1;
    return canary;
  };
}

function compile(calls) {
  const document = split();
  let made = 0;
  for (let i = 0; i < calls; i += 1) made += compileAssigner(document, ['v1', 'v2'], 'orders').length;
  return made;
}

function recording() {
  const histogram = new Histogram();
  const values = latencies(KEYS);
  return (calls) => {
    for (let i = 0; i < calls; i += 1) histogram.record(values[i & (KEYS - 1)]);
    return histogram.total;
  };
}

function judgeSecond(name, gateways) {
  const rule = (text, condition) => ({
    text,
    condition,
    overMs: 5 * MINUTE,
    forMs: 0,
    minRequests: 100,
    floor: null,
    source: 'telemetry',
  });
  const plan = {
    rollout: 'orders-v2',
    service: 'orders',
    baseline: 'v1',
    canary: 'v2',
    steps: [{ weightBp: 1000, holdMs: 10 * MINUTE, minHoldMs: MINUTE, requests: 0, gate: null }],
    abort: [
      rule('5xx > 2x', { kind: 'rate-ratio', factor: 2 }),
      rule('p95 > +50%', { kind: 'quantile-ratio', quantile: 0.95, factor: 1.5 }),
      rule('p99 > 800ms', { kind: 'quantile-limit', quantile: 0.99, limitMs: 800 }),
    ],
    advance: 'proven',
    falseAbort: 0.01,
    onNoEvidence: { afterMs: MINUTE, action: 'hold' },
    onOperatorLoss: { afterMs: 30_000, action: 'baseline' },
    schedule: null,
    notify: [],
    salt: 'orders/orders-v2',
    matches: [],
  };
  const judge = createSequentialJudge(plan, emptyMemory(plan));
  const ledger = new SecondLedger(plan, 0);
  const made = Array.from({ length: gateways }, (_, gateway) => summary(gateway, 0).versions);
  let second = 0;
  const once = () => {
    for (let gateway = 0; gateway < gateways; gateway += 1)
      ledger.fold({ ...summaryOf(gateway, second), versions: made[gateway] }, second * 1000 + 1100);
    for (const closed of ledger.close(second * 1000 + 1100)) judge.add(closed);
    second += 1;
    const nowMs = second * 1000;
    return judge.check({
      step: 0,
      weightBp: 1000,
      revision: 1,
      stale: false,
      samples: [null, null, null],
      nowMs,
    });
  };
  // The windows are full from the start.
  for (let i = 0; i < 300; i += 1) once();
  if (once().checks.some(({ verdict }) => verdict === 'no-evidence'))
    throw new Error('the judge saw no evidence');
  const run = (calls) => {
    let failed = 0;
    for (let i = 0; i < calls; i += 1)
      for (const { verdict } of once().checks) if (verdict === 'fail') failed += 1;
    return failed;
  };
  return { name, unit: 'µs', run };
}

function folding(name) {
  let window = emptyWindow(5 * MINUTE);
  let second = 0;
  const versions = summary(0, 0).versions;
  const run = (calls) => {
    for (let i = 0; i < calls; i += 1) {
      second += 1;
      window = foldSummary(window, { ...summaryOf(0, second), versions });
    }
    return window.buckets.length;
  };
  return { name, unit: 'µs', run };
}

/** A second of one gateway at about 1000 requests. */
function summary(gateway, second) {
  return { ...summaryOf(gateway, second), versions: { v1: traffic(900), v2: traffic(100) } };
}

function summaryOf(gateway, second) {
  return {
    service: 'orders',
    gateway: `gateway-${gateway}`,
    incarnation: 'bench',
    sequence: second + 1,
    secondMs: second * 1000,
    revision: 1,
  };
}

function traffic(requests) {
  const histogram = new Histogram();
  for (const value of latencies(requests)) histogram.record(value);
  const outcomes = { ...NO_OUTCOMES, status2xx: requests - 1, status5xx: 1 };
  const view = { outcomes, latencyUs: histogram.toWire() };
  return { attempts: view, responses: view };
}

/** Spread over 1 ms to about 150 ms, the same every time. */
function latencies(count) {
  return Array.from({ length: count }, (_, i) => Math.round(1000 * Math.exp(((i * 7919) % 1000) / 200)));
}

function uuidLike(i) {
  const hex = (Math.imul(i + 1, 0x9e3779b1) >>> 0).toString(16).padStart(8, '0');
  return `${hex}-${hex.slice(0, 4)}-4${hex.slice(1, 4)}-8${hex.slice(2, 5)}-${hex}${hex.slice(0, 4)}`;
}

function mapValues(record, change) {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
}

function format(value) {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
