/**
 * Medians, quartiles and tables of the benchmarks. Knows no processes and no files.
 * @module
 */

/** Nearest-rank quantile of unsorted numbers; NaN when there are none. */
export function quantile(values, q) {
  if (values.length === 0) return Number.NaN;
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(q * sorted.length) - 1))];
}

/** Median of the rounds, the mean of the middle two when their number is even. */
export function median(values) {
  return interpolated(values, 0.5);
}

/** Median and quartiles, interpolated. */
export function quartiles(values) {
  return {
    low: interpolated(values, 0.25),
    mid: interpolated(values, 0.5),
    high: interpolated(values, 0.75),
  };
}

function interpolated(values, q) {
  if (values.length === 0) return Number.NaN;
  const sorted = Float64Array.from(values).sort();
  const at = q * (sorted.length - 1);
  const below = sorted[Math.floor(at)];
  return below + (sorted[Math.ceil(at)] - below) * (at - Math.floor(at));
}

/** A table as text; the first column is text, the others are aligned to the right. */
export function table(head, rows) {
  const cells = [head, ...rows].map((row) => row.map(String));
  const widths = head.map((_, column) => Math.max(...cells.map((row) => row[column].length)));
  const line = (row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]) : cell.padStart(widths[column])))
      .join('  ');
  return [
    line(cells[0]),
    widths.map((width) => '-'.repeat(width)).join('  '),
    ...cells.slice(1).map(line),
  ].join('\n');
}

/** A number with its thousands apart. */
export function grouped(value) {
  return Math.round(value).toLocaleString('en-US').replaceAll(',', ' ');
}
