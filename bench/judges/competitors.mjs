/**
 * The other judges as their users run them, on what Prometheus would answer about a simulated run: when each of them
 * aborts or goes on. Knows their usual settings; their logic is in the modules of their names.
 * @module
 */

import { AnalysisRun, first } from './argo.mjs';
import { CheckLoop, inRange } from './flagger.mjs';
import { classify, score } from './kayenta.mjs';
import { divide, histogramQuantile, Series, sum } from './prometheus.mjs';
import { BEFORE_S, BOUNDS_MS } from './traffic.mjs';
import { isWorse } from './z-test.mjs';

const SCRAPE_S = 15;
const MINUTE_S = 60;
const BUCKETS = BOUNDS_MS.length + 1;
/** The rules of the comparison; Sluice judges by the same. */
export const FACTORS = { errors: 2, p95: 1.3, p99: 1.5 };
const QUANTILES = { p95: 0.95, p99: 0.99 };

/** What Prometheus has of one run. `failures` are as clients see them where a retry hides some. */
export class Scraped {
  #arms;

  constructor({ arms, seconds }, random) {
    this.endS = seconds;
    this.#arms = Object.fromEntries(
      Object.entries(arms).map(([name, arm]) => [
        name,
        scrapedArm(arm, seconds, Math.floor(random.uniform() * SCRAPE_S)),
      ]),
    );
  }

  /** 5xx rate over total rate; `guarded`: with `or vector(0)` for a version without any failure so far. */
  errorRate(arm, nowS, windowS, guarded = true) {
    const { ok, bad } = this.#arms[arm];
    const failing = bad.rate(nowS, windowS);
    return divide(failing ?? (guarded ? 0 : null), sum([ok.rate(nowS, windowS), failing]));
  }

  /** Milliseconds; NaN without observations, null while the series does not exist. */
  quantile(arm, nowS, windowS, q) {
    const cumulative = this.#arms[arm].le.map((series) => series.rate(nowS, windowS));
    if (cumulative.at(-1) === null) return null;
    const rates = cumulative.map((rate, i) => Math.max(0, (rate ?? 0) - (cumulative[i - 1] ?? 0)));
    return histogramQuantile(q, BOUNDS_MS, rates);
  }

  /** Requests since the canary's start as last scraped: all, bad, and slower than `boundMs`. */
  counts(arm, nowS, boundMs) {
    const { ok, bad, le, offsetS } = this.#arms[arm];
    const atS = offsetS + Math.floor((nowS - offsetS) / SCRAPE_S) * SCRAPE_S;
    const since = (series) => series.at(atS) - series.at(BEFORE_S);
    const total = since(ok) + since(bad);
    const observed = since(le.at(-1));
    const within = since(le[BOUNDS_MS.findIndex((bound) => bound >= boundMs)]);
    return { total, bad: since(bad), observed, slow: observed - within };
  }
}

function scrapedArm(arm, seconds, offsetS) {
  const failures = arm.failures.some((count) => count > 0) ? arm.failures : arm.bad;
  const answers = arm.answers.some((count) => count > 0) ? arm.answers : arm.total;
  const series = (perSecond) => new Series(running(seconds, perSecond), offsetS, SCRAPE_S);
  const le = new Float64Array(BUCKETS);
  const buckets = Array.from({ length: BUCKETS }, () => new Float64Array(seconds));
  for (let s = 0; s < seconds; s += 1) {
    let below = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
      below += arm.buckets[s * BUCKETS + bucket];
      le[bucket] += below;
      buckets[bucket][s] = le[bucket];
    }
  }
  return {
    offsetS,
    ok: series((s) => answers[s] - failures[s]),
    bad: series((s) => failures[s]),
    le: buckets.map((atEnd) => new Series(atEnd, offsetS, SCRAPE_S)),
  };
}

function running(seconds, perSecond) {
  const atEnd = new Float64Array(seconds);
  for (let s = 0, total = 0; s < seconds; s += 1) {
    total += perSecond(s);
    atEnd[s] = total;
  }
  return atEnd;
}

/** The first abort, or null. `passedAtS`: when a canary that is not aborted gets more traffic. */
function outcome(abortAtS, passedAtS) {
  return { abortAtS, passedAtS: abortAtS === null ? passedAtS : null };
}

/** Each: `judge(scraped, metric, random)` → its outcome. */
export const COMPETITORS = [
  { name: 'Argo 0', judge: (scraped, metric) => argo(scraped, metric, { failureLimit: 0 }) },
  { name: 'Argo 3', judge: (scraped, metric) => argo(scraped, metric, { failureLimit: 3 }) },
  {
    name: 'Argo unguarded',
    judge: (scraped, metric) => argo(scraped, metric, { failureLimit: 3 }, false),
  },
  { name: 'Flagger', judge: (scraped) => flagger(scraped, { intervalS: MINUTE_S, threshold: 5 }) },
  { name: 'Flagger fast', judge: (scraped) => flagger(scraped, { intervalS: 10, threshold: 2 }) },
  {
    name: 'Flagger ratio',
    judge: (scraped, metric) => flaggerRatio(scraped, metric, { intervalS: MINUTE_S, threshold: 5 }),
  },
  { name: 'Kayenta', judge: kayenta },
  { name: 'z-test', judge: zTest },
];

