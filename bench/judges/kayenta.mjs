/**
 * Kayenta: the judge NetflixACAJudge, one metric and group: Mann-Whitney by inverting the rank test, effect size,
 * score and label. Knows nothing of where its two arrays come from.
 * @module
 */

const TOLERANCE = 0.25;
const CONFIDENCE = 0.98;
const ROOT_TOLERANCE = 1e-4;
const MAX_ITERATIONS = 1001;

const DEFAULTS = {
  direction: 'either',
  nanStrategy: 'remove',
  outliers: 'keep',
  outlierFactor: 3,
  critical: false,
  mustHaveData: false,
  measure: 'meanRatio',
  confidence: CONFIDENCE,
  tolerance: TOLERANCE,
};

/** Class of a metric: `experiment` and `control` hold one number per step of time. `normal` draws the noise. */
export function classify(experiment, control, config = {}, normal = () => 0) {
  const options = { ...DEFAULTS, ...config };
  try {
    return classified(transformed(experiment, options), transformed(control, options), options, normal);
  } catch (error) {
    return { label: 'Error', critical: false, reason: error.message };
  }
}

function classified(experiment, control, options, normal) {
  const { direction, critical } = options;
  if (experiment.length === 0 || control.length === 0) {
    if (options.nanStrategy === 'replace') return { label: 'Pass', critical: false };
    const label = options.mustHaveData && !critical ? 'NodataFailMetric' : 'Nodata';
    return { label, critical };
  }
  const alike = [...experiment, ...control].every((value) => value === experiment[0]);
  if (alike || sameValues(experiment, control)) return { label: 'Pass', critical: false };
  const { low, high, estimate } = mannWhitney(...unequal(experiment, control, normal), options.confidence);
  const bound = options.tolerance * Math.abs(estimate);
  const effect = effectSize(experiment, control, options.measure);
  const neutral = options.measure === 'cles' ? 0.5 : 1;
  const limits = {
    allowedIncrease: neutral,
    allowedDecrease: neutral,
    criticalIncrease: neutral,
    criticalDecrease: neutral,
    ...options.effectSize,
  };
  const unknown = Number.isNaN(effect);
  if (direction !== 'decrease' && low > bound && (unknown || effect >= limits.allowedIncrease)) {
    return { label: 'High', critical: critical && (unknown || effect >= limits.criticalIncrease) };
  }
  if (direction !== 'increase' && high < -bound && (unknown || effect <= limits.allowedDecrease)) {
    return { label: 'Low', critical: critical && (unknown || effect <= limits.criticalDecrease) };
  }
  return { label: 'Pass', critical: false };
}

/** 0–100 over the metrics of one group. */
export function score(metrics) {
  if (metrics.some(({ label, critical }) => critical && label !== 'Pass')) return 0;
  const count = (wanted) => metrics.filter(({ label }) => wanted.includes(label)).length;
  if (metrics.length > 0 && count(['Nodata']) / metrics.length >= 0.5) return 0;
  const judged = count(['Pass', 'High', 'Low', 'NodataFailMetric']);
  return judged === 0 ? 100 : Math.round((count(['Pass']) / judged) * 10_000) / 100;
}

/** Confidence interval and estimate of how much the experiment exceeds the control. */
export function mannWhitney(experiment, control, confidence = CONFIDENCE) {
  const from = Math.min(...experiment) - Math.max(...control);
  const to = Math.max(...experiment) - Math.min(...control);
  const z = normalQuantile(1 - (1 - confidence) / 2);
  const root = (quantile) => {
    const f = (shift) => rankStatistic(experiment, control, shift) - quantile;
    if (f(from) <= 0) return from;
    if (f(to) >= 0) return to;
    return brent(f, from, to);
  };
  const estimate = brent((shift) => rankStatistic(experiment, control, shift), from, to);
  return { low: root(z), high: root(-z), estimate };
}

/** The standardised rank sum of `experiment − shift` among both, with ties and continuity corrected. */
function rankStatistic(experiment, control, shift) {
  const n = experiment.length;
  const m = control.length;
  const all = [
    ...experiment.map((value) => ({ value: value - shift, own: true })),
    ...control.map((value) => ({ value, own: false })),
  ].sort((a, b) => a.value - b.value);
  let ranks = 0;
  let ties = 0;
  for (let at = 0; at < all.length; ) {
    let end = at;
    while (end < all.length && all[end].value === all[at].value) end += 1;
    const size = end - at;
    ties += size ** 3 - size;
    const rank = (at + 1 + end) / 2;
    for (; at < end; at += 1) if (all[at].own) ranks += rank;
  }
  const distance = ranks - (n * (n + 1)) / 2 - (n * m) / 2;
  const sigma = Math.sqrt(((n * m) / 12) * (n + m + 1 - ties / ((n + m) * (n + m - 1))));
  if (sigma === 0) throw new Error('all values are tied');
  return (distance - 0.5 * Math.sign(distance)) / sigma;
}

