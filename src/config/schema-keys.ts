/**
 * Walks a zod schema along a path of the data, to learn which keys may stand there.
 * Knows zod's structure; nothing of YAML, positions or messages.
 * @module
 */

import type * as z from 'zod';

type Schema = z.core.$ZodType;

/** The schemas that a value at `path` may follow: several where a union lies on the way. */
export function schemasAt(schema: Schema, path: readonly PropertyKey[]): readonly Schema[] {
  let current: readonly Schema[] = [unwrapped(schema)];
  for (const step of path) current = current.flatMap((each) => children(each, step)).map(unwrapped);
  return current;
}

/** Every key that an object following one of `schemas` may have. */
export function knownKeys(schemas: readonly Schema[]): readonly string[] {
  return [...new Set(schemas.flatMap(keysOf))];
}

/** The options of the first union among `schemas` that has `count` of them. */
export function unionOptions(schemas: readonly Schema[], count: number): readonly Schema[] {
  for (const schema of schemas) {
    const { def } = concrete(schema)._zod;
    if (def.type === 'union' && def.options.length === count) return def.options;
  }
  return [];
}

function children(schema: Schema, step: PropertyKey): readonly Schema[] {
  const { def } = concrete(schema)._zod;
  switch (def.type) {
    case 'object': {
      const child = typeof step === 'symbol' ? undefined : def.shape[step];
      return child ? [child] : [];
    }
    case 'record':
      return [def.valueType];
    case 'array':
      return [def.element];
    case 'union':
      return def.options.flatMap((option: Schema) => children(unwrapped(option), step));
    default:
      return [];
  }
}

function keysOf(schema: Schema): readonly string[] {
  const { def } = concrete(unwrapped(schema))._zod;
  if (def.type === 'object') return Object.keys(def.shape);
  return def.type === 'union' ? def.options.flatMap(keysOf) : [];
}

function unwrapped(schema: Schema): Schema {
  const { def } = concrete(schema)._zod;
  switch (def.type) {
    case 'optional':
    case 'nullable':
    case 'default':
      return unwrapped(def.innerType);
    case 'pipe':
      return unwrapped(def.in);
    default:
      return schema;
  }
}

/** zod's own union of all its schema types, which is what tells them apart by `def.type`. */
function concrete(schema: Schema): z.core.$ZodTypes {
  return schema as z.core.$ZodTypes;
}
