/**
 * Paths such as `items[*].price`, by which rules name values of a JSON body. Pure; knows no values.
 * @module
 */

/** Each step: a property, an index, or every element of an array. */
export type JsonPath = readonly {
  readonly kind: 'name' | 'index' | 'each';
  readonly name: string;
  readonly index: number;
}[];

const NAME = /^[^.[\]]+/;
const BRACKET = /^\[(\*|\d{1,6})\]/;

/** Undefined when it is no path: names parted by dots, `[0]` and `[*]`. */
export function parseJsonPath(text: string): JsonPath | undefined {
  const path: JsonPath[number][] = [];
  let rest = text;
  while (rest !== '') {
    const bracket = BRACKET.exec(rest);
    if (bracket !== null) {
      const [whole, inner = ''] = bracket;
      path.push({
        kind: inner === '*' ? 'each' : 'index',
        name: '',
        index: inner === '*' ? -1 : Number(inner),
      });
      rest = rest.slice(whole.length);
    } else {
      if (path.length > 0) {
        if (!rest.startsWith('.')) return undefined;
        rest = rest.slice(1);
      }
      const name = NAME.exec(rest)?.[0];
      if (name === undefined || name === '__proto__') return undefined;
      path.push({ kind: 'name', name, index: -1 });
      rest = rest.slice(name.length);
    }
  }
  return path.length === 0 ? undefined : path;
}