/** Canary over baseline, as a vector. */
function ratio(scraped, metric, nowS, windowS, guarded = true) {
  const [canary, baseline] = ['canary', 'baseline'].map((arm) =>
    metric === 'errors'
      ? scraped.errorRate(arm, nowS, windowS, guarded)
      : scraped.quantile(arm, nowS, windowS, QUANTILES[metric]),
  );
  return divide(canary, baseline);
}

function argo(scraped, metric, config, guarded = true) {
  const run = new AnalysisRun(BEFORE_S, {
    initialDelayS: 5 * MINUTE_S,
    intervalS: MINUTE_S,
    failureCondition: (result) => first(result) > FACTORS[metric],
    ...config,
  });
  const windowS = metric === 'errors' ? 5 * MINUTE_S : 10 * MINUTE_S;
  while (run.nextAtS < scraped.endS) {
    const nowS = run.nextAtS;
    const value = ratio(scraped, metric, nowS, windowS, guarded);
    run.measure(nowS, value === null ? [] : [value]);
    if (run.aborts) return outcome(nowS);
  }
  return outcome(null, scraped.endS);
}

/** The built-in metrics with Flagger's own thresholds: 99 % success, p99 within 1.5 times what it was before. */
function flagger(scraped, config) {
  const before = scraped.quantile('baseline', BEFORE_S, 5 * MINUTE_S, 0.99);
  return loop(scraped, config, (nowS) => [
    () => {
      const errors = scraped.errorRate('canary', nowS, MINUTE_S);
      return inRange(errors === null ? null : 100 * (1 - errors), { min: 99 });
    },
    () => {
      const value = scraped.quantile('canary', nowS, MINUTE_S, 0.99);
      return inRange(value === null ? null : Math.trunc(value), { max: 1.5 * before });
    },
  ]);
}

/** A metric template of one's own: canary over baseline. */
function flaggerRatio(scraped, metric, config) {
  return loop(scraped, config, (nowS) => [
    () => inRange(ratio(scraped, metric, nowS, MINUTE_S), { max: FACTORS[metric] }),
  ]);
}

/** Starts when its first window is full: a canary without series yet would fail the first checks. */
function loop(scraped, config, metrics) {
  const checks = new CheckLoop(BEFORE_S + MINUTE_S - config.intervalS, config);
  let passedAtS = null;
  while (checks.nextAtS < scraped.endS) {
    const nowS = checks.nextAtS;
    const did = checks.tick(nowS, metrics(nowS));
    if (did === 'rollback') return outcome(nowS);
    if (did === 'advance') passedAtS ??= nowS;
  }
  return outcome(null, passedAtS);
}

/** Every five minutes over everything since the start, one value a minute; fails at a score of 75 or less. */
function kayenta(scraped, metric, random) {
  const values = { canary: [], baseline: [] };
  for (let minute = 1; BEFORE_S + minute * MINUTE_S < scraped.endS; minute += 1) {
    const nowS = BEFORE_S + minute * MINUTE_S;
    for (const [arm, list] of Object.entries(values)) {
      const value =
        metric === 'errors'
          ? scraped.errorRate(arm, nowS, MINUTE_S)
          : scraped.quantile(arm, nowS, MINUTE_S, QUANTILES[metric]);
      if (value !== null) list.push(value);
    }
    if (minute % 5 !== 0) continue;
    const judged = classify(values.canary, values.baseline, { direction: 'increase' }, () => random.normal());
    if (score([judged]) <= 75) return outcome(nowS);
  }
  return outcome(null, scraped.endS);
}

/** Every minute, on all counts since the start; a latency as the share slower than the baseline's quantile before. */
function zTest(scraped, metric) {
  const boundMs =
    metric === 'errors' ? 0 : scraped.quantile('baseline', BEFORE_S, 5 * MINUTE_S, QUANTILES[metric]);
  for (let nowS = BEFORE_S + MINUTE_S; nowS < scraped.endS; nowS += MINUTE_S) {
    const [canary, baseline] = ['canary', 'baseline'].map((arm) => scraped.counts(arm, nowS, boundMs));
    const counts =
      metric === 'errors'
        ? { canary: canary.total, baseline: baseline.total, canaryBad: canary.bad, baselineBad: baseline.bad }
        : {
            canary: canary.observed,
            baseline: baseline.observed,
            canaryBad: canary.slow,
            baselineBad: baseline.slow,
          };
    if (isWorse(counts)) return outcome(nowS);
  }
  return outcome(null, scraped.endS);
}
