/**
 * Tables in a given width: cells are measured and cut as plain text and painted afterwards. Knows no rollout.
 * @module
 */

import { cut, padEnd, padStart, widthOf } from './text.ts';

export type Paint = (text: string) => string;

export interface Cell {
  readonly text: string;
  readonly paint?: Paint;
}

export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
  /** Takes what the others leave, but no more than it needs. One column at most. */
  readonly flexible?: boolean;
  /** Not shown below this many columns of terminal. */
  readonly from?: number;
}

export interface TableOptions {
  readonly columns: number;
  readonly indent: number;
  readonly unicode: boolean;
  readonly paintTitle: Paint;
}

const GAP = '  ';
const FLEXIBLE_MIN = 8;

/** Title line, then one line per row. Each row has one cell per column. */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  options: TableOptions,
): readonly string[] {
  const shown = columns.flatMap((column, index) =>
    (column.from ?? 0) <= options.columns ? [{ column, index }] : [],
  );
  const widths = shown.map(({ column, index }) =>
    Math.max(widthOf(column.title), ...rows.map((row) => widthOf(row[index]?.text ?? ''))),
  );
  const flexible = shown.findIndex(({ column }) => column.flexible);
  if (flexible >= 0) {
    const others = widths.reduce((sum, width, index) => sum + (index === flexible ? 0 : width), 0);
    const room = options.columns - options.indent - others - GAP.length * (shown.length - 1);
    widths[flexible] = Math.max(FLEXIBLE_MIN, Math.min(widths[flexible] ?? 0, room));
  }
  const line = (cells: readonly (Cell | undefined)[]) =>
    `${' '.repeat(options.indent)}${cells
      .map((cell, position) => {
        const width = widths[position] ?? 0;
        const text = cut(cell?.text ?? '', width, options.unicode);
        const pad = shown[position]?.column.align === 'right' ? padStart : padEnd;
        const last = position === cells.length - 1;
        const padded = last && pad === padEnd ? text : pad(text, width);
        return cell?.paint && text !== '' ? cell.paint(padded) : padded;
      })
      .join(GAP)}`.trimEnd();
  return [
    line(shown.map(({ column }) => ({ text: column.title, paint: options.paintTitle }))),
    ...rows.map((row) => line(shown.map(({ index }) => row[index]))),
  ];
}
