/**
 * Maps an offset in the value of a YAML scalar back to the source, through quotes, escapes and folded lines.
 * Knows the scalar styles of YAML 1.2; nothing of what the text means.
 * @module
 */

import type { TextRange } from './findings.ts';

export type ScalarStyle = 'plain' | 'single-quoted' | 'double-quoted' | 'block';

interface Piece {
  /** What this piece of source stands for; white space may be folded away. */
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

const SIMPLE_ESCAPES: Readonly<Record<string, string>> = {
  '0': '\0',
  a: '\x07',
  b: '\b',
  t: '\t',
  '\t': '\t',
  n: '\n',
  v: '\v',
  f: '\f',
  r: '\r',
  e: '\x1b',
  ' ': ' ',
  '"': '"',
  '/': '/',
  '\\': '\\',
  N: '\x85',
  _: '\xa0',
  L: '\u2028',
  P: '\u2029',
}; // YAML 1.2.2 §5.7
const HEX_DIGITS: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };

/** The source range of `value.slice(offset, offset + length)`, where `scalar` is the scalar's range with quotes. */
export function scalarRange(
  source: string,
  scalar: TextRange,
  style: ScalarStyle,
  value: string,
  offset: number,
  length: number,
): TextRange {
  const places = valuePlaces(source, scalar, style, value);
  const end = places.at(-1)?.end ?? scalar.end;
  const first = places[offset]?.start ?? end;
  const last = length > 0 ? (places[offset + length - 1]?.end ?? end) : first;
  return { start: first, end: Math.max(first, last) };
}

/** The place of every character of the value. Folding only changes white space, so the rest aligns in order. */
function valuePlaces(
  source: string,
  scalar: TextRange,
  style: ScalarStyle,
  value: string,
): readonly TextRange[] {
  const pieces = readPieces(source, scalar, style);
  const places: TextRange[] = [];
  let next = 0;
  for (let index = 0; index < value.length; ) {
    const blank = isBlank(value[index] ?? '');
    if (!blank) while (next < pieces.length && isBlank(pieces[next]?.text ?? '')) next++;
    const piece = pieces[next];
    const matches =
      piece !== undefined && (blank ? isBlank(piece.text) : value.startsWith(piece.text, index));
    if (!matches) {
      // White space that stands for a folded line break: it has no character of its own.
      const at = piece?.start ?? scalar.end;
      places.push({ start: at, end: at });
      index++;
      continue;
    }
    for (let unit = 0; unit < piece.text.length; unit++) places.push({ start: piece.start, end: piece.end });
    index += piece.text.length;
    next++;
  }
  return places;
}

function readPieces(source: string, scalar: TextRange, style: ScalarStyle): readonly Piece[] {
  const pieces: Piece[] = [];
  const quoted = style === 'single-quoted' || style === 'double-quoted';
  let index = quoted ? scalar.start + 1 : style === 'block' ? afterHeader(source, scalar) : scalar.start;
  const end = quoted ? scalar.end - 1 : scalar.end;
  while (index < end) {
    const piece = readPiece(source, index, style);
    if (piece.text !== '') pieces.push(piece);
    index = piece.end;
  }
  return pieces;
}

function readPiece(source: string, start: number, style: ScalarStyle): Piece {
  const character = source[start] ?? '';
  if (style === 'single-quoted' && character === "'") return { text: "'", start, end: start + 2 };
  if (style !== 'double-quoted' || character !== '\\') return { text: character, start, end: start + 1 };
  const letter = source[start + 1] ?? '';
  const digits = HEX_DIGITS[letter];
  if (digits !== undefined) {
    const end = start + 2 + digits;
    const code = Number.parseInt(source.slice(start + 2, end), 16);
    return { text: code <= 0x10ffff ? String.fromCodePoint(code) : '', start, end };
  }
  return { text: SIMPLE_ESCAPES[letter] ?? '', start, end: start + 2 };
}

/** The content of `|` and `>` starts on the line after their header. */
function afterHeader(source: string, scalar: TextRange): number {
  const newline = source.indexOf('\n', scalar.start);
  return newline < 0 || newline > scalar.end ? scalar.end : newline + 1;
}

function isBlank(text: string): boolean {
  return text !== '' && /^\s+$/.test(text);
}
