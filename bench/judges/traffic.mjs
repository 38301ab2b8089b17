/**
 * Simulates the traffic of one run: what both versions did in every second, as Sluice's judge sees it (`Second`) and
 * as counters that a scrape would read. Knows no judge and no rule.
 * @module
 */

/** Seconds of the baseline alone before the canary gets traffic. */
export const BEFORE_S = 600;
/** Bounds of the latency buckets that are scraped, milliseconds: a quarter apart, finer than any default. */
export const BOUNDS_MS = Array.from({ length: 30 }, (_, i) => Math.round(10 * 1.25 ** i));
const BUCKETS = BOUNDS_MS.length + 1;

/** Shares of the traffic of the three routes that every scenario has. */
export const ROUTE_SHARES = [0.6, 0.3, 0.1];
/** Instances of a canary, unless the scenario says otherwise. */
const PODS = 4;

const MEDIAN_MS = 100;
const SPREAD = 0.5;
/** Bins per doubling that latencies are drawn from: each is one of the histogram's 64. */
const COARSE = 16;
const TABLE = 4096;
const HANG_S = 30;
/** A client that repeats a failing request waits so many seconds at most. */
const REPEAT_S = 3;

/** Latencies of one kind of version: lognormal, `factor` times slower for a `share` of requests. */
export function latencies(binOf, { factor = 1, share = 1 } = {}) {
  const chances = [];
  const from = Math.log2(MEDIAN_MS) - 3;
  for (let k = 0; k < COARSE * 12; k += 1) {
    const low = 2 ** (from + k / COARSE);
    const high = 2 ** (from + (k + 1) / COARSE);
    const mass = (slower) => logCdf(high / slower) - logCdf(low / slower);
    const chance = share * mass(factor) + (1 - share) * mass(1);
    if (chance > 1e-9) chances.push({ ms: Math.sqrt(low * high), chance });
  }
  const sum = chances.reduce((total, { chance }) => total + chance, 0);
  const bins = chances.map(({ ms }) => binOf(ms * 1000));
  const buckets = chances.map(({ ms }) => bucketOf(ms));
  const table = new Uint16Array(TABLE);
  let below = 0;
  for (let at = 0, i = 0; i < TABLE; i += 1) {
    while (at < chances.length - 1 && (below + chances[at].chance) / sum < (i + 0.5) / TABLE) {
      below += chances[at].chance;
      at += 1;
    }
    table[i] = at;
  }
  return { bins, buckets, chances: chances.map(({ chance }) => chance / sum), table };
}

function logCdf(ms) {
  const x = Math.log(ms / MEDIAN_MS) / SPREAD;
  if (x < -6) return 0;
  if (x > 6) return 1;
  let term = x;
  let total = x;
  for (let i = 3; Math.abs(term) > 1e-16; i += 2) {
    term *= (x * x) / i;
    total += term;
  }
  return 0.5 + (total * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI);
}

function bucketOf(ms) {
  const at = BOUNDS_MS.findIndex((bound) => ms <= bound);
  return at < 0 ? BOUNDS_MS.length : at;
}

/** One version's counters per second, and what was seen by users. */
class Arm {
  constructor(seconds) {
    this.total = new Float64Array(seconds);
    this.bad = new Float64Array(seconds);
    this.distinct = new Float64Array(seconds);
    /** What clients got: the same, but for what a retry hid. */
    this.answers = new Float64Array(seconds);
    this.failures = new Float64Array(seconds);
    /** Completed requests by second and latency bucket. */
    this.buckets = new Float64Array(seconds * BUCKETS);
    this.hung = new Float64Array(seconds);
    this.wires = Array.from({ length: seconds }, () => []);
    /** By second: attempts and failures of each route, and of each instance. */
    this.routes = Array.from({ length: seconds }, () => []);
    this.pods = Array.from({ length: seconds }, () => []);
  }
}

/**
 * `scenario.at(s)`: state of second s (0: the canary's first) as `{ rps, weight, canary, baseline }`, each side
 * `{ rate, cluster, hang, latency, routes, pods }`; parts as `{ share, rate }`, by default all alike. `kinds`: the latencies by name.
 */
export function simulate(scenario, horizonS, random, kinds) {
  const seconds = BEFORE_S + horizonS;
  const arms = { canary: new Arm(seconds), baseline: new Arm(seconds) };
  const weights = [];
  for (let s = 0; s < seconds; s += 1) {
    const state = scenario.at(s - BEFORE_S, random);
    const weight = s < BEFORE_S ? 0 : state.weight;
    weights.push(weight);
    fill(arms.canary, s, state.rps * weight, state.canary, random, kinds);
    fill(arms.baseline, s, state.rps * (1 - weight), state.baseline, random, kinds);
  }
  if (scenario.retried === true) for (const arm of Object.values(arms)) hideByRetry(arm, random);
  return { arms, seconds, weights };
}

function fill(arm, s, mean, version, random, kinds) {
  if (mean <= 0) return;
  const { rate, cluster = 1, hang = 0, latency = 'normal' } = version;
  const { wire, count } = draw(arm, s, mean, kinds[latency], random);
  const hung = random.binomial(count, hang);
  arm.hung[s] = hung;
  arm.wires[s] = wire;
  arm.total[s] += count;
  const causes = random.binomial(count - hung, Math.min(1, rate / cluster));
  arm.bad[s] += causes;
  arm.distinct[s] += causes;
  const { routes = alike(ROUTE_SHARES, rate), pods = alike(Array(PODS).fill(1 / PODS), rate) } = version;
  arm.routes[s] = split(count - hung, causes, routes, random);
  arm.pods[s] = split(count - hung, causes, pods, random);
  if (cluster > 1) repeat(arm, s, causes, cluster, random);
  if (hung > 0) delay(arm, s, hung);
}

