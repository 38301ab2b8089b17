/**
 * Parses the text of a rule (`5xx > 2x`, `p95 > +50%`, `promql: … > 0.5`) to a core `Condition`.
 * Owns the grammar and its error messages; knows neither YAML nor where the numbers come from.
 * @module
 */

import { parseDurationMs } from '../core/domain/duration.ts';
import type { Condition, CounterPair } from '../core/domain/rule.ts';
import { closest } from './edit-distance.ts';
import { type ExpressionProblem, locateComparison, splitPromql } from './promql-comparison.ts';
import { isMeantAsPair, parseCounterPair } from './promql-counters.ts';

export type RuleExpressionResult =
  | { readonly ok: true; readonly condition: Condition; readonly counters?: CounterPair }
  | { readonly ok: false; readonly problem: ExpressionProblem };

/** A piece of the expression and where it starts. */
interface Token {
  readonly text: string;
  readonly offset: number;
}

type Metric =
  | { readonly kind: '5xx' }
  | { readonly kind: 'differs' }
  | { readonly kind: 'quantile'; readonly quantile: number };

const MAX_LENGTH = 8192;
const MAX_FACTOR = 1000;
const EXAMPLES = 'such as 5xx > 2x, 5xx > 1%, p95 > +50%, p99 > 800ms or promql: <query> > 0.5';
const HOUR_MS = 3_600_000;
/** What people call the metrics elsewhere. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  error: '5xx',
  errors: '5xx',
  'error-rate': '5xx',
  error_rate: '5xx',
  errorrate: '5xx',
  failures: '5xx',
  latency: 'p95',
  duration: 'p95',
  median: 'p50',
  max: 'p99.9',
  diff: 'differs',
  diffs: 'differs',
  differ: 'differs',
  difference: 'differs',
  differences: 'differs',
  different: 'differs',
  mismatch: 'differs',
  mirror: 'differs',
};

/** Never throws. A problem's place is within `text`. */
export function parseRuleExpression(text: string): RuleExpressionResult {
  if (text.length > MAX_LENGTH) {
    return fail({ text: '', offset: 0 }, `expected at most ${MAX_LENGTH} characters, got ${text.length}`);
  }
  const promql = /^\s*promql\s*:/i.exec(text);
  if (promql) {
    return promqlRule(text, promql[0].length);
  }
  const match = /^(\s*)([^\s<>=!]*)(\s*)([<>=!]*)(\s*)(.*?)\s*$/s.exec(text);
  const [, lead = '', metricText = '', gap = '', operatorText = '', gap2 = '', operandText = ''] =
    match ?? [];
  const metricToken: Token = { text: metricText, offset: lead.length };
  const operator: Token = { text: operatorText, offset: lead.length + metricText.length + gap.length };
  const operand: Token = { text: operandText, offset: operator.offset + operatorText.length + gap2.length };

  if (metricText === '') return fail(metricToken, 'expected a metric', EXAMPLES);
  const metric = parseMetric(metricToken);
  if ('problem' in metric) return metric;
  const operatorProblem = checkOperator(operator, operand, metricText);
  if (operatorProblem) return operatorProblem;
  if (operandText === '')
    return fail({ text: '', offset: operator.offset + 1 }, 'expected a limit after ">"', EXAMPLES);
  if (metric.kind === 'differs') return differsCondition(operand);
  return metric.kind === '5xx' ? rateCondition(operand) : quantileCondition(metric.quantile, operand);
}

/** A threshold on a value, or a rate by a pair of counters. */
function promqlRule(text: string, start: number): RuleExpressionResult {
  const located = locateComparison(text, start);
  if (!located.ok) return located;
  const { query, operator, limit, code } = located;
  const operand: Token = {
    text: code.slice(limit.offset, limit.offset + limit.length),
    offset: limit.offset,
  };
  if (!isMeantAsPair(code.slice(query.offset, query.offset + query.length), operand.text)) {
    const split = splitPromql(text, located);
    return split.ok ? { ok: true, condition: { kind: 'promql', ...split.comparison } } : split;
  }
  const operatorProblem = checkOperator(operator, operand, 'a pair of counters');
  if (operatorProblem) return operatorProblem;
  const rate = rateCondition(operand);
  if (!rate.ok) return rate;
  const pair = parseCounterPair(code, query, rate.condition.kind === 'rate-ratio');
  return pair.ok ? { ...rate, counters: pair.counters } : pair;
}

