/**
 * Renders diagnostics for a terminal (with a code frame), for GitHub Actions, and as JSON.
 * Pure; knows neither files nor whether the output is a terminal.
 * @module
 */

import pico from 'picocolors';
import type { Diagnostic } from './diagnostic.ts';

export interface RenderOptions {
  readonly color: boolean;
  /** Source text by file name; a file without one gets no code frame. */
  readonly sources: Readonly<Record<string, string>>;
}

/** Columns of source shown around the place. */
const FRAME_WIDTH = 110;

/** Location line, code frame and hint of each, and the count at the end. Empty for no diagnostics. */
export function renderDiagnostics(diagnostics: readonly Diagnostic[], options: RenderOptions): string {
  if (diagnostics.length === 0) return '';
  const lines = new Map<string, readonly string[]>();
  for (const [name, text] of Object.entries(options.sources)) lines.set(name, text.split(/\r?\n/));
  // By line and not by finding: another finding on the same line would show it all the same.
  const hidden = new Set(diagnostics.filter((each) => each.sensitive).map(lineKey));
  const blocks = diagnostics.map((each) => {
    const line = hidden.has(lineKey(each)) ? undefined : lines.get(each.file)?.[each.line - 1];
    return renderOne(each, line, options.color);
  });
  return `${blocks.join('\n')}\n${countDiagnostics(diagnostics)}.\n`;
}

function lineKey(diagnostic: Diagnostic): string {
  return `${diagnostic.file}:${diagnostic.line}`;
}

/** `2 errors, 1 warning`; leaves out what there is none of. */
export function countDiagnostics(diagnostics: readonly Diagnostic[]): string {
  const errors = diagnostics.filter((each) => each.severity === 'error').length;
  const warnings = diagnostics.length - errors;
  const parts = [plural(errors, 'error'), plural(warnings, 'warning')].filter((part) => part !== '');
  return parts.length > 0 ? parts.join(', ') : 'no problems';
}

function renderOne(diagnostic: Diagnostic, line: string | undefined, color: boolean): string {
  const colors = pico.createColors(color);
  const paint = diagnostic.severity === 'error' ? colors.red : colors.yellow;
  const place = colors.bold(`${printable(diagnostic.file)}:${diagnostic.line}:${diagnostic.column}`);
  const head = `${place}  ${paint(diagnostic.severity)}  ${printable(diagnostic.message)}`;
  const hint = diagnostic.hint === undefined ? '' : ` ${printable(diagnostic.hint)}`;
  if (line === undefined || (line === '' && hint === '')) return hint ? `${head}\n     ${hint}` : head;
  const frame = cut(line, diagnostic);
  const number = String(diagnostic.line).padStart(5);
  const bar = colors.dim('│');
  const carets = paint('^'.repeat(frame.length));
  return [
    head,
    `${colors.dim(number)} ${bar} ${printable(frame.text)}`,
    `${' '.repeat(5)} ${bar} ${' '.repeat(frame.column)}${carets}${colors.cyan(hint)}`,
  ].join('\n');
}

/** The part of a long line around the place; `column` is where the carets start in it, from 0. */
function cut(line: string, diagnostic: Diagnostic): { text: string; column: number; length: number } {
  const start = diagnostic.column - 1;
  const end = diagnostic.endLine > diagnostic.line ? line.length : diagnostic.endColumn - 1;
  const length = Math.max(1, end - start);
  if (line.length <= FRAME_WIDTH) return { text: line, column: start, length };
  const from = Math.max(0, Math.min(start - 30, line.length - FRAME_WIDTH));
  const to = Math.min(line.length, from + FRAME_WIDTH);
  const text = `${from > 0 ? '…' : ''}${line.slice(from, to)}${to < line.length ? '…' : ''}`;
  const column = start - from + (from > 0 ? 1 : 0);
  return { text, column, length: Math.max(1, Math.min(length, to - start)) };
}

/** Keeps escape sequences of a hostile file away from the terminal, and columns in place. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => (character === '\t' ? ' ' : '�'));
}

/** Workflow commands of GitHub Actions, one a line. */
export function renderGithub(diagnostics: readonly Diagnostic[]): string {
  return diagnostics
    .map((each) => {
      const properties = [
        `file=${escapeProperty(each.file)}`,
        `line=${each.line}`,
        `col=${each.column}`,
        ...(each.endLine === each.line ? [`endColumn=${each.endColumn}`] : [`endLine=${each.endLine}`]),
        `title=${escapeProperty('rollout lint')}`,
      ];
      const message = each.hint === undefined ? each.message : `${each.message}\n${each.hint}`;
      return `::${each.severity} ${properties.join(',')}::${escapeData(message)}\n`;
    })
    .join('');
}

/** One JSON object: `{ errors, warnings, diagnostics }`. */
export function renderJson(diagnostics: readonly Diagnostic[]): string {
  const errors = diagnostics.filter((each) => each.severity === 'error').length;
  return `${JSON.stringify({ errors, warnings: diagnostics.length - errors, diagnostics }, null, 2)}\n`;
}

function escapeData(text: string): string {
  return text.replace(/%/g, '%25').replace(/\r/g, '%0D').replace(/\n/g, '%0A');
}

function escapeProperty(text: string): string {
  return escapeData(text).replace(/:/g, '%3A').replace(/,/g, '%2C');
}

function plural(count: number, word: string): string {
  if (count === 0) return '';
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}
