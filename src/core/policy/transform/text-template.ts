/**
 * Texts with variables, such as `tenant-${claim.tenant_id}`: parsed once, filled in per request. Knows the names of
 * variables, not where their values come from, and leaves it to the caller to make a value safe for its place.
 * @module
 */

/** Variables without a name of their own. */
const PLAIN_VARIABLES = [
  'client.ip',
  'request.id',
  'request.method',
  'request.host',
  'request.path',
  'trace.id',
  'route.name',
  'service.name',
  'service.version',
] as const;

/** Variables with a name: `claim.sub`, `header.x-tenant`, `query.page`, `param.id`. */
const NAMED_SCOPES = ['claim', 'header', 'query', 'param'] as const;

export type PlainVariable = (typeof PLAIN_VARIABLES)[number];
export type NamedScope = (typeof NAMED_SCOPES)[number];

export interface Variable {
  readonly scope: PlainVariable | NamedScope;
  /** Empty for variables without one. Header names in lower case. */
  readonly name: string;
  /** Place of `${…}` in the text, UTF-16 units. */
  readonly offset: number;
  readonly length: number;
}

export type TextTemplate = readonly (string | Variable)[];

export interface TemplateProblem {
  readonly offset: number;
  readonly length: number;
  readonly message: string;
  /** What was written instead of a variable, to suggest one that is like it; empty when that makes no sense. */
  readonly written: string;
}

/** How variables may be written, for messages. */
export const VARIABLE_FORMS: readonly string[] = [
  ...PLAIN_VARIABLES,
  'claim.sub',
  'header.x-name',
  'query.name',
  'param.id',
];

/** `$${` stands for `${` itself. */
export function parseTemplate(text: string): { template: TextTemplate; problems: TemplateProblem[] } {
  const template: (string | Variable)[] = [];
  const problems: TemplateProblem[] = [];
  let literal = '';
  let at = 0;
  while (at < text.length) {
    if (text.startsWith('$${', at)) {
      literal += '${';
      at += 3;
    } else if (text.startsWith('${', at)) {
      const end = text.indexOf('}', at);
      const length = (end < 0 ? text.length : end + 1) - at;
      const written = text.slice(at + 2, end < 0 ? text.length : end);
      const variable = end < 0 ? undefined : readVariable(written, at, length);
      if (variable !== undefined) {
        if (literal !== '') template.push(literal);
        literal = '';
        template.push(variable);
      } else {
        const message = end < 0 ? 'expected } after ${' : `there is no variable "${written}"`;
        problems.push({ offset: at, length, message, written: end < 0 ? '' : written });
      }
      at += length;
    } else {
      literal += text[at];
      at += 1;
    }
  }
  if (literal !== '' || template.length === 0) template.push(literal);
  return { template, problems };
}

function readVariable(written: string, offset: number, length: number): Variable | undefined {
  const plain = PLAIN_VARIABLES.find((each) => each === written);
  if (plain !== undefined) return { scope: plain, name: '', offset, length };
  const dot = written.indexOf('.');
  const scope = NAMED_SCOPES.find((each) => each === written.slice(0, dot));
  const name = written.slice(dot + 1);
  if (scope === undefined || name === '' || name.length > 128 || /[\s{}$]/.test(name)) return undefined;
  return { scope, name: scope === 'header' ? name.toLowerCase() : name, offset, length };
}

/** Undefined when a variable has no value: a text with a hole in it would be another text. */
export function fillTemplate(
  template: TextTemplate,
  read: (variable: Variable) => string | undefined,
  encode: (value: string) => string,
): string | undefined {
  let filled = '';
  for (const part of template) {
    if (typeof part === 'string') {
      filled += part;
    } else {
      const value = read(part);
      if (value === undefined) return undefined;
      filled += encode(value);
    }
  }
  return filled;
}

export function variablesOf(template: TextTemplate): readonly Variable[] {
  return template.filter((part): part is Variable => typeof part !== 'string');
}

/**
 * A value as part of a field value (RFC 9110 §5.5): what is not printable ASCII, line breaks before all, is
 * percent-encoded as UTF-8, so that no value can end a field or begin another one.
 */
export function fieldSafe(value: string): string {
  return /^[\x20-\x7e]*$/.test(value)
    ? value
    : value.toWellFormed().replace(/[^\x20-\x7e]+/g, (unsafe) => encodeURIComponent(unsafe));
}

/** A value as one path segment or as a part of a query: nothing in it separates anything. */
export function urlSafe(value: string): string {
  return encodeURIComponent(value.toWellFormed());
}
