/**
 * Command-line flags of the benchmarks: numbers and switches with defaults; an unknown flag is refused.
 * @module
 */

import { parseArgs } from 'node:util';

/** `defaults`: flag → number, boolean or string; the result has the same types. */
export function readFlags(defaults, argv = process.argv.slice(2)) {
  const options = Object.fromEntries(
    Object.entries(defaults).map(([name, value]) => [
      name,
      { type: typeof value === 'boolean' ? 'boolean' : 'string' },
    ]),
  );
  const { values } = parseArgs({ args: argv, options, strict: true });
  return Object.fromEntries(
    Object.entries(defaults).map(([name, fallback]) => {
      const value = values[name] ?? fallback;
      if (typeof fallback !== 'number') return [name, value];
      const number = Number(value);
      if (!Number.isFinite(number) || number < 0) throw new Error(`--${name} ${value}: expected a number`);
      return [name, number];
    }),
  );
}