function parseMetric(token: Token): Metric | (RuleExpressionResult & { ok: false }) {
  const { text } = token;
  if (text === '5xx' || text === 'differs') return { kind: text };
  const digits = /^p(\d{1,3}(?:\.\d{1,4})?)$/.exec(text)?.[1];
  if (digits !== undefined) {
    const percent = Number(digits);
    // `e-2` rather than `/ 100`: 99.9 / 100 is not the double nearest to 0.999.
    if (percent > 0 && percent < 100) return { kind: 'quantile', quantile: Number(`${digits}e-2`) };
    return fail(
      token,
      `expected a quantile above p0 and below p100, got ${text}`,
      percent === 100 ? 'did you mean p99.9?' : undefined,
    );
  }
  const lower = text.toLowerCase();
  const swapped = /^(\d{1,2}(?:\.\d+)?)(?:p|th)?$/.exec(lower)?.[1];
  const meant =
    OTHER_NAMES[lower] ??
    (/^p\d{1,2}(\.\d+)?$/.test(lower) ? lower : undefined) ??
    (/^[45]xx$|^[45]\d\d$/.test(lower) ? '5xx' : undefined) ??
    (swapped && Number(swapped) > 0 ? `p${swapped}` : undefined) ??
    closest(text, ['5xx', 'p50', 'p95', 'p99', 'p99.9', 'differs', 'promql:']);
  return fail(
    token,
    `unknown metric "${text}": expected 5xx, a quantile such as p95, differs, or promql:`,
    meant ? `did you mean ${meant}?` : undefined,
  );
}

function checkOperator(operator: Token, operand: Token, metric: string) {
  if (operator.text === '>') return undefined;
  if (operator.text === '') {
    const place = operand.text === '' ? operator : operand;
    return fail(place, `expected ">" after ${metric}`, EXAMPLES);
  }
  const less = operator.text.startsWith('<');
  return fail(
    operator,
    `expected ">" after ${metric}, got "${operator.text}"`,
    less ? 'a rule says what is bad about the canary: more errors or more latency' : 'did you mean ">"?',
  );
}

function rateCondition(operand: Token): RuleExpressionResult {
  const ratio = parseRatio(operand);
  if (ratio) return ratio.ok ? { ok: true, condition: { kind: 'rate-ratio', factor: ratio.factor } } : ratio;
  const percent = /^(\d+(?:\.\d+)?)\s*%$/.exec(operand.text)?.[1];
  if (percent !== undefined) {
    const limit = Number(`${percent}e-2`);
    if (limit > 0 && limit < 1) return { ok: true, condition: { kind: 'rate-limit', limit } };
    return fail(operand, `expected a rate above 0% and below 100%, got ${operand.text}`);
  }
  const expected = `expected a factor such as 2x, an increase such as +50%, or a rate such as 1%, got "${operand.text}"`;
  const number = bareNumber(operand.text);
  if (number !== undefined) {
    const asPercent = number < 1 ? `${trimNumber(number * 100)}%` : `${operand.text}%`;
    return fail(
      operand,
      expected,
      number > 1 ? `did you mean ${operand.text}x or ${asPercent}?` : `did you mean ${asPercent}?`,
    );
  }
  const hint =
    parseDurationMs(operand.text) === undefined
      ? otherSpelling(operand.text)
      : 'this is a rate; for a latency use p95 or p99';
  return fail(operand, expected, hint);
}

/** A share of answers only: what the baseline differs from itself is taken off by the judge. */
function differsCondition(operand: Token): RuleExpressionResult {
  const percent = /^(\d+(?:\.\d+)?)\s*%$/.exec(operand.text)?.[1];
  const limit = percent === undefined ? undefined : Number(`${percent}e-2`);
  if (limit !== undefined && limit > 0 && limit < 1)
    return { ok: true, condition: { kind: 'differs', limit } };
  if (limit !== undefined)
    return fail(operand, `expected a share above 0% and below 100%, got ${operand.text}`);
  const number = bareNumber(operand.text);
  return fail(
    operand,
    `expected a share of the mirrored answers such as 1%, got "${operand.text}"`,
    number === undefined
      ? undefined
      : `did you mean ${number < 1 ? trimNumber(number * 100) : operand.text}%?`,
  );
}

