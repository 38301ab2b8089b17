/**
 * Reading response fields as the parser hands them over: name, value, name, value …, as bytes.
 * @module
 */

/** The first field of that name (lower case). */
export function firstField(fields: readonly Buffer[], name: string): string | undefined {
  for (let i = 0; i + 1 < fields.length; i += 2) {
    if (fields[i]?.length === name.length && fields[i]?.toString('latin1').toLowerCase() === name) {
      return fields[i + 1]?.toString('latin1');
    }
  }
  return undefined;
}
