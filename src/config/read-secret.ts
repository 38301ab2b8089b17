/**
 * Reads a secret from the environment or a file at the moment it is needed.
 * Its result is a value, and no problem it reports ever contains the secret.
 * @module
 */

import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Secret } from './primitives.ts';

export type SecretResult =
  | { readonly ok: true; readonly secret: string }
  | { readonly ok: false; readonly message: string; readonly hint: string };

const MAX_BYTES = 65_536;

/** `baseDir`: folder of the configuration file. One trailing newline of a file is not part of the secret. */
export function readSecret(
  secret: Secret,
  baseDir: string,
  env: Readonly<Record<string, string | undefined>>,
): SecretResult {
  if ('env' in secret) {
    const value = env[secret.env];
    if (value) return { ok: true, secret: value };
    const state = value === undefined ? 'not set' : 'empty';
    return {
      ok: false,
      message: `the environment variable ${secret.env} is ${state}`,
      hint: `export ${secret.env}=…`,
    };
  }
  const path = resolve(baseDir, secret.file);
  try {
    const { size } = statSync(path);
    if (size > MAX_BYTES) {
      return {
        ok: false,
        message: `the secret file ${path} has ${size} bytes`,
        hint: `expected at most ${MAX_BYTES}`,
      };
    }
    const value = readFileSync(path, 'utf8').replace(/\r?\n$/, '');
    if (value !== '') return { ok: true, secret: value };
    return { ok: false, message: `the secret file ${path} is empty`, hint: 'write the secret to it' };
  } catch (error) {
    return {
      ok: false,
      message: `cannot read the secret file ${path}: ${reasonOf(error)}`,
      hint: 'check the path and its permissions',
    };
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason';
}