function quantileCondition(quantile: number, operand: Token): RuleExpressionResult {
  const ratio = parseRatio(operand);
  if (ratio) {
    return ratio.ok
      ? { ok: true, condition: { kind: 'quantile-ratio', quantile, factor: ratio.factor } }
      : ratio;
  }
  const number = bareNumber(operand.text);
  const limitMs = number === undefined ? parseDurationMs(operand.text) : undefined;
  if (limitMs !== undefined) {
    if (limitMs >= 1 && limitMs <= HOUR_MS)
      return { ok: true, condition: { kind: 'quantile-limit', quantile, limitMs } };
    return fail(operand, `expected a latency from 1ms to 1h, got ${operand.text}`);
  }
  const expected = `expected a latency such as 200ms, a factor such as 1.5x, or an increase such as +50%, got "${operand.text}"`;
  if (number !== undefined) {
    const small = number > 1 && number < 10;
    return fail(
      operand,
      expected,
      small ? `did you mean ${operand.text}x or ${operand.text}s?` : `did you mean ${operand.text}ms?`,
    );
  }
  if (/^\d+(?:\.\d+)?\s*%$/.test(operand.text)) {
    return fail(operand, expected, `did you mean +${operand.text} (more than the baseline)?`);
  }
  return fail(operand, expected, otherSpelling(operand.text));
}

type Ratio = { readonly ok: true; readonly factor: number } | (RuleExpressionResult & { ok: false });

/** `2x` and `+50%`; `undefined` when the text is neither. */
function parseRatio(operand: Token): Ratio | undefined {
  const times = /^(\d+(?:\.\d+)?)\s*x$/.exec(operand.text)?.[1];
  const increase = /^\+\s*(\d+(?:\.\d+)?)\s*%$/.exec(operand.text)?.[1];
  if (times === undefined && increase === undefined) return undefined;
  // Rounded, as 1 + 0.07 is not the double nearest to 1.07.
  const factor = times === undefined ? Number((1 + Number(`${increase}e-2`)).toPrecision(12)) : Number(times);
  if (factor > 1 && factor <= MAX_FACTOR) return { ok: true, factor };
  const expected =
    times === undefined
      ? `expected an increase above 0% and at most +99900%`
      : `expected a factor above 1 and at most ${MAX_FACTOR}`;
  const hint = factor <= 1 ? 'at or below the baseline the canary is not worse than it' : undefined;
  return fail(operand, `${expected}, got ${operand.text}`, hint);
}

function bareNumber(text: string): number | undefined {
  return /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : undefined;
}

function otherSpelling(text: string): string | undefined {
  const times =
    /^(\d+(?:\.\d+)?)\s*(?:×|X|\*|times)$/.exec(text)?.[1] ?? /^[x×*]\s*(\d+(?:\.\d+)?)$/i.exec(text)?.[1];
  if (times !== undefined) return `did you mean ${times}x?`;
  const plus = /^\+\s*(\d+(?:\.\d+)?)$/.exec(text)?.[1];
  if (plus !== undefined) return `did you mean +${plus}%?`;
  const milliseconds = /^(\d+)\s*(?:msec|millis|milliseconds|MS|Ms)$/.exec(text)?.[1];
  if (milliseconds !== undefined) return `did you mean ${milliseconds}ms?`;
  if (/^-/.test(text)) return 'a rule says what is bad about the canary: more errors or more latency';
  return undefined;
}

function trimNumber(value: number): string {
  return String(Number(value.toPrecision(12)));
}

function fail(place: Token, message: string, hint?: string): RuleExpressionResult & { ok: false } {
  return {
    ok: false,
    problem: { offset: place.offset, length: place.text.length, message, hint: hint ?? null },
  };
}
