/**
 * Reads configuration files and lists folders: the only part of `config/` besides secrets that touches the disk.
 * Problems become diagnostics; what the text means is the loaders' business.
 * @module
 */

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Diagnostic } from './diagnostic.ts';
import type { ConfigFile } from './findings.ts';
import { MAX_TEXT_LENGTH } from './yaml-source.ts';

export type ReadResult =
  | { readonly ok: true; readonly file: ConfigFile }
  | { readonly ok: false; readonly diagnostic: Diagnostic; readonly missing: boolean };

/** `name` is shown in diagnostics as it is given. */
export function readConfigFile(name: string): ReadResult {
  const absolutePath = resolve(name);
  try {
    const { size } = statSync(absolutePath);
    if (size > MAX_TEXT_LENGTH) {
      const message = `expected a file of at most 1 MiB, got ${(size / 1_048_576).toFixed(1)} MiB`;
      return { ok: false, diagnostic: fileProblem(name, message), missing: false };
    }
    const bytes = readFileSync(absolutePath);
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return { ok: true, file: { name, text, absolutePath } };
  } catch (error) {
    const code = codeOf(error);
    const message =
      code === 'ERR_ENCODING_INVALID_ENCODED_DATA'
        ? 'expected a text file in UTF-8'
        : `cannot read this file: ${code}`;
    return { ok: false, diagnostic: fileProblem(name, message), missing: code === 'ENOENT' };
  }
}

export type ListResult =
  | { readonly ok: true; readonly names: readonly string[] }
  | { readonly ok: false; readonly diagnostic: Diagnostic };

/** `*.yaml` and `*.yml` directly in a folder, sorted, each joined to the folder's name. */
export function listYamlFiles(folder: string): ListResult {
  try {
    const names = readdirSync(resolve(folder), { withFileTypes: true })
      .filter((entry) => !entry.isDirectory() && /\.ya?ml$/.test(entry.name))
      .map((entry) => join(folder, entry.name))
      .sort();
    return { ok: true, names };
  } catch (error) {
    return { ok: false, diagnostic: fileProblem(folder, `cannot list this folder: ${codeOf(error)}`) };
  }
}

export function isFolder(name: string): boolean {
  return statSync(resolve(name), { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function fileProblem(file: string, message: string): Diagnostic {
  return { file, line: 1, column: 1, endLine: 1, endColumn: 1, severity: 'error', message };
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
