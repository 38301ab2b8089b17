/**
 * Reads a `Forwarded` field (RFC 7239) from its right end, where the nearest proxies have written.
 * Knows the grammar; what a node's name means, and who is believed, it does not know.
 * @module
 */

export interface ForwardedElement {
  /** As it was written. */
  readonly text: string;
  /** Unquoted; empty where the element does not say. */
  readonly for: string;
  readonly proto: string;
  readonly host: string;
}

const BACKSLASH = 0x5c;
const QUOTE = 0x22;
const COMMA = 0x2c;

/** One `name=value` with what ends it: a token or a quoted string (RFC 9110 §5.6); control characters came in no field. */
const PAIR = /[ \t]*([\w!#$%&'*+.^`|~-]+)=(?:([\w!#$%&'*+.^`|~-]+)|"((?:[^"\\]|\\.)*)")[ \t]*(;|$)/y;

/**
 * The elements from the right, nearest proxy first, up to `most` of them. Ends at the first malformed one: what
 * stands left of it was not written by whoever wrote the rest, and can end a quoted string anywhere it likes.
 */
export function elementsFromRight(field: string, most: number): ForwardedElement[] {
  const elements: ForwardedElement[] = [];
  let end = field.length;
  while (end >= 0 && elements.length < most) {
    const start = startOfElement(field, end);
    const text = field.slice(start, end).trim();
    end = start - 1;
    if (text === '') continue;
    const element = parseElement(text);
    if (element === undefined) return elements;
    elements.push(element);
  }
  return elements;
}

/** After the last comma before `end` that is in no quoted string. */
function startOfElement(field: string, end: number): number {
  let quoted = false;
  for (let i = end - 1; i >= 0; i -= 1) {
    const code = field.charCodeAt(i);
    if (code === QUOTE) {
      if (!quoted) quoted = true;
      else if (backslashesBefore(field, i) % 2 === 0) quoted = false;
    } else if (code === COMMA && !quoted) {
      return i + 1;
    }
  }
  return 0;
}

function backslashesBefore(field: string, index: number): number {
  let start = index;
  while (start > 0 && field.charCodeAt(start - 1) === BACKSLASH) start -= 1;
  return index - start;
}

function parseElement(text: string): ForwardedElement | undefined {
  const values = new Map<string, string>();
  let at = 0;
  do {
    PAIR.lastIndex = at;
    const [pair, name = '', token, quoted = ''] = PAIR.exec(text) ?? [];
    // A parameter occurs once per element (RFC 7239 §4).
    if (pair === undefined || values.has(name.toLowerCase())) return undefined;
    values.set(name.toLowerCase(), token ?? quoted.replace(/\\(.)/g, '$1'));
    at += pair.length;
  } while (at < text.length || text.endsWith(';'));
  const said = (name: string): string => values.get(name) ?? '';
  return { text, for: said('for'), proto: said('proto'), host: said('host') };
}