/** Brent's root finder with an absolute tolerance of the position. */
function brent(f, from, to) {
  let a = from;
  let b = to;
  let fa = f(a);
  let fb = f(b);
  if (fa === 0) return a;
  if (fb === 0) return b;
  let c = a;
  let fc = fa;
  for (let i = 0; i <= MAX_ITERATIONS; i += 1) {
    const previous = b - a;
    if (Math.abs(fc) < Math.abs(fb)) {
      [a, b, c] = [b, c, b];
      [fa, fb, fc] = [fb, fc, fb];
    }
    const tolerance = 2 * Number.EPSILON * Math.abs(b) + ROOT_TOLERANCE / 2;
    let step = (c - b) / 2;
    if (Math.abs(step) <= tolerance || fb === 0) return b;
    if (Math.abs(previous) >= tolerance && Math.abs(fa) > Math.abs(fb)) {
      const { p, q } = interpolation({ a, b, c, fa, fb, fc });
      const within = p < 0.75 * (c - b) * q - Math.abs(tolerance * q) / 2 && p < Math.abs((previous * q) / 2);
      if (within) step = p / q;
    }
    if (Math.abs(step) < tolerance) step = step > 0 ? tolerance : -tolerance;
    a = b;
    fa = fb;
    b += step;
    fb = f(b);
    if (fb > 0 === fc > 0) {
      c = a;
      fc = fa;
    }
  }
  throw new Error('no root found');
}

/** The next position as b + p/q, with p ≥ 0: linear with two points, inverse quadratic with three. */
function interpolation({ a, b, c, fa, fb, fc }) {
  const toC = c - b;
  let p;
  let q;
  if (a === c) {
    const t = fb / fa;
    p = toC * t;
    q = 1 - t;
  } else {
    const s = fa / fc;
    const t = fb / fc;
    const u = fb / fa;
    p = u * (toC * s * (s - t) - (b - a) * (t - 1));
    q = (s - 1) * (t - 1) * (u - 1);
  }
  return p > 0 ? { p, q: -q } : { p: -p, q };
}

function transformed(values, { nanStrategy, outliers, outlierFactor }) {
  const numbers =
    nanStrategy === 'replace'
      ? values.map((value) => (Number.isNaN(value) ? 0 : value))
      : values.filter((value) => !Number.isNaN(value));
  if (outliers !== 'remove' || numbers.length === 0) return numbers;
  const spread = percentile(numbers, 0.75) - percentile(numbers, 0.25);
  const low = Math.min(percentile(numbers, 0.01), percentile(numbers, 0.25) - outlierFactor * spread);
  const high = Math.max(percentile(numbers, 0.99), percentile(numbers, 0.75) + outlierFactor * spread);
  return numbers.filter((value) => value >= low && value <= high);
}

/** R-7, linear between ranks. */
function percentile(values, q) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = q * (sorted.length - 1);
  const below = sorted[Math.floor(at)];
  return below + (sorted[Math.ceil(at)] - below) * (at - Math.floor(at));
}

function sameValues(experiment, control) {
  const sorted = (values) => [...values].sort((a, b) => a - b).join();
  return sorted(experiment) === sorted(control);
}

/** Two constants get a trace of noise, so that they have ranks. */
function unequal(experiment, control, normal) {
  const isConstant = (values) => values.every((value) => value === values[0]);
  if (!isConstant(experiment) || !isConstant(control)) return [experiment, control];
  const noisy = (values) => values.map((value) => value + normal() * value * 1e-5);
  return [noisy(experiment), noisy(control)];
}

function effectSize(experiment, control, measure) {
  if (measure === 'cles') {
    const n = experiment.length;
    const m = control.length;
    let wins = 0;
    for (const e of experiment) for (const c of control) wins += e > c ? 1 : e === c ? 0.5 : 0;
    return wins / (n * m);
  }
  const mean = (values) => values.reduce((total, value) => total + value, 0) / values.length;
  const ratio = mean(experiment) / mean(control);
  return mean(experiment) === 0 || mean(control) === 0 ? Number.NaN : ratio;
}

/** Inverse of the standard normal distribution (0.5 ≤ p < 1). */
export function normalQuantile(p) {
  let low = 0;
  let high = 8;
  for (let i = 0; i < 60; i += 1) {
    const middle = (low + high) / 2;
    if (normalCdf(middle) < p) low = middle;
    else high = middle;
  }
  return low;
}

function normalCdf(x) {
  let term = x;
  let total = x;
  for (let i = 3; Math.abs(term) > 1e-17; i += 2) {
    term *= (x * x) / i;
    total += term;
  }
  return 0.5 + (total * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI);
}
