/**
 * The judge again, slow and plain: everything is computed anew from all seconds, as `docs/deciding.md` and the papers
 * say it, without running sums, memory or windows. Rules of telemetry without `for` and floor, one step.
 */

import { binFloorUs, binOf } from '../../../src/core/analysis/histogram.ts';
import type { ArmSecond, Second } from '../../../src/core/analysis/second.ts';
import type { Plan } from '../../../src/core/domain/plan.ts';
import type { Rule } from '../../../src/core/domain/rule.ts';

export interface SlowFinding {
  readonly worse: number;
  readonly fine: number;
  readonly broken: boolean;
  readonly fails: boolean;
}

const EFFECTS = [1.15, 1.35, 1.6, 2, 2.6, 3.5, 5, 8, 16, 40, 150, 1000];
const PRIOR = [1, 1.5, 2, 3, 3, 2.5, 2, 1.5, 1, 1, 1, 1];
const BETTER = [0.9, 0.75, 0.6, 0.5, 0.35, 0.2, 0.05];
const HALF_PAID_S = 1800;

/** What is bet on in one second: requests and bad ones of both versions. */
interface Counts {
  readonly n: readonly [number, number];
  readonly x: readonly [number, number];
  /** That many failures count as one. */
  readonly cluster: number;
}

export function judgeSlowly(plan: Plan, seconds: readonly Second[]): SlowFinding[] {
  const share = 1 / plan.abort.length;
  const needed = 1 / plan.falseAbort;
  const cap = Math.log(1 / (plan.falseAbort * share)) / 2;
  const fineCap = Math.log(plan.steps.length / 0.05) / 2;
  const found = plan.abort.map((rule) => {
    const worse = evidence(worseFactors(rule, seconds, cap));
    const alarming = share * worse >= 10;
    const broken = isBroken(rule, seconds, rule.overMs) || (alarming && breaksInPart(rule, seconds));
    const environment = evidence(baselineFactors(rule, seconds, cap)) >= needed;
    return { worse, fine: fine(rule, seconds, fineCap), broken, environment };
  });
  const guilty = found.filter(({ broken, environment }) => broken && !environment);
  const aborts = guilty.reduce((sum, { worse }) => sum + share * worse, 0) >= needed;
  const most = Math.max(...guilty.map(({ worse }) => worse));
  return found.map(({ worse, fine: proof, broken, environment }) => ({
    worse,
    fine: proof,
    broken,
    fails: aborts && broken && !environment && worse >= Math.min(most, needed),
  }));
}

/** The sum over effects and starting times of what a stake has become. `factor(effect, second)`: log of its growth. */
function evidence(logs: readonly (readonly number[])[]): number {
  const prior = PRIOR.reduce((sum, weight) => sum + weight, 0);
  let total = 0;
  for (const [at, growth] of logs.entries()) {
    for (let start = 0; start <= growth.length; start += 1) {
      const stake =
        start === 0 ? 0.6 : (0.4 * HALF_PAID_S) / ((start + HALF_PAID_S) * (start + 1 + HALF_PAID_S));
      const log = growth.slice(Math.max(0, start - 1)).reduce((sum, each) => sum + each, 0);
      total += ((PRIOR[at] ?? 0) / prior) * stake * Math.exp(log);
    }
  }
  return total;
}

function worseFactors(rule: Rule, seconds: readonly Second[], cap: number): number[][] {
  const { condition } = rule;
  const all = allCounts(rule, seconds, 'quarter');
  return EFFECTS.map((effect) =>
    all.map((counts) => {
      if (condition.kind === 'rate-limit') {
        return capped(rateLog(effect, condition.limit, counts.n[0], counts.x[0]), cap, counts);
      }
      if (condition.kind === 'quantile-limit') {
        return capped(rateLog(effect, 1 - condition.quantile, counts.n[0], counts.x[0]), cap, counts);
      }
      return capped(ratioLog(effect, 1, counts), cap, counts);
    }),
  );
}

/** The same bets about the baseline, for fixed limits. */
function baselineFactors(rule: Rule, seconds: readonly Second[], cap: number): number[][] {
  const limit = fixedRate(rule);
  if (limit === null) return [];
  const all = allCounts(rule, seconds, 'quarter');
  return EFFECTS.map((effect) =>
    all.map((counts) => capped(rateLog(effect, limit, counts.n[1], counts.x[1]), cap, counts)),
  );
}

function fixedRate({ condition }: Rule): number | null {
  if (condition.kind === 'rate-limit') return condition.limit;
  return condition.kind === 'quantile-limit' ? 1 - condition.quantile : null;
}

