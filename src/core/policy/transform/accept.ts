/**
 * Proactive negotiation (RFC 9110 §12.5): which content coding of several a client likes best.
 * Pure; malformed members of a list count for nothing.
 * @module
 */

export interface Preference {
  readonly value: string;
  /** 0–1; 0 refuses. */
  readonly q: number;
}

const Q = /^q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/i;

export function preferences(field: string): Preference[] {
  const found: Preference[] = [];
  for (const member of field.toLowerCase().split(',')) {
    const [value = '', ...parameters] = member.split(';').map((part) => part.trim());
    if (value === '') continue;
    const weight = parameters.find((parameter) => parameter.startsWith('q='));
    const q = weight === undefined ? 1 : Number(Q.exec(weight)?.[1] ?? Number.NaN);
    if (!Number.isNaN(q)) found.push({ value, q });
  }
  return found;
}

/**
 * The coding to use of `offered` (best first for equal weights), or null for none: that is also what a client
 * gets that names no coding. `field`: Accept-Encoding, or undefined.
 */
export function chooseEncoding<Coding extends string>(
  field: string | undefined,
  offered: readonly Coding[],
): Coding | null {
  if (field === undefined || field === '') return null;
  const asked = preferences(field);
  const weightOf = (coding: string): number | undefined =>
    asked.find(({ value }) => value === coding || value === `x-${coding}`)?.q;
  const star = weightOf('*');
  let best: Coding | null = null;
  // Only what is preferred to the body as it is; that has the lowest weight unless it is named.
  let bestQ = asked.find(({ value }) => value === 'identity')?.q ?? 0;
  for (const coding of offered) {
    const q = weightOf(coding) ?? star ?? 0;
    if (q > 0 && (q > bestQ || (best === null && q >= bestQ))) {
      best = coding;
      bestQ = q;
    }
  }
  return best;
}