function alike(shares, rate) {
  return shares.map((share) => ({ share, rate }));
}

/** Which of the requests, and which of the failures among them, belong to each part. */
function split(count, failures, parts, random) {
  const bad = multinomial(
    failures,
    parts.map(({ share, rate }) => share * (rate + 1e-12)),
    random,
  );
  const good = multinomial(
    count - failures,
    parts.map(({ share, rate }) => share * (1 - rate + 1e-12)),
    random,
  );
  return parts.map((_, at) => ({ total: bad[at] + good[at], bad: bad[at] }));
}

function multinomial(count, weights, random) {
  let left = count;
  let weight = weights.reduce((sum, each) => sum + each, 0);
  return weights.map((each) => {
    const drawn = weight - each <= 1e-15 ? left : random.binomial(left, Math.min(1, each / weight));
    left -= drawn;
    weight -= each;
    return drawn;
  });
}

/** A hang ends with the client's 504; until then no counter of finished requests has it. */
function delay(arm, s, hung) {
  arm.total[s] -= hung;
  for (let bucket = 0, left = hung; bucket < BUCKETS && left > 0; bucket += 1) {
    const taken = Math.min(left, arm.buckets[s * BUCKETS + bucket]);
    arm.buckets[s * BUCKETS + bucket] -= taken;
    left -= taken;
  }
  const endS = s + HANG_S;
  if (endS >= arm.total.length) return;
  arm.total[endS] += hung;
  arm.bad[endS] += hung;
  arm.distinct[endS] += hung;
  arm.buckets[endS * BUCKETS + BUCKETS - 1] += hung;
}

/** The same key fails again, within half a minute: no cause of its own. */
function repeat(arm, s, causes, cluster, random) {
  for (let i = 0; i < causes; i += 1) {
    let at = s;
    for (let size = random.geometric(cluster); size > 1; size -= 1) {
      at += Math.floor(random.uniform() * (REPEAT_S + 1));
      if (at >= arm.total.length || at - s >= 29) break;
      arm.total[at] += 1;
      arm.bad[at] += 1;
    }
  }
}

/** Requests of one second by latency: one by one while there are few, by Poisson numbers per bin when many. */
function draw(arm, s, mean, { bins, buckets, chances, table }, random) {
  const wire = [];
  const base = s * BUCKETS;
  if (mean > 60) {
    let count = 0;
    for (let k = 0; k < bins.length; k += 1) {
      const drawn = random.poisson(mean * chances[k]);
      if (drawn === 0) continue;
      count += drawn;
      wire.push(bins[k], drawn);
      arm.buckets[base + buckets[k]] += drawn;
    }
    return { wire, count };
  }
  const count = random.poisson(mean);
  const drawn = Array.from({ length: count }, () => table[Math.floor(random.uniform() * TABLE)]);
  drawn.sort((a, b) => a - b);
  for (const k of drawn) {
    if (wire.at(-2) === bins[k]) wire[wire.length - 1] += 1;
    else wire.push(bins[k], 1);
    arm.buckets[base + buckets[k]] += 1;
  }
  return { wire, count };
}

/** One retry on the same version: a client sees a failure only when both attempts fail. */
function hideByRetry(arm, random) {
  for (let s = 0; s < arm.total.length; s += 1) {
    const first = arm.bad[s];
    const again = random.binomial(first, arm.total[s] > 0 ? first / arm.total[s] : 0);
    arm.answers[s] = arm.total[s];
    arm.failures[s] = again;
    arm.total[s] += first;
    arm.bad[s] += again;
  }
}

/** The second as the judge gets it; `Histogram` and `mergeWires` are the product's own. */
export function secondOf({ arms }, s, { binOf, mergeWires }) {
  const side = (arm) => ({
    total: arm.total[s],
    bad: arm.bad[s],
    distinctBad: arm.distinct[s],
    seen: arm.total[s],
    latencyUs: withRunning(arm, s, binOf, mergeWires),
  });
  return {
    startMs: s * 1000,
    canary: side(arms.canary),
    baseline: side(arms.baseline),
    segments: Object.fromEntries(
      ROUTE_SHARES.map((_, at) => [
        `route=r${at}`,
        { canary: part(arms.canary.routes[s][at]), baseline: part(arms.baseline.routes[s][at]) },
      ]),
    ),
    instances: Object.fromEntries(arms.canary.pods[s].map((pod, at) => [`pod-${at}`, part(pod)])),
  };
}

/** Parts have counts only: which of their requests were slow is not simulated. */
function part({ total, bad } = { total: 0, bad: 0 }) {
  return { total, bad, distinctBad: bad, seen: total, latencyUs: [] };
}

/** A hanging request moves from the bin of its age to that of its new age every second, until it ends. */
function withRunning(arm, s, binOf, mergeWires) {
  let wire = arm.wires[s];
  for (let age = 0; age <= HANG_S && age <= s; age += 1) {
    const hung = arm.hung[s - age];
    if (hung === 0) continue;
    const bin = (seconds) => binOf((seconds + 0.5) * 1e6);
    // In its first second it has taken the place of an ordinary request.
    if (age === 0) wire = mergeWires(withoutSome(wire, hung), [bin(0), hung]);
    else wire = mergeWires(wire, [bin(age - 1), -hung, bin(age), hung]);
  }
  return wire;
}

function withoutSome(wire, count) {
  const left = [...wire];
  for (let i = 1; i < left.length && count > 0; i += 2) {
    const taken = Math.min(count, left[i]);
    left[i] -= taken;
    count -= taken;
  }
  return left;
}
