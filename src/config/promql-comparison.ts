/**
 * Splits `<query> > 0.5` into the query, its comparison and the number, without parsing PromQL.
 * Knows brackets, strings, comments and operators; whether the query is sound only Prometheus can tell.
 * @module
 */

import type { Comparison } from '../core/domain/rule.ts';

export interface ExpressionProblem {
  /** Into the expression text, from 0; `offset + length` never exceeds its length. */
  readonly offset: number;
  readonly length: number;
  readonly message: string;
  readonly hint: string | null;
}

export interface PromqlComparison {
  readonly query: string;
  readonly operator: Comparison;
  readonly limit: number;
}

export type PromqlResult =
  | { readonly ok: true; readonly comparison: PromqlComparison }
  | { readonly ok: false; readonly problem: ExpressionProblem };

export interface Operator {
  readonly text: string;
  readonly offset: number;
}

interface Scan {
  readonly comparisons: readonly Operator[];
  /** The first `and`, `or` or `unless` outside brackets. */
  readonly setOperator: Operator | null;
  /** The text with comments blanked out, same length. */
  readonly code: string;
}

const NUMBER = /^[+-]?\s*(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/;
const CLOSING: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}' };
const TOKEN = /["'`]|#|[()[\]{}]|==|!=|>=|<=|>|<|=|[A-Za-z_:][A-Za-z0-9_:]*/g;
/** A comparison says what breaches the rule, so its empty answer and its absent series would look alike. */
const WHY =
  'the query must give a value on every evaluation: without a limit of its own, an empty answer could mean "fine" or "no data"';

/** A piece of the expression text. */
export interface Place {
  readonly offset: number;
  readonly length: number;
}

/** `<query> <operator> <limit>`, by their places. */
export interface LocatedComparison {
  readonly ok: true;
  readonly query: Place;
  readonly operator: Operator;
  readonly limit: Place;
  /** The text with comments blanked out, same length. */
  readonly code: string;
}

/** Finds the comparison of `text` from `start` on. Offsets are into the whole of `text`. */
export function locateComparison(
  text: string,
  start: number,
): LocatedComparison | (PromqlResult & { ok: false }) {
  const scan = scanPromql(text, start);
  if ('message' in scan) return { ok: false, problem: scan };
  const body = trimmed(scan.code, start, text.length);
  if (body.length === 0) {
    return failed(
      start,
      0,
      'expected a PromQL query and a comparison with a number',
      'such as promql: sum(rate(failures_total[5m])) > 0.5',
    );
  }
  if (scan.setOperator) {
    const { text: word, offset } = scan.setOperator;
    return failed(
      offset,
      word.length,
      `"${word}" outside parentheses makes it unclear what the number limits`,
      `put the query in parentheses: (a ${word} b) > 0.5, or write two rules`,
    );
  }
  const last = scan.comparisons.at(-1);
  if (!last) {
    return failed(
      body.offset,
      body.length,
      'expected a comparison with a number at the end, such as > 0.5',
      WHY,
    );
  }
  const { code } = scan;
  const query = trimmed(code, start, last.offset);
  const limit = trimmed(code, last.offset + last.text.length, code.length);
  if (query.length === 0) {
    return failed(last.offset, last.text.length, `expected a query before "${last.text}"`, null);
  }
  if (limit.length === 0) {
    return failed(last.offset, last.text.length, `expected a number after "${last.text}"`, null);
  }
  return { ok: true, query, operator: last, limit, code };
}

/** A threshold on the value of a query. */
export function splitPromql(text: string, located: LocatedComparison): PromqlResult {
  const { query: left, limit: right, operator, code } = located;
  const rightText = code.slice(right.offset, right.offset + right.length);
  // `bool` turns the comparison into 0 or 1; as the comparison is made here, it has nothing left to do.
  const number = rightText.replace(/^bool\s+(?=\S)/, '');
  const limit = Number(number.replace(/\s+/g, ''));
  if (!NUMBER.test(number) || !Number.isFinite(limit)) {
    const leftText = code.slice(left.offset, left.offset + left.length);
    const hint = NUMBER.test(leftText)
      ? `write the number on the right: ${rightText} ${mirrored(operator.text)} ${leftText}`
      : WHY;
    return failed(right.offset, right.length, `expected a plain number after "${operator.text}"`, hint);
  }
  const comparison = toComparison(operator.text);
  if (!comparison) return failed(operator.offset, 1, 'expected a comparison, got "="', 'did you mean "=="?');
  const query = text.slice(left.offset, left.offset + left.length);
  if (NUMBER.test(query)) {
    return failed(
      left.offset,
      left.length,
      'expected a query, got a number: this rule would never change',
      null,
    );
  }
  return { ok: true, comparison: { query, operator: comparison, limit } };
}

function scanPromql(text: string, start: number): Scan | ExpressionProblem {
  const open: Operator[] = [];
  const comparisons: Operator[] = [];
  let setOperator: Operator | null = null;
  let code = text;
  TOKEN.lastIndex = start;
  for (let match = TOKEN.exec(text); match; match = TOKEN.exec(text)) {
    const token: Operator = { text: match[0], offset: match.index };
    const first = token.text[0] ?? '';
    if (first === '"' || first === "'" || first === '`') {
      const end = stringEnd(text, token.offset);
      if (end === undefined)
        return problem(token.offset, text.length - token.offset, 'this string is not closed', null);
      TOKEN.lastIndex = end;
    } else if (first === '#') {
      const newline = text.indexOf('\n', token.offset);
      const end = newline < 0 ? text.length : newline;
      code = code.slice(0, token.offset) + ' '.repeat(end - token.offset) + code.slice(end);
      TOKEN.lastIndex = end;
    } else if (first in CLOSING) {
      open.push(token);
    } else if (first === ')' || first === ']' || first === '}') {
      const opener = open.pop();
      if (!opener || CLOSING[opener.text] !== first)
        return problem(token.offset, 1, `"${first}" closes nothing`, null);
    } else if (open.length === 0) {
      if (toComparison(token.text) || token.text === '=') comparisons.push(token);
      else if (/^(?:and|or|unless)$/i.test(token.text)) setOperator ??= token;
    }
  }
  const unclosed = open.at(-1);
  if (unclosed) return problem(unclosed.offset, 1, `"${unclosed.text}" is not closed`, null);
  return { comparisons, setOperator, code };
}

/** Offset after the closing quote; a backtick string knows no escapes. */
function stringEnd(text: string, start: number): number | undefined {
  const quote = text[start];
  for (let index = start + 1; index < text.length; index++) {
    if (text[index] === '\\' && quote !== '`') index++;
    else if (text[index] === quote) return index + 1;
  }
  return undefined;
}

function trimmed(text: string, from: number, to: number): Place {
  let start = from;
  let end = to;
  while (start < end && /\s/.test(text[start] ?? '')) start++;
  while (end > start && /\s/.test(text[end - 1] ?? '')) end--;
  return { offset: start, length: end - start };
}

function toComparison(text: string): Comparison | undefined {
  switch (text) {
    case '>':
    case '>=':
    case '<':
    case '<=':
    case '==':
    case '!=':
      return text;
    default:
      return undefined;
  }
}

function mirrored(operator: string): string {
  return operator.replace(/[<>]/, (sign) => (sign === '<' ? '>' : '<'));
}

function problem(offset: number, length: number, message: string, hint: string | null): ExpressionProblem {
  return { offset, length, message, hint };
}

function failed(
  offset: number,
  length: number,
  message: string,
  hint: string | null,
): PromqlResult & { ok: false } {
  return { ok: false, problem: problem(offset, length, message, hint) };
}
