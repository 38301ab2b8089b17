/**
 * A single byte range of a stored response (RFC 9110 §14). Several ranges, other units and bad syntax count as no
 * range at all, which the specification allows.
 * @module
 */

export type RangeAnswer =
  | { readonly kind: 'whole' }
  /** `first` to `last`, both included. */
  | { readonly kind: 'part'; readonly first: number; readonly last: number }
  | { readonly kind: 'unsatisfiable' };

const WHOLE: RangeAnswer = { kind: 'whole' };
const RANGE = /^bytes=(\d{0,15})-(\d{0,15})$/i;

/** `length`: of the stored body, bytes. */
export function rangeOf(range: string, length: number): RangeAnswer {
  const match = RANGE.exec(range.replaceAll(' ', ''));
  if (match === null) return WHOLE;
  const [, from = '', to = ''] = match;
  if (from === '') {
    if (to === '') return WHOLE;
    const suffix = Number(to);
    if (suffix === 0 || length === 0) return { kind: 'unsatisfiable' };
    return { kind: 'part', first: Math.max(0, length - suffix), last: length - 1 };
  }
  const first = Number(from);
  if (to !== '' && Number(to) < first) return WHOLE;
  if (first >= length) return { kind: 'unsatisfiable' };
  return { kind: 'part', first, last: to === '' ? length - 1 : Math.min(Number(to), length - 1) };
}
