/**
 * Collects the findings about one file and turns offsets into lines and columns.
 * Knows the text only; what is wrong with it is said by the callers.
 * @module
 */

import type { Diagnostic } from './diagnostic.ts';

/** One configuration file as read. */
export interface ConfigFile {
  /** As the user named it; shown in diagnostics. */
  readonly name: string;
  readonly text: string;
  readonly absolutePath: string;
}

/** Offsets into the text of a file; `end` is exclusive. */
export interface TextRange {
  readonly start: number;
  readonly end: number;
}

export interface Findings {
  error(range: TextRange, message: string, hint?: string): void;
  /** An error at a place that may hold a secret. */
  sensitive(range: TextRange, message: string): void;
  warning(range: TextRange, message: string, hint?: string): void;
  hasErrors(): boolean;
  /** Sorted by position, without repetitions, at most {@link MAX_DIAGNOSTICS}. */
  list(): readonly Diagnostic[];
}

export const MAX_DIAGNOSTICS = 100;

/** Orders by file, then by position; errors before warnings at the same place. */
export function compareDiagnostics(a: Diagnostic, b: Diagnostic): number {
  if (a.file !== b.file) return a.file < b.file ? -1 : 1;
  return a.line - b.line || a.column - b.column || a.severity.localeCompare(b.severity);
}

/** Starts an empty collection for `file`. */
export function createFindings(file: ConfigFile): Findings {
  const starts = lineStarts(file.text);
  const found: Diagnostic[] = [];
  const seen = new Set<string>();

  function add(
    range: TextRange,
    rest: Pick<Diagnostic, 'severity' | 'message' | 'hint' | 'sensitive'>,
  ): void {
    const start = clamp(range.start, 0, file.text.length);
    const from = position(starts, start);
    const to = position(starts, clamp(range.end, start, file.text.length));
    // An alias makes one mistake show up at every use of its anchor.
    const key = `${start}:${rest.message}`;
    if (seen.has(key)) return;
    seen.add(key);
    found.push({
      file: file.name,
      line: from.line,
      column: from.column,
      endLine: to.line,
      endColumn: to.column,
      ...rest,
    });
  }

  function say(severity: Diagnostic['severity'], range: TextRange, message: string, hint?: string): void {
    add(range, { severity, message, ...(hint === undefined ? {} : { hint }) });
  }

  return {
    error: (range, message, hint) => say('error', range, message, hint),
    warning: (range, message, hint) => say('warning', range, message, hint),
    sensitive: (range, message) => add(range, { severity: 'error', message, sensitive: true }),
    hasErrors: () => found.some((diagnostic) => diagnostic.severity === 'error'),
    list: () => capped([...found].sort(compareDiagnostics)),
  };
}

/** Replaces what is beyond the limit by one line that says how much that is. */
function capped(sorted: readonly Diagnostic[]): readonly Diagnostic[] {
  const last = sorted[MAX_DIAGNOSTICS - 1];
  if (sorted.length <= MAX_DIAGNOSTICS || !last) return sorted;
  const rest = sorted.slice(MAX_DIAGNOSTICS - 1);
  const severity = rest.some((diagnostic) => diagnostic.severity === 'error') ? 'error' : 'warning';
  const { hint: _, ...place } = last;
  return [
    ...sorted.slice(0, MAX_DIAGNOSTICS - 1),
    { ...place, severity, message: `${rest.length} more problems from here on are not shown` },
  ];
}

/** Offsets at which lines start. `\r\n` and `\n` end a line. */
function lineStarts(text: string): readonly number[] {
  const starts = [0];
  for (let index = text.indexOf('\n'); index >= 0; index = text.indexOf('\n', index + 1))
    starts.push(index + 1);
  return starts;
}

function position(starts: readonly number[], offset: number): { line: number; column: number } {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((starts[middle] ?? 0) <= offset) low = middle;
    else high = middle - 1;
  }
  return { line: low + 1, column: offset - (starts[low] ?? 0) + 1 };
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}
