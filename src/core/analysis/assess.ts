/**
 * One rule against its numbers: is the limit broken, is the sample large enough, and the sentence that says so.
 * Pure arithmetic and wording; knows neither windows nor time.
 * @module
 */

import { assertNever } from '../domain/assert-never.ts';
import { formatDuration } from '../domain/duration.ts';
import type { Comparison, Evidence, QuantileArm, RateArm, Rule } from '../domain/rule.ts';

/** A ratio of rates needs this many bad canary requests: one error after another's zero is not a trend. */
const MIN_BAD = 3;

export interface Assessment {
  /** The point estimate is beyond the limit. */
  readonly breached: boolean;
  /** The sample is large enough for a verdict. */
  readonly enough: boolean;
  /** The sentence, worded when somebody wants it: most looks are read by nobody. */
  readonly say: () => string;
}

export function assess(rule: Rule, evidence: Evidence): Assessment {
  switch (evidence.kind) {
    case 'none':
      return {
        breached: false,
        enough: false,
        say: () => `${rule.text}: ${evidence.detail ?? evidence.cause}`,
      };
    case 'rate':
      return withSample(rule, evidence, assessRate(rule, evidence.canary, evidence.baseline));
    case 'quantile':
      return withSample(rule, evidence, assessQuantile(rule, evidence.canary, evidence.baseline));
    case 'scalar':
      return assessScalar(rule, evidence.value);
    default:
      return assertNever(evidence);
  }
}

type Finding = Pick<Assessment, 'breached' | 'say'>;

interface Arms {
  readonly canary: { readonly total: number };
  readonly baseline: { readonly total: number } | null;
}

/** Both sides of a comparison need the sample: a baseline of one request is nothing to compare with. */
function withSample(rule: Rule, { canary, baseline }: Arms, finding: Finding): Assessment {
  const { kind } = rule.condition;
  const compares = kind === 'rate-ratio' || kind === 'quantile-ratio' || kind === 'differs';
  const least = compares ? Math.min(canary.total, baseline?.total ?? 0) : canary.total;
  if (least >= rule.minRequests) return { ...finding, enough: true };
  const side = least < canary.total ? ' baseline' : '';
  const what = kind === 'differs' ? 'answers' : 'requests';
  const missing = (): string =>
    `; ${Math.round(least)} of ${rule.minRequests}${side} ${what} needed for a verdict`;
  return { ...finding, enough: false, say: () => finding.say() + missing() };
}

function assessRate(rule: Rule, canary: RateArm, baseline: RateArm | null): Finding {
  const rate = canary.bad / canary.total;
  const { condition } = rule;
  if (condition.kind === 'differs') return assessDifferences(condition.limit, canary, baseline);
  const said = (): string => `canary ${percent(rate)} ${rule.counters ? 'bad' : '5xx'} (${fraction(canary)})`;
  if (condition.kind === 'rate-limit') {
    const breached = rate > condition.limit;
    return { breached, say: () => `${said()} is ${overOrWithin(breached)} ${percent(condition.limit)}` };
  }
  if (condition.kind !== 'rate-ratio' || !baseline) return { breached: false, say: said };
  const baselineRate = baseline.bad / baseline.total;
  const breached = canary.bad >= MIN_BAD && rate > condition.factor * baselineRate;
  const against = (): string =>
    `${condition.factor}x the baseline's ${percent(baselineRate)} (${fraction(baseline)})`;
  return { breached, say: () => `${said()} is ${overOrWithin(breached)} ${against()}` };
}

function assessDifferences(limit: number, canary: RateArm, baseline: RateArm | null): Finding {
  const rate = canary.bad / canary.total;
  const own = baseline === null ? 0 : baseline.bad / baseline.total;
  const breached = canary.bad >= MIN_BAD && rate > limit && rate > own;
  const of = (): string =>
    baseline === null ? '' : `, the baseline from itself in ${percent(own)} (${fraction(baseline)})`;
  const said = (): string =>
    `canary differs in ${percent(rate)} of its mirrored answers (${fraction(canary)})`;
  return { breached, say: () => `${said()}, ${overOrWithin(breached)} ${percent(limit)}${of()}` };
}

function assessQuantile(rule: Rule, canary: QuantileArm, baseline: QuantileArm | null): Finding {
  const { condition } = rule;
  if (condition.kind !== 'quantile-limit' && condition.kind !== 'quantile-ratio')
    return { breached: false, say: () => rule.text };
  const said = (): string =>
    `canary p${trim(condition.quantile * 100)} ${milliseconds(canary.valueMs)} (${Math.round(canary.total)} requests)`;
  if (condition.kind === 'quantile-limit') {
    const breached = canary.valueMs > condition.limitMs;
    return {
      breached,
      say: () => `${said()} is ${overOrWithin(breached)} ${milliseconds(condition.limitMs)}`,
    };
  }
  if (!baseline) return { breached: false, say: said };
  const breached = canary.valueMs > condition.factor * baseline.valueMs;
  const against = (): string =>
    `${trim(condition.factor)}x the baseline's ${milliseconds(baseline.valueMs)} (${Math.round(baseline.total)} requests)`;
  return { breached, say: () => `${said()} is ${overOrWithin(breached)} ${against()}` };
}

function assessScalar(rule: Rule, value: number): Assessment {
  if (rule.condition.kind !== 'promql') return { breached: false, enough: false, say: () => rule.text };
  const { operator, limit } = rule.condition;
  const breached = compare(value, operator, limit);
  const said = (): string =>
    `query answered ${trim(value)}, ${breached ? 'which is' : 'not'} ${operator} ${limit}`;
  return { breached, enough: true, say: said };
}

function overOrWithin(breached: boolean): string {
  return breached ? 'over' : 'within';
}

function compare(value: number, operator: Comparison, limit: number): boolean {
  switch (operator) {
    case '>':
      return value > limit;
    case '>=':
      return value >= limit;
    case '<':
      return value < limit;
    case '<=':
      return value <= limit;
    case '==':
      return value === limit;
    case '!=':
      return value !== limit;
    default:
      return assertNever(operator);
  }
}

function fraction(arm: RateArm): string {
  return `${Math.round(arm.bad)}/${Math.round(arm.total)}`;
}

function percent(rate: number): string {
  return `${trim(rate * 100)}%`;
}

function milliseconds(ms: number): string {
  return ms < 1000 ? `${trim(ms)}ms` : formatDuration(ms);
}

function trim(value: number): string {
  return String(Number(value.toPrecision(3)));
}

/** Evidence grows by factors: two digits, and powers of ten once it is beyond doubt. */
export function formatEvidence(value: number): string {
  if (value < 1e4) return String(Number(value.toPrecision(2)));
  return `10^${Math.floor(Math.log10(value))}`;
}
