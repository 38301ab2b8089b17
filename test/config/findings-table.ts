/**
 * Reading a table of broken files: each case is one edit of a sound file and the one finding that it must give.
 * Knows diagnostics; nothing of what the files mean.
 * @module
 */

import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import type { Diagnostic, LoadResult } from '../../src/config/diagnostic.ts';

export interface BadCase {
  readonly title: string;
  readonly replace: string;
  readonly by: string;
  /** `line:column` of the finding. */
  readonly at: string;
  readonly severity: string;
  /** The text that the finding underlines. */
  readonly part: string;
  readonly message: string;
  readonly hint: string | undefined;
}

const CASE =
  /^# (?<title>.*)\n- (?<replace>.*)\n\+ (?<by>.*)\n! (?<at>\d+:\d+) (?<severity>error|warning) ?(?<part>.*)\n= (?<message>.*)(?:\n\? (?<hint>.*))?$/;

/**
 * Cases of `cases/<name>.txt`, parted by blank lines: title, what to replace, by what, place with the underlined
 * text, message, and the hint if any. `\n` stands for a line break.
 */
export function readCases(name: string): readonly BadCase[] {
  const text = readFileSync(new URL(`cases/${name}.txt`, import.meta.url), 'utf8');
  return text
    .trimEnd()
    .split('\n\n')
    .map((block) => {
      const found = CASE.exec(block)?.groups;
      if (!found) throw new Error(`not a case: ${block}`);
      const {
        title = '',
        replace = '',
        by = '',
        at = '',
        severity = '',
        part = '',
        message = '',
        hint,
      } = found;
      return {
        title,
        replace: unescaped(replace),
        by: unescaped(by),
        at,
        severity,
        part: unescaped(part),
        message,
        hint,
      };
    });
}

function unescaped(text: string): string {
  return text.replaceAll('\\n', '\n').replaceAll('\\t', '\t');
}

/** Applies the edit, which must be possible. */
export function edited(text: string, { replace, by }: Pick<BadCase, 'replace' | 'by'>): string {
  expect(text).toContain(replace);
  return text.replace(replace, () => by);
}

/** The case gives exactly one finding, and it is this one. */
export function expectFinding(result: LoadResult<unknown>, text: string, expected: BadCase): void {
  const { at, severity, message, hint } = expected;
  expect(result.diagnostics.map(summary)).toEqual([
    { at, severity, message, ...(hint === undefined ? {} : { hint }) },
  ]);
  const [found] = result.diagnostics;
  if (found) expect(underlined(text, found)).toBe(expected.part);
  expect(result.value === null).toBe(severity === 'error');
}

export function summary({ line, column, severity, message, hint }: Diagnostic) {
  return { at: `${line}:${column}`, severity, message, ...(hint === undefined ? {} : { hint }) };
}

export function underlined(text: string, place: Diagnostic): string {
  return text.slice(offsetOf(text, place.line, place.column), offsetOf(text, place.endLine, place.endColumn));
}

/** Fails when the file has no such place. */
export function offsetOf(text: string, line: number, column: number): number {
  const lines = text.split('\n');
  expect(line).toBeGreaterThanOrEqual(1);
  expect(line).toBeLessThanOrEqual(lines.length);
  const start = lines.slice(0, line - 1).reduce((sum, each) => sum + each.length + 1, 0);
  expect(column).toBeGreaterThanOrEqual(1);
  expect(column - 1).toBeLessThanOrEqual(lines[line - 1]?.length ?? -1);
  return start + column - 1;
}
