/**
 * What the judge costs where traffic is counted apart by many segments and instances: CPU time per second with a look
 * after each, while all is well and while one instance fails. Every part has latencies, as gateways send them.
 * @module
 */

import { judgeSeconds } from './cost.mjs';
import { Random } from './random.mjs';
import { BEFORE_S, secondOf, simulate } from './traffic.mjs';

const RPS = 5_000;
const WEIGHT = 0.2;
const RATE = 0.005;
/** Of the requests to the instance that fails. */
const SICK_RATE = 0.5;
/** Seconds that are drawn; they are judged over and over, moved on in time. */
const DRAWN_S = 60;
/** Bins of a latency that count as one in what gateways send of a part. */
const COARSE = 8;

const SIZES = [
  { segments: 3, instances: 4 },
  { segments: 64, instances: 32 },
  { segments: 64, instances: 256 },
];

/** By size: microseconds of CPU for each second. */
export function measurePartsCost(ours, kinds, quick) {
  const count = (quick ? 2 : 10) * DRAWN_S;
  return SIZES.map((size) => ({
    ...size,
    wellUs: judgeSeconds(ours, draw(ours, kinds, size, RATE), count, true),
    sickUs: judgeSeconds(ours, draw(ours, kinds, size, SICK_RATE), count, true),
  }));
}

export function draw(ours, kinds, { segments, instances }, sickRate) {
  const random = new Random(7, instances);
  const version = { rate: RATE };
  const scenario = { at: () => ({ rps: RPS, weight: WEIGHT, canary: version, baseline: version }) };
  const traffic = simulate(scenario, DRAWN_S, random, kinds);
  return Array.from({ length: DRAWN_S }, (_, at) => {
    const { canary, baseline } = secondOf(traffic, BEFORE_S + at, ours);
    const pods = parted(canary.latencyUs, instances, random);
    fail(pods, (pod) => (pod === 0 ? sickRate : RATE), random);
    const ofCanary = parted(canary.latencyUs, segments, random);
    const ofBaseline = parted(baseline.latencyUs, segments, random);
    for (const parts of [ofCanary, ofBaseline]) fail(parts, () => RATE, random);
    const bad = pods.reduce((sum, pod) => sum + pod.bad, 0);
    return {
      canary: { ...canary, bad, distinctBad: bad },
      baseline,
      segments: Object.fromEntries(
        ofCanary.map((part, n) => [`route=r${n}`, { canary: part, baseline: ofBaseline[n] }]),
      ),
      instances: Object.fromEntries(pods.map((pod, n) => [`http://10.0.0.${n}:80`, pod])),
    };
  });
}

/** Every request in one part or other. */
function parted(latencyUs, count, random) {
  const bins = Array.from({ length: count }, () => new Map());
  for (let at = 0; at < latencyUs.length; at += 2) {
    const bin = latencyUs[at] - (latencyUs[at] % COARSE);
    for (let left = latencyUs[at + 1]; left > 0; left -= 1) {
      const part = bins[Math.floor(random.uniform() * count)];
      part.set(bin, (part.get(bin) ?? 0) + 1);
    }
  }
  return bins.map((part) => {
    const total = [...part.values()].reduce((sum, each) => sum + each, 0);
    const wire = [...part].sort(([a], [b]) => a - b).flat();
    return { total, bad: 0, distinctBad: 0, seen: total, latencyUs: wire };
  });
}

function fail(parts, rateOf, random) {
  for (const [at, part] of parts.entries()) {
    part.bad = random.binomial(part.total, rateOf(at));
    part.distinctBad = part.bad;
  }
}
