/**
 * The scenarios: identical versions at many levels and shapes of traffic, and regressions, each with the healthy
 * scenario that tells how often a judge aborts without cause. Knows no judge.
 * @module
 */

import { ROUTE_SHARES } from './traffic.mjs';

const PODS = 20;
/** A pod dies for so long, about once in this many seconds. */
const POD_DOWN_S = 10;
const POD_EVERY_S = 6000;

const steady = (rps, weight, rate, more = {}) => ({
  rps,
  weight,
  canary: { rate, ...more },
  baseline: { rate, ...more },
});
const wave = (s, periodS, depth) => 1 + depth * Math.sin((2 * Math.PI * s) / periodS);
const ramp = (s) => [0.01, 0.05, 0.25, 0.5][Math.min(3, Math.max(0, Math.floor(s / 450)))];

/** `outside`: the versions do differ, or fail in clusters that nothing tells apart; no promise covers that. */
function healthy(id, title, at, more = {}) {
  return { id, title, at, regression: null, metrics: ['errors', 'p95', 'p99'], ...more };
}

/** As `twin`, but for the canary from `fromS` on; `metric`: what the competitors watch; `goal`: of Sluice. */
function worse(id, title, twin, { canary, fromS = 0, metric = 'errors', ...more }) {
  const before = SAME.find((each) => each.id === twin);
  const at = (s, random) => {
    const state = before.at(s, random);
    return s < fromS ? state : { ...state, canary: { ...state.canary, ...canary } };
  };
  return { id, title, at, twin, regression: { fromS }, metrics: [metric], retried: before.retried, ...more };
}

const flat = (...state) => {
  const always = steady(...state);
  return () => always;
};

function bitSlower(rps) {
  const state = steady(rps, 0.05, 0.005);
  return () => ({ ...state, canary: { ...state.canary, latency: 'tenth-slower' } });
}

const SAME = [
  healthy('same-2', '2 rps, 10 %, 0.5 % 5xx', flat(2, 0.1, 0.005)),
  healthy('same-20', '20 rps, 5 %, 0.5 %', flat(20, 0.05, 0.005)),
  healthy('same-200', '200 rps, 5 %, 0.5 %', flat(200, 0.05, 0.005)),
  healthy('same-200-w1', '200 rps, 1 %, 0.5 %', flat(200, 0.01, 0.005)),
  healthy('same-200-w50', '200 rps, 50 %, 0.5 %', flat(200, 0.5, 0.005)),
  healthy('same-200-0.1%', '200 rps, 5 %, 0.1 %', flat(200, 0.05, 0.001)),
  healthy('same-200-1%', '200 rps, 5 %, 1 %', flat(200, 0.05, 0.01)),
  healthy('same-200-none', '200 rps, 5 %, no 5xx at all', flat(200, 0.05, 0)),
  healthy('same-2000', '2000 rps, 5 %, 0.5 %', flat(2000, 0.05, 0.005)),
  healthy('same-2000-0.1%', '2000 rps, 5 %, 0.1 %', flat(2000, 0.05, 0.001)),
  healthy('same-20000', '20 000 rps, 0.1 %, 0.5 %', flat(20_000, 0.001, 0.005)),
  healthy('diurnal', '200 rps swinging by 70 %, errors too', (s) =>
    steady(200 * wave(s, 1500, 0.7), 0.05, 0.005 * wave(s, 1100, 0.6)),
  ),
  healthy('incident', '200 rps, for 2 min both versions fail 20 % and are slow', (s) =>
    s >= 600 && s < 720 ? steady(200, 0.05, 0.2, { latency: 'slower' }) : steady(200, 0.05, 0.005),
  ),
  healthy('ramp', '200 rps, weight 1 → 5 → 25 → 50 %', (s) => steady(200, ramp(s), 0.005)),
  healthy('clustered', '200 rps, each failing key fails 5 times', flat(200, 0.05, 0.005, { cluster: 5 })),
  healthy('pods', '200 rps, 10 %, pods of either version die for 10 s', podsDie, { outside: true }),
  healthy('bit-slower', '200 rps, the canary 10 % slower: within the rule', bitSlower(200), {
    outside: true,
  }),
  healthy('bit-slower-20', '20 rps, the canary 10 % slower: within the rule', bitSlower(20), {
    outside: true,
  }),
  healthy('retried', '200 rps, 5 % of attempts fail, a retry hides most', flat(200, 0.05, 0.05), {
    retried: true,
  }),
];

