/**
 * Loads the text of a file with API keys: who each belongs to, what it may do, and the hash that it is known by.
 * Reads no file; never sees a key.
 * @module
 */

import * as z from 'zod';
import type { LoadResult } from './diagnostic.ts';
import type { ConfigFile } from './findings.ts';
import { name } from './primitives.ts';
import { checkSchema } from './schema-check.ts';
import { parseYaml } from './yaml-source.ts';

const MAX_KEYS = 10_000;

const key = z.strictObject({
  name,
  sha256: z
    .string({ error: 'expected a SHA-256 hash in quotes' })
    .regex(/^[0-9a-fA-F]{64}$/, { error: 'expected a SHA-256 hash of 64 hexadecimal digits' })
    .transform((text) => text.toLowerCase()),
  owner: z.string().min(1).max(128).optional(),
  scopes: z.array(z.string().regex(/^\S{1,128}$/, { error: 'expected a scope without spaces' })).optional(),
  expires: z.iso
    .datetime({ offset: true, error: 'expected a time such as 2030-01-31T00:00:00Z' })
    .transform((text) => Date.parse(text))
    .optional(),
  claims: z.record(z.string().min(1).max(64), z.union([z.string(), z.number(), z.boolean()])).optional(),
});

const shape = z.strictObject({ keys: z.array(key).max(MAX_KEYS) });

export type ApiKeyEntry = z.output<typeof key>;

/** JSON is YAML. Pure. */
export function loadApiKeyFile(file: ConfigFile): LoadResult<readonly ApiKeyEntry[]> {
  const source = parseYaml(file);
  const parsed = checkSchema(source, shape);
  const names = new Set<string>();
  const hashes = new Set<string>();
  for (const [index, entry] of (parsed?.keys ?? []).entries()) {
    if (names.has(entry.name)) {
      source.findings.error(source.valueRange(['keys', index, 'name']), `the name "${entry.name}" is taken`);
    }
    if (hashes.has(entry.sha256)) {
      source.findings.error(source.valueRange(['keys', index, 'sha256']), 'another entry has the same key');
    }
    names.add(entry.name);
    hashes.add(entry.sha256);
  }
  const value = parsed && !source.findings.hasErrors() ? parsed.keys : null;
  return { value, diagnostics: source.findings.list(), sources: { [file.name]: file.text } };
}
