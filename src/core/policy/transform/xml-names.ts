/**
 * Names between XML and JSON: prefixes of namespaces, attributes, and characters that no XML name may have. Pure; knows
 * names, no documents.
 * @module
 */

/** An attribute in XML is a property whose name begins with this in JSON. */
export const ATTRIBUTE = '@';
/** Text beside attributes or elements. */
export const TEXT = '#text';

export const XSI = 'http://www.w3.org/2001/XMLSchema-instance';
export const XML = 'http://www.w3.org/XML/1998/namespace';
export const XMLNS = 'http://www.w3.org/2000/xmlns/';

/** What cannot be said in the other form; the message is the end of a sentence about the body. */
export class XmlProblem extends Error {
  /** It would be larger than it may be. */
  readonly tooLarge: boolean;

  constructor(message: string, tooLarge = false) {
    super(message);
    this.tooLarge = tooLarge;
  }
}

/** Of a name in XML without its prefix, and of a prefix, characters; the default of the JDK's parser for a name. */
const MAX_NAME_CHARS = 1_000;

/** As a parser that knows namespaces gives it; `uri` is empty for none. */
export interface QualifiedName {
  readonly prefix: string;
  readonly local: string;
  readonly uri: string;
}

/** Prefix: namespace; the empty prefix is that of elements without one. */
export type Namespaces = Readonly<Record<string, string>>;

const START =
  'A-Za-z_\\u00C0-\\u00D6\\u00D8-\\u00F6\\u00F8-\\u02FF\\u0370-\\u037D\\u037F-\\u1FFF\\u200C\\u200D\\u2070-\\u218F' +
  '\\u2C00-\\u2FEF\\u3001-\\uD7FF\\uF900-\\uFDCF\\uFDF0-\\uFFFD\\u{10000}-\\u{EFFFF}';
const NAME_START = new RegExp(`^[${START}]$`, 'u');
const NAME_CHAR = new RegExp(`^[${START}.0-9\\u00B7\\u0300-\\u036F\\u203F\\u2040-]$`, 'u');
const PLAIN = /^[A-Za-z_][A-Za-z0-9_.-]*$/;
const ESCAPE = /_x([0-9A-Fa-f]{4}|[0-9A-Fa-f]{8})_/g;
/** At one place only: a search from each place on would take a long name's length squared. */
const ESCAPE_HERE = new RegExp(ESCAPE.source, 'y');

/** A name without a prefix (NCName); what it may not have is written as `_x0020_` (ISO 9075-14). */
export function escapedName(name: string): string {
  bound(name);
  if (PLAIN.test(name) && !name.includes('_x')) return name;
  if (name === '') throw new XmlProblem('a name in it is empty');
  let out = '';
  let at = 0;
  for (const character of name) {
    const allowed = (at === 0 ? NAME_START : NAME_CHAR).test(character);
    ESCAPE_HERE.lastIndex = at;
    const looksEscaped = character === '_' && ESCAPE_HERE.test(name);
    out += allowed && !looksEscaped ? character : escapeOf(character);
    at += character.length;
  }
  bound(out);
  return out;
}

/** What is done with a name is done in one go. */
function bound(name: string): void {
  if (name.length > MAX_NAME_CHARS)
    throw new XmlProblem(`a name in it is longer than ${MAX_NAME_CHARS} characters`);
}

function escapeOf(character: string): string {
  const hex = (character.codePointAt(0) ?? 0).toString(16).toUpperCase();
  return `_x${hex.padStart(hex.length > 4 ? 8 : 4, '0')}_`;
}

/** The other way round. What would then look like an attribute or a text stays escaped. */
export function unescapedName(name: string): string {
  if (!name.includes('_x')) return name;
  const plain = name.replace(ESCAPE, (written, hex: string) => {
    const code = Number.parseInt(hex, 16);
    return code <= 0x10ffff ? String.fromCodePoint(code) : written;
  });
  return plain.startsWith(ATTRIBUTE) || plain === TEXT ? name : plain;
}

/**
 * Names as JSON has them. With declared namespaces an element has the prefix that is declared for its namespace, whatever
 * the document calls it; without (null) names are as they are written and declarations are attributes.
 */
export class XmlNames {
  readonly declared: Namespaces | null;
  readonly #prefixes: ReadonlyMap<string, string>;

  constructor(declared: Namespaces | null) {
    this.declared = declared;
    // The last one of a namespace counts, so that one with a prefix does for attributes too.
    this.#prefixes = new Map(Object.entries(declared ?? {}).map(([prefix, uri]) => [uri, prefix]));
  }

  element(name: QualifiedName): string {
    bound(name.prefix);
    bound(name.local);
    return unescapedName(this.#prefixed(name, false));
  }

  /** Null: it is a declaration that says nothing in JSON. */
  attribute(name: QualifiedName, value: string): string | null {
    bound(name.prefix);
    bound(name.local);
    if (name.uri === XMLNS) {
      const written = name.prefix === '' ? 'xmlns' : `xmlns:${name.local}`;
      return this.declared !== null || value === XSI ? null : ATTRIBUTE + written;
    }
    return ATTRIBUTE + unescapedName(this.#prefixed(name, true));
  }

  #prefixed({ prefix, local, uri }: QualifiedName, isAttribute: boolean): string {
    if (uri === XML) return `xml:${local}`;
    if (uri === XSI) return `xsi:${local}`;
    if (this.declared === null) return prefix === '' ? local : `${prefix}:${local}`;
    if (uri === '' && (isAttribute || !Object.hasOwn(this.declared, ''))) return local;
    const known = this.#prefixes.get(uri);
    if (known === undefined || (isAttribute && known === '')) {
      throw new XmlProblem(
        uri === '' ? `<${local}> is in no namespace` : `${local} is in a namespace that is not expected here`,
      );
    }
    return known === '' ? local : `${known}:${local}`;
  }

  /** A name of JSON as XML has it; `inScope`: prefixes that the document has declared so far. */
  written(name: string, inScope: ReadonlyMap<string, string>): string {
    const colon = name.indexOf(':');
    const prefix = name.slice(0, Math.max(0, colon));
    const known =
      prefix === 'xml' ||
      prefix === 'xsi' ||
      inScope.has(prefix) ||
      Object.hasOwn(this.declared ?? {}, prefix);
    return colon > 0 && known ? `${prefix}:${escapedName(name.slice(colon + 1))}` : escapedName(name);
  }
}