function fine(rule: Rule, seconds: readonly Second[], cap: number): number {
  const all = allCounts(rule, seconds, 'full');
  const mean = (log: (effect: number, counts: Counts) => number): number =>
    BETTER.reduce((sum, effect) => {
      const total = all.reduce((won, counts) => won + capped(log(effect, counts), cap, counts), 0);
      return sum + Math.exp(total) / BETTER.length;
    }, 0);
  const limit = fixedRate(rule);
  if (limit !== null) return mean((effect, { n, x }) => rateLog(effect, limit, n[0], x[0]));
  if (rule.condition.kind === 'quantile-ratio') return mean((effect, counts) => ratioLog(effect, 1, counts));
  const byRatio = mean((effect, counts) => ratioLog(effect, 2, counts));
  const byRate = BETTER.reduce((sum, effect) => {
    const total = seconds.reduce((won, { canary }, at) => {
      const counts = all[at] as Counts;
      const cluster = clusterBefore(seconds, at);
      return won + capped(rateLog(effect, 0.001, canary.total, canary.bad), cap, { ...counts, cluster });
    }, 0);
    return sum + Math.exp(total) / BETTER.length;
  }, 0);
  return (byRatio + byRate) / 2;
}

function capped(log: number, cap: number, { cluster }: Counts): number {
  return Math.min(log, cap) / cluster;
}

function ratioLog(effect: number, factor: number, { n, x }: Counts): number {
  if (n[0] === 0 || n[1] === 0 || x[0] + x[1] === 0) return 0;
  const share = (times: number): number => (times * n[0]) / (times * n[0] + n[1]);
  const [p, q] = [share(factor), share(factor * effect)];
  return x[0] * Math.log(q / p) + x[1] * Math.log((1 - q) / (1 - p));
}

function rateLog(effect: number, rate: number, n: number, x: number): number {
  if (n === 0) return 0;
  const q = (effect * rate) / (1 + (effect - 1) * rate);
  return x * Math.log(q / rate) + (n - x) * Math.log((1 - q) / (1 - rate));
}

type Tolerance = 'quarter' | 'full';

function allCounts(rule: Rule, seconds: readonly Second[], tolerance: Tolerance): Counts[] {
  const cuts = rule.condition.kind === 'quantile-ratio' ? cutsOf(rule.condition.quantile, seconds) : [];
  return seconds.map((_, at) => countsOf(rule, seconds, at, cuts[at] ?? null, tolerance));
}

function countsOf(
  { condition }: Rule,
  seconds: readonly Second[],
  at: number,
  cut: number | null,
  tolerance: Tolerance,
): Counts {
  const { canary, baseline } = seconds[at] as Second;
  const nothing: Counts = { n: [0, 0], x: [0, 0], cluster: 1 };
  switch (condition.kind) {
    case 'rate-ratio':
      return {
        n: [canary.total, baseline.total],
        x: [canary.distinctBad, baseline.distinctBad],
        cluster: 1,
      };
    case 'rate-limit':
      return {
        n: [canary.total, baseline.total],
        x: [canary.bad, baseline.bad],
        cluster: clusterBefore(seconds, at),
      };
    case 'quantile-limit': {
      const from = condition.limitMs * 1000;
      return {
        n: [begun(canary), begun(baseline)],
        x: [slow(canary, from), slow(baseline, from)],
        cluster: 1,
      };
    }
    case 'quantile-ratio': {
      if (cut === null) return nothing;
      const factor = tolerance === 'quarter' ? condition.factor ** 0.25 : condition.factor;
      return {
        n: [begun(canary), begun(baseline)],
        x: [slow(canary, cut * factor), slow(baseline, cut)],
        cluster: 1,
      };
    }
    case 'differs':
    case 'promql':
      return nothing;
  }
}

/** All failures before this second over the distinct ones, half forgotten in ten minutes. */
function clusterBefore(seconds: readonly Second[], at: number): number {
  let bad = 0;
  let distinct = 0;
  for (let i = 0; i < at; i += 1) {
    const { canary, baseline } = seconds[i] as Second;
    const left = 0.5 ** ((at - 1 - i) / 600);
    bad += left * (canary.bad + baseline.bad);
    distinct += left * (canary.distinctBad + baseline.distinctBad);
  }
  return Math.max(1, (20 + bad) / (20 + distinct));
}

