/**
 * Words for what a schema found: "expected …, got …" for people, in place of zod's own messages.
 * Knows neither positions nor YAML.
 * @module
 */

import type * as z from 'zod';
import { closest } from './edit-distance.ts';

type Issue = z.core.$ZodIssue;

export interface Wording {
  readonly message: string;
  readonly hint?: string;
}

const TYPE_WORDS: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a map',
  record: 'a map',
};

/** `steps[1].gate`; empty for the root. */
export function describePath(path: readonly PropertyKey[]): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else text += text === '' ? String(step) : `.${String(step)}`;
  }
  return text;
}

export function describeValue(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (typeof value === 'string') return `"${value.length > 60 ? `${value.slice(0, 59)}…` : value}"`;
  if (typeof value === 'number') return `the number ${value}`;
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object') return Object.keys(value).length === 0 ? 'an empty map' : 'a map';
  return String(value);
}

/** What the schema wanted, starting with "expected"; without what it got. */
export function expectation(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return own(issue) ?? `expected ${TYPE_WORDS[issue.expected] ?? issue.expected}`;
    case 'invalid_value': {
      const values = issue.values.map(String);
      return (
        own(issue) ?? (values.length === 1 ? `expected ${values[0]}` : `expected one of ${values.join(', ')}`)
      );
    }
    case 'too_small':
      return own(issue) ?? `expected at least ${amount(issue.origin, Number(issue.minimum))}`;
    case 'too_big':
      return own(issue) ?? `expected at most ${amount(issue.origin, Number(issue.maximum))}`;
    case 'invalid_format':
      return own(issue) ?? `expected text like ${issue.pattern ?? issue.format}`;
    case 'invalid_union':
      return own(issue) ?? alternatives(issue.errors);
    default:
      return own(issue) ?? 'expected something else';
  }
}

/** The full sentence about `value`, with a hint where a small change would do. */
export function describeIssue(issue: Issue, value: unknown): Wording {
  const expected = expectation(issue);
  const message = /\bgot\b/.test(expected) ? expected : `${expected}, got ${describeSized(issue, value)}`;
  const hint = hintFor(issue, expected, value);
  return hint === undefined ? { message } : { message, hint };
}

/** "expected A or B" of the branches of a union, when the value fits none. */
function alternatives(branches: readonly (readonly Issue[])[]): string {
  const parts = branches
    .flatMap((issues) => issues.slice(0, 1))
    .map((issue) => expectation(issue).replace(/^expected /, ''));
  return `expected ${[...new Set(parts)].join(' or ')}`;
}

function describeSized(issue: Issue, value: unknown): string {
  const counted = issue.code === 'too_small' || issue.code === 'too_big';
  if (counted && Array.isArray(value) && value.length > 0) return String(value.length);
  if (counted && typeof value === 'string' && value.length > 60) return `${value.length} characters`;
  return describeValue(value);
}

function amount(origin: string, limit: number): string {
  if (origin === 'array') return limit === 1 ? 'one item' : `${limit} items`;
  if (origin === 'string') return limit === 1 ? 'one character' : `${limit} characters`;
  return String(limit);
}

function hintFor(issue: Issue, expected: string, value: unknown): string | undefined {
  const bare = typeof value === 'number' || (typeof value === 'string' && /^\d+(?:\.\d+)?$/.test(value));
  if (bare && expected.startsWith('expected a duration')) return `add a unit: ${value}s`;
  if (bare && expected.startsWith('expected a percentage'))
    return Number(value) <= 100 ? `add the sign: ${value}%` : undefined;
  const words = literalWords(issue);
  if (words.length > 0 && typeof value === 'string') {
    const match = closest(value, words);
    if (match !== undefined) return `did you mean "${match}"?`;
  }
  const wantsText = issue.code === 'invalid_type' && issue.expected === 'string';
  if (wantsText && (typeof value === 'number' || typeof value === 'boolean'))
    return `put it in quotes: "${value}"`;
  return undefined;
}

function literalWords(issue: Issue): readonly string[] {
  if (issue.code === 'invalid_value') return issue.values.filter((each) => typeof each === 'string');
  if (issue.code === 'invalid_union')
    return issue.errors
      .flat()
      .filter((each) => each.path.length === 0)
      .flatMap(literalWords);
  return [];
}

/** The schema's own words, which all start with "expected"; zod's never do. */
function own(issue: Issue): string | undefined {
  return issue.message.startsWith('expected') ? issue.message : undefined;
}
