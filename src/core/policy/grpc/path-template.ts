/**
 * Path templates of `google.api.http`: `/v1/{name=orders/*}/items/{item.id}:cancel`. Compiles one to a matcher; knows
 * nothing of messages.
 * @module
 */

export interface PathTemplate {
  /** Field paths, in the order of the template. */
  readonly variables: readonly string[];
  /** The variables' values, decoded; undefined when the path is another one or cannot be decoded. */
  match(path: string): readonly string[] | undefined;
}

const VARIABLE = /^\{([A-Za-z_][A-Za-z0-9_.]*)(?:=([^{}]+))?\}/;
const LITERAL = /^[A-Za-z0-9._~%!$&'()+,;@-]+/;

/** Undefined when the text is no template. */
export function compilePathTemplate(text: string): PathTemplate | undefined {
  const variables: string[] = [];
  let pattern = '';
  let rest = text;
  while (rest !== '') {
    const variable = VARIABLE.exec(rest);
    const literal = LITERAL.exec(rest);
    const [symbol = ''] = rest;
    if (variable !== null) {
      const inner = innerPattern(variable[2] ?? '*');
      if (inner === undefined) return undefined;
      variables.push(variable[1] ?? '');
      pattern += `(${inner})`;
      rest = rest.slice(variable[0].length);
    } else if (rest.startsWith('**') || symbol === '*') {
      const stars = rest.startsWith('**') ? '**' : '*';
      pattern += STARS[stars];
      rest = rest.slice(stars.length);
    } else if (symbol === '/' || symbol === ':') {
      pattern += symbol;
      rest = rest.slice(1);
    } else if (literal !== null) {
      pattern += escaped(literal[0]);
      rest = rest.slice(literal[0].length);
    } else {
      return undefined;
    }
  }
  if (!text.startsWith('/')) return undefined;
  const whole = new RegExp(`^${pattern}$`);
  return { variables, match: (path) => decoded(whole.exec(path)) };
}

/** A verb after the last segment (`:cancel`) is no part of it. */
const STARS = { '*': '[^/:]+', '**': '[^:]*' } as const;

function innerPattern(text: string): string | undefined {
  const parts = text.split('/').map((segment) => {
    if (segment === '*' || segment === '**') return STARS[segment];
    return LITERAL.exec(segment)?.[0] === segment ? escaped(segment) : undefined;
  });
  return parts.includes(undefined) ? undefined : parts.join('/');
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

function decoded(found: RegExpExecArray | null): readonly string[] | undefined {
  if (found === null) return undefined;
  try {
    return found.slice(1).map(decodeURIComponent);
  } catch {
    return undefined;
  }
}