/** By second: upper edge of the bin of the baseline's quantile in the five minutes before, taken once a minute. */
function cutsOf(quantile: number, seconds: readonly Second[]): (number | null)[] {
  let cut: { readonly us: number; readonly atMs: number } | null = null;
  return seconds.map(({ startMs: nowMs }, at) => {
    if (cut !== null && nowMs - cut.atMs < 60_000) return cut.us;
    const newestMs = seconds[at - 1]?.startMs ?? 0;
    const past = seconds.slice(0, at).filter(({ startMs }) => startMs > newestMs - 300_000);
    const values = valuesOf(past.map(({ baseline }) => baseline));
    if (values.length >= 100) cut = { us: binFloorUs(rank(values, quantile) + 1), atMs: nowMs };
    return cut?.us ?? null;
  });
}

function isBroken(rule: Rule, seconds: readonly Second[], spanMs: number): boolean {
  const { condition } = rule;
  const recent = within(seconds, spanMs);
  const [canary, baseline] = [recent.map((each) => each.canary), recent.map((each) => each.baseline)];
  const total = sum(canary.map((arm) => arm.total));
  const bad = sum(canary.map((arm) => arm.bad));
  switch (condition.kind) {
    case 'rate-ratio':
      return bad >= 3 && bad / total > condition.factor * rateOf(baseline);
    case 'rate-limit':
      return bad / total > condition.limit;
    case 'quantile-ratio':
      return middle(canary, condition.quantile) > condition.factor * middle(baseline, condition.quantile);
    case 'quantile-limit':
      return middle(canary, condition.quantile) > condition.limitMs * 1000;
    case 'differs':
    case 'promql':
      return false;
  }
}

/** A half down to a sixteenth of the window breaks the limit by three standard errors, with ten bad requests. */
function breaksInPart(rule: Rule, seconds: readonly Second[]): boolean {
  const { condition } = rule;
  const whole = within(seconds, rule.overMs).map((each) => each.baseline);
  return [2, 4, 8, 16].some((part) => {
    const recent = within(seconds, rule.overMs / part);
    const canary = recent.map((each) => each.canary);
    const clear = (bad: number, total: number, limit: number): boolean =>
      bad >= 10 && (bad / total) * (1 - 3 / Math.sqrt(bad)) > limit;
    const slowOnes = (us: number): number => sum(canary.map((arm) => slow(arm, us)));
    const total = sum(canary.map((arm) => arm.total));
    const bad = sum(canary.map((arm) => arm.bad));
    if (condition.kind === 'rate-ratio') {
      return clear(bad, total, condition.factor * rateOf(recent.map((each) => each.baseline)));
    }
    if (condition.kind === 'rate-limit') return clear(bad, total, condition.limit);
    if (condition.kind === 'promql' || condition.kind === 'differs') return false;
    const limitUs =
      condition.kind === 'quantile-limit'
        ? condition.limitMs * 1000
        : condition.factor * middle(whole, condition.quantile);
    return clear(slowOnes(limitUs), sum(canary.map(begun)), 1 - condition.quantile);
  });
}

function within(seconds: readonly Second[], spanMs: number): readonly Second[] {
  const newestMs = seconds.at(-1)?.startMs ?? 0;
  return seconds.filter(({ startMs }) => startMs > newestMs - spanMs);
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const rateOf = (arms: readonly ArmSecond[]): number =>
  sum(arms.map((arm) => arm.bad)) / sum(arms.map((arm) => arm.total));
const begun = (arm: ArmSecond): number => valuesOf([arm]).length;
/** Requests in bins that hold no value below `us`. */
const slow = (arm: ArmSecond, us: number): number =>
  valuesOf([arm]).filter((bin) => binFloorUs(bin) >= us).length;

/** The bin of every single request, ascending. */
function valuesOf(arms: readonly ArmSecond[]): number[] {
  const bins: number[] = [];
  for (const { latencyUs } of arms) {
    for (let i = 0; i + 1 < latencyUs.length; i += 2) {
      bins.push(...Array<number>(latencyUs[i + 1] ?? 0).fill(latencyUs[i] ?? 0));
    }
  }
  return bins.sort((a, b) => a - b);
}

/** The bin at a nearest rank. */
function rank(bins: readonly number[], quantile: number): number {
  return bins[Math.max(1, Math.ceil(quantile * bins.length)) - 1] ?? 0;
}

/** Middle of the bin of a quantile, microseconds. */
function middle(arms: readonly ArmSecond[], quantile: number): number {
  const bin = rank(valuesOf(arms), quantile);
  return binOf(binFloorUs(bin)) === bin ? (binFloorUs(bin) + binFloorUs(bin + 1)) / 2 : Number.NaN;
}
