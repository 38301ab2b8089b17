/**
 * Reads `sum(increase(bad[$interval])) / sum(increase(all[$interval]))`: a user's pair of counters, of which intervals
 * are bet on. Owns this form and its messages; what the selectors select only Prometheus can tell.
 * @module
 */

import type { CounterPair } from '../core/domain/rule.ts';
import { closest } from './edit-distance.ts';
import type { ExpressionProblem, Place } from './promql-comparison.ts';

export type CounterPairResult =
  | { readonly ok: true; readonly counters: CounterPair }
  | { readonly ok: false; readonly problem: ExpressionProblem };

const FORM =
  'write sum(increase(bad_total{version="$version"}[$interval])) / sum(increase(all_total{version="$version"}[$interval]))';
const VARIABLES = ['$interval', '$version'] as const;

/** Whether a query or its limit is meant as a pair of counters, and not as a threshold on a value. */
export function isMeantAsPair(query: string, limit: string): boolean {
  return /\d\s*[x×%]\s*$/i.test(limit) || /\$(?:interval|version)|\[\s*\$/i.test(query);
}

/** `code` is the expression with comments blanked out, `query` the place of the pair in it. Never throws. */
export function parseCounterPair(code: string, query: Place, compares: boolean): CounterPairResult {
  const reader = new PairReader(code, query);
  try {
    const bad = reader.counter();
    reader.expect('/', 'expected "/" and the counter of all requests', FORM);
    const total = reader.counter();
    reader.end();
    checkVersions(bad, total, compares);
    return { ok: true, counters: { bad: bad.text, total: total.text } };
  } catch (error) {
    if (error instanceof PairError) return { ok: false, problem: error.problem };
    throw error;
  }
}

class PairError extends Error {
  readonly problem: ExpressionProblem;

  constructor(offset: number, length: number, message: string, hint: string | null) {
    super(message);
    this.problem = { offset, length, message, hint };
  }
}

interface Selector extends Place {
  readonly text: string;
}

/** A comparison needs the version in both counters; a fixed limit in both or in neither. */
function checkVersions(bad: Selector, total: Selector, compares: boolean): void {
  const has = ({ text }: Selector): boolean => text.includes('$version');
  const without = [bad, total].find((selector) => !has(selector));
  if (without === undefined || (!compares && !has(bad) && !has(total))) return;
  const message = compares
    ? 'this counter is the same for both versions, so there is nothing to compare'
    : 'this counter is not of the version that the other one counts';
  const hint = 'add a matcher such as version="$version"';
  throw new PairError(without.offset, without.length, message, hint);
}

class PairReader {
  readonly #code: string;
  readonly #endAt: number;
  #at: number;

  constructor(code: string, { offset, length }: Place) {
    this.#code = code;
    this.#at = offset;
    this.#endAt = offset + length;
  }

  /** `sum(increase(selector[$interval]))` */
  counter(): Selector {
    this.#word('sum', 'the sum of a counter over all its series');
    this.#grouping();
    this.expect('(', 'expected "(" after sum', FORM);
    this.#word('increase', 'the increase of a counter');
    this.expect('(', 'expected "(" after increase', FORM);
    const selector = this.#selector();
    this.#interval();
    this.expect(')', 'expected ")" after the range', 'offset and @ are not for counters that are bet on');
    this.expect(')', 'expected ")" after the increase', FORM);
    return selector;
  }

  expect(token: string, message: string, hint: string): void {
    this.#skipSpace();
    if (!this.#code.startsWith(token, this.#at) || this.#at >= this.#endAt)
      throw this.#problem(message, hint);
    this.#at += token.length;
  }

  end(): void {
    this.#skipSpace();
    if (this.#at < this.#endAt) {
      throw this.#problem('expected nothing after the counter of all requests', FORM, this.#endAt - this.#at);
    }
  }

  #word(expected: string, what: string): void {
    const found = this.#match(/[A-Za-z_]\w*/y);
    if (found === expected) return;
    this.#at -= found.length;
    const got = found === '' ? '' : `, got ${found}`;
    const hint =
      expected === 'increase' && /^(?:i?rate|i?delta|increase)$/i.test(found)
        ? 'write increase: events are counted, not rates'
        : FORM;
    throw this.#problem(`expected ${expected}: ${what}${got}`, hint, found.length);
  }

  #grouping(): void {
    const grouping = this.#match(/(?:by|without)\s*\([^)]*\)/y);
    if (grouping === '') return;
    this.#at -= grouping.length;
    throw this.#problem('expected one sum for each version', `remove "${grouping}"`, grouping.length);
  }

  #selector(): Selector {
    this.#skipSpace();
    const offset = this.#at;
    this.#match(/[A-Za-z_:][\w:]*/y);
    const matchers = this.#match(/\{(?:[^{}"'`]|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`)*\}/y);
    const text = this.#code.slice(offset, this.#at).trimEnd();
    if (text === '')
      throw this.#problem('expected a counter, such as failed_total{version="$version"}', FORM);
    const outside = matchers.replaceAll(/"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`/g, (string) =>
      ' '.repeat(string.length),
    );
    this.#variables(text, offset, outside, this.#at - matchers.length);
    return { text, offset, length: text.length };
  }

  /** `$version` within the string of a matcher, and no other variable. */
  #variables(text: string, offset: number, outside: string, outsideAt: number): void {
    for (const { 0: variable, index } of text.matchAll(/\$[A-Za-z_]\w*/g)) {
      if (variable === '$version') continue;
      const meant = closest(variable, VARIABLES);
      const hint =
        meant === '$version' ? 'did you mean $version?' : 'only $version stands for something here';
      throw new PairError(offset + index, variable.length, `there is no variable "${variable}" here`, hint);
    }
    const bare = outside.indexOf('$version');
    if (bare < 0) return;
    const hint = 'put it in quotes: version="$version"';
    throw new PairError(outsideAt + bare, '$version'.length, '$version stands for a text', hint);
  }

  #interval(): void {
    const range = this.#match(/\[[^\]]*\]/y);
    if (/^\[\s*\$interval\s*\]$/.test(range)) return;
    this.#at -= range.length;
    const got = range === '' ? '' : `, got ${range}`;
    const hint =
      'intervals are from scrape to scrape, so no range is stated; over: 5m is the window of the estimate';
    throw this.#problem(`expected [$interval]${got}`, hint, range.length);
  }

  /** The text at the reader's place, which moves behind it; empty when something else is there. */
  #match(pattern: RegExp): string {
    this.#skipSpace();
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#code)?.[0] ?? '';
    if (this.#at + found.length > this.#endAt) return '';
    this.#at += found.length;
    return found;
  }

  #skipSpace(): void {
    while (this.#at < this.#endAt && /\s/.test(this.#code[this.#at] ?? '')) this.#at += 1;
  }

  #problem(message: string, hint: string, length?: number): PairError {
    const rest = Math.max(0, this.#endAt - this.#at);
    return new PairError(this.#at, Math.min(length ?? 1, rest), message, hint);
  }
}