/** Twenty pods by weight; the state is of the run, so it starts anew with the first second. */
function podsDie(s, random) {
  if (s <= -600) podsDie.until = Array(PODS).fill(Number.NEGATIVE_INFINITY);
  const down = podsDie.until;
  for (let pod = 0; pod < PODS; pod += 1) if (random.uniform() < 1 / POD_EVERY_S) down[pod] = s + POD_DOWN_S;
  const share = (from, to) => down.slice(from, to).filter((until) => until > s).length / (to - from);
  const state = steady(200, 0.1, 0.005);
  const rateOf = (pod) => (down[pod] > s ? 1 : 0.005);
  return {
    ...state,
    canary: {
      rate: (rateOf(0) + rateOf(1)) / 2,
      pods: [rateOf(0), rateOf(1)].map((rate) => ({ share: 0.5, rate })),
    },
    baseline: { rate: 0.005 + 0.995 * share(2, PODS) },
  };
}

const WORSE = [
  worse('0.1-0.3', '0.1 → 0.3 %, 200 rps', 'same-200-0.1%', { canary: { rate: 0.003 } }),
  worse('0.1-0.3-2000', '0.1 → 0.3 %, 2000 rps', 'same-2000-0.1%', {
    canary: { rate: 0.003 },
    goal: { medianS: 75 },
  }),
  worse('0.5-1', '0.5 → 1 %, 200 rps', 'same-200', {
    canary: { rate: 0.01 },
    goal: { medianS: 360, p90S: 900, exposed: 45 },
  }),
  worse('0.5-1-2000', '0.5 → 1 %, 2000 rps', 'same-2000', {
    canary: { rate: 0.01 },
    goal: { medianS: 60, exposed: 60 },
  }),
  worse('0.5-1-20', '0.5 → 1 %, 20 rps (low traffic)', 'same-20', { canary: { rate: 0.01 } }),
  worse('0.5-5', '0.5 → 5 %, 200 rps', 'same-200', {
    canary: { rate: 0.05 },
    goal: { medianS: 20, exposed: 12 },
  }),
  worse('1-2.5', '1 → 2.5 %, 200 rps', 'same-200-1%', { canary: { rate: 0.025 } }),
  worse('0-0.5', '0 → 0.5 %, 200 rps', 'same-200-none', { canary: { rate: 0.005 } }),
  worse('break', 'everything fails, 1 % of 200 rps', 'same-200-w1', {
    canary: { rate: 1 },
    goal: { medianS: 5 },
  }),
  worse('break-20', 'everything fails, 5 % of 20 rps', 'same-20', {
    canary: { rate: 1 },
    goal: { medianS: 12 },
  }),
  worse('late-break', 'everything fails after 10 min, 200 rps', 'same-200', {
    canary: { rate: 1 },
    fromS: 600,
    goal: { medianS: 5, exposed: 50 },
  }),
  worse('late', '0.5 → 1.5 % after 10 min, 200 rps', 'same-200', { canary: { rate: 0.015 }, fromS: 600 }),
  worse('p95', 'p95 +50 %, 200 rps', 'same-200', {
    canary: { latency: 'half-slower' },
    metric: 'p95',
    goal: { medianS: 12, exposed: 120 },
  }),
  worse('p95-20', 'p95 +50 %, 20 rps', 'same-20', { canary: { latency: 'half-slower' }, metric: 'p95' }),
  worse('slow-path', '8 % of requests 5x slower, 200 rps', 'same-200', {
    canary: { latency: 'slow-path' },
    metric: 'p95',
  }),
  worse('tail', '1.5 % of requests 10x slower, 200 rps', 'same-200', {
    canary: { latency: 'tail' },
    metric: 'p99',
    goal: { medianS: 120 },
  }),
  worse('hang', '2 % hang for 30 s, then 504, 200 rps', 'same-200', { canary: { hang: 0.02 } }),
  worse('clustered-3x', '0.5 → 1.5 % in clusters of 5, 200 rps', 'clustered', { canary: { rate: 0.015 } }),
  worse('instance', 'one of 10 instances fails 20 %, 200 rps', 'same-200', {
    canary: {
      rate: 0.9 * 0.005 + 0.1 * 0.2,
      pods: Array.from({ length: 10 }, (_, pod) => ({ share: 0.1, rate: pod === 3 ? 0.2 : 0.005 })),
    },
  }),
  worse('segment', '0.5 → 8 % for one tenth of requests, 200 rps', 'same-200', {
    canary: {
      rate: 0.9 * 0.005 + 0.1 * 0.08,
      routes: [0.005, 0.005, 0.08].map((rate, at) => ({ share: ROUTE_SHARES[at], rate })),
    },
  }),
  worse('ramp-3x', '0.5 → 1.5 % under the ramp, 200 rps', 'ramp', { canary: { rate: 0.015 } }),
  worse('retried-3x', '5 → 15 % of attempts fail, a retry hides most', 'retried', { canary: { rate: 0.15 } }),
];

export const SCENARIOS = [...SAME, ...WORSE];

/** Latencies by name, as `latencies` of `traffic.mjs` takes them. */
export const KINDS = {
  normal: {},
  slower: { factor: 3 },
  'tenth-slower': { factor: 1.1 },
  'half-slower': { factor: 1.5 },
  'slow-path': { factor: 5, share: 0.08 },
  tail: { factor: 10, share: 0.015 },
};
