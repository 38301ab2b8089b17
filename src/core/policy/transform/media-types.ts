/**
 * Which media types are JSON or XML, what the same thing is called in the other form, and which of the two a client
 * wants (RFC 9110 §12.5.1). Pure.
 * @module
 */

import { preferences } from './accept.ts';

export type BodyForm = 'json' | 'xml';

/** `type`: lower case, without parameters. XHTML is a page, not data. */
export function formOf(type: string): BodyForm | null {
  if (type === 'application/json') return 'json';
  if (type === 'application/xml' || type === 'text/xml') return 'xml';
  if (!type.startsWith('application/') || type === 'application/xhtml+xml') return null;
  if (type.endsWith('+json')) return 'json';
  return type.endsWith('+xml') ? 'xml' : null;
}

/** What a body of that type may be called in the other form, the closest first; it has one (`formOf`). */
export function counterparts(type: string): readonly string[] {
  const to = formOf(type) === 'json' ? 'xml' : 'json';
  const suffix = /^(application\/[^+]+\+)(?:json|xml)$/.exec(type)?.[1];
  const own = suffix === undefined ? [] : [suffix + to];
  return to === 'json' ? [...own, 'application/json'] : [...own, 'application/xml', 'text/xml'];
}

/** How much a client wants a type: 0–1, by the most specific range that fits; 1 for all without Accept. */
export function acceptWeight(accept: string | undefined, type: string): number {
  if (accept === undefined || accept.trim() === '') return 1;
  const asked = preferences(accept);
  const [group] = type.split('/', 1);
  for (const range of [type, `${group}/*`, '*/*']) {
    const found = asked.filter(({ value }) => value === range).map(({ q }) => q);
    if (found.length > 0) return Math.max(...found);
  }
  return 0;
}

/**
 * The type in which a client wants a body of `type`: itself, or one in the other form. `leaning`: the form of a client
 * that wants both alike.
 */
export function wantedType(type: string, accept: string | undefined, leaning: BodyForm): string {
  const own = acceptWeight(accept, type);
  let best = type;
  let bestWeight = 0;
  for (const other of counterparts(type)) {
    const weight = acceptWeight(accept, other);
    if (weight <= bestWeight) continue;
    best = other;
    bestWeight = weight;
  }
  if (bestWeight > own) return best;
  return bestWeight === own && own > 0 && leaning !== formOf(type) ? best : type;
}

/** Whether a range of the field names a type of that form. */
export function namesForm(accept: string | undefined, form: BodyForm): boolean {
  return preferences(accept ?? '').some(({ value }) => formOf(value) === form);
}

/**
 * What an upstream that speaks only `form` is asked for: every range in the other form becomes its counterpart. A form
 * that the client refuses is no matter for the upstream.
 */
export function acceptOfForm(accept: string, form: BodyForm): string {
  const ranges = new Map<string, { readonly text: string; readonly q: number }>();
  for (const member of accept.split(',')) {
    const [type = '', ...parameters] = member.split(';').map((part) => part.trim());
    if (type === '') continue;
    const own = formOf(type.toLowerCase());
    const range = own === null || own === form ? type : (counterparts(type.toLowerCase())[0] ?? type);
    const rest = parameters.filter((parameter) => !/^q=/i.test(parameter));
    const name = [range, ...rest].join(';');
    const q = preferences(member)[0]?.q ?? 0;
    if ((own !== null && q === 0) || (ranges.get(name)?.q ?? -1) >= q) continue;
    ranges.set(name, { text: q === 1 ? name : `${name};q=${q}`, q });
  }
  if (ranges.size === 0) return `application/${form}`;
  return [...ranges.values()].map(({ text }) => text).join(', ');
}
