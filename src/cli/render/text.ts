/**
 * Text in terminal columns: cleaning, measuring, cutting, padding, wrapping, numbers. Knows no rollout.
 * @module
 */

/** What a renderer may use. Pure data, so that the same view always gives the same lines. */
export interface RenderOptions {
  readonly columns: number;
  readonly color: boolean;
  readonly unicode: boolean;
  /** IANA time zone. */
  readonly timeZone: string;
}

/** Names, notes and reasons come from other people: control characters never reach the terminal. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ');
}

const WIDE = /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]/;

/** Columns that a printable text takes. */
export function widthOf(text: string): number {
  let width = 0;
  for (const character of text) {
    if (/\p{Mn}/u.test(character)) continue;
    width += WIDE.test(character) || (character.codePointAt(0) ?? 0) >= 0x1f300 ? 2 : 1;
  }
  return width;
}

/** Cuts to `columns`, ending in an ellipsis when something was cut. */
export function cut(text: string, columns: number, unicode = true): string {
  if (widthOf(text) <= columns) return text;
  const ellipsis = unicode ? '…' : '~';
  let kept = '';
  let width = 1;
  for (const character of text) {
    width += widthOf(character);
    if (width > columns) break;
    kept += character;
  }
  return columns > 0 ? kept + ellipsis : '';
}

export function padEnd(text: string, columns: number): string {
  return text + ' '.repeat(Math.max(0, columns - widthOf(text)));
}

export function padStart(text: string, columns: number): string {
  return ' '.repeat(Math.max(0, columns - widthOf(text))) + text;
}

/** Breaks at spaces; the last of `maxLines` lines is cut. */
export function wrap(text: string, columns: number, maxLines: number): readonly string[] {
  const lines: string[] = [];
  let line = '';
  const words = text.split(' ').filter((word) => word !== '');
  for (const [index, word] of words.entries()) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (widthOf(longer) <= columns || line === '') {
      line = longer;
      continue;
    }
    if (lines.length === maxLines - 1) {
      line = `${line} ${words.slice(index).join(' ')}`;
      break;
    }
    lines.push(line);
    line = word;
  }
  if (line !== '') lines.push(line);
  return lines.map((each) => cut(each, columns));
}

/** As many of the parts, in order, as fit; at least the first, cut. */
export function joinFitting(parts: readonly string[], separator: string, columns: number): string {
  let text = cut(parts[0] ?? '', columns);
  for (const part of parts.slice(1)) {
    const longer = `${text}${separator}${part}`;
    if (widthOf(longer) > columns) break;
    text = longer;
  }
  return text;
}

/** `41210` → `41,210`. */
export function formatCount(count: number): string {
  return String(Math.round(count)).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** A fraction as a percentage with two digits that matter: `0.0021` → `0.21%`. */
export function formatRate(rate: number): string {
  const percent = rate * 100;
  const digits = percent === 0 || percent >= 10 ? 1 : 2;
  return `${percent.toFixed(digits)}%`;
}

export function formatLatency(ms: number): string {
  if (ms >= 10_000) return `${(ms / 1000).toFixed(1)}s`;
  return ms < 10 ? `${ms.toFixed(1)}ms` : `${Math.round(ms)}ms`;
}

/** `12:08:11` in the given zone. */
export function formatTime(atMs: number, timeZone: string): string {
  return new Intl.DateTimeFormat('en-GB', { timeZone, timeStyle: 'medium' }).format(atMs);
}

/** `2026-11-24 12:08:11` in the given zone. */
export function formatDateTime(atMs: number, timeZone: string): string {
  const date = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short' }).format(atMs);
  return `${date} ${formatTime(atMs, timeZone)}`;
}
