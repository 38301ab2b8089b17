/**
 * Fields as the gateway carries them, in one list of name, value, name, value …: looking up, leaving out, and the
 * edits that HTTP asks for when a body is changed. Knows no exchange.
 * @module
 */

/** Values of that name (lower case) as one list (RFC 9110 §5.3); undefined when there is none. */
export function fieldText(fields: readonly string[], name: string): string | undefined {
  let text: string | undefined;
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const each = fields[i] as string;
    if (each.length !== name.length || each.toLowerCase() !== name) continue;
    text = text === undefined ? fields[i + 1] : `${text}, ${fields[i + 1]}`;
  }
  return text;
}

/** Where the value of the first field of exactly that name stands, or -1. A value that says the same is none. */
export function valueIndexOf(fields: readonly string[], name: string): number {
  for (let i = 0; i + 1 < fields.length; i += 2) if (fields[i] === name) return i + 1;
  return -1;
}

/** Without the fields whose name (lower case) is unwanted. */
export function fieldsWithout(fields: readonly string[], unwanted: (name: string) => boolean): string[] {
  const kept: string[] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) {
    if (!unwanted((fields[i] as string).toLowerCase()))
      kept.push(fields[i] as string, fields[i + 1] as string);
  }
  return kept;
}

/** Media type without parameters, lower case; empty without Content-Type. */
export function mediaTypeOf(fields: readonly string[]): string {
  const text = fieldText(fields, 'content-type') ?? '';
  const semicolon = text.indexOf(';');
  return (semicolon < 0 ? text : text.slice(0, semicolon)).trim().toLowerCase();
}

/**
 * Whether Content-Type is there more than once, also in one field: who takes the first of them and who takes the last
 * read different bodies.
 */
export function hasSeveralTypes(fields: readonly string[]): boolean {
  const text = fieldText(fields, 'content-type');
  return text?.includes(',') === true && text.replace(/"(?:[^"\\]|\\.)*"/g, '').includes(',');
}

/** Names one more request field that the response depends on. */
export function withVary(fields: readonly string[], name: string): string[] {
  const vary = fieldText(fields, 'vary');
  if (vary === undefined) return [...fields, 'Vary', name];
  const named = vary.split(',').map((each) => each.trim().toLowerCase());
  if (named.includes('*') || named.includes(name.toLowerCase())) return [...fields];
  return [...fieldsWithout(fields, (each) => each === 'vary'), 'Vary', `${vary}, ${name}`];
}

/** What describes the very bytes of a body, and is wrong once they are others. */
const OF_THE_BYTES: ReadonlySet<string> = new Set([
  'content-length',
  'content-md5',
  'digest',
  'content-digest',
  'repr-digest',
  'accept-ranges',
]);

/** The fields of the same response with another body: no length, no digests, no ranges, a weak validator. */
export function fieldsOfChangedBody(fields: readonly string[]): string[] {
  const kept = fieldsWithout(fields, (name) => OF_THE_BYTES.has(name));
  for (let i = 0; i + 1 < kept.length; i += 2) {
    if (kept[i]?.toLowerCase() === 'etag') kept[i + 1] = weakTag(kept[i + 1] as string);
  }
  return kept;
}

export function weakTag(tag: string): string {
  return tag.startsWith('W/') ? tag : `W/${tag}`;
}
