/**
 * Durable files: whole-file replacement that survives a crash at any instant, and names that are safe as
 * file names. Knows nothing of what the files contain.
 * @module
 */

import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { SluiceError } from '../../core/domain/errors.ts';

/** The `name` pattern of the configuration: no separator, no leading dot, at most 63 characters. */
const SAFE_NAME = /^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$/;

/** Returns `name` or throws `BAD_REQUEST` when it could not be a file name inside our directory. */
export function safeName(name: string): string {
  if (SAFE_NAME.test(name)) return name;
  throw new SluiceError('BAD_REQUEST', { detail: `${JSON.stringify(name)} is not a valid name` });
}

/**
 * Replaces a file: the data is on disk under another name before the rename makes it current, and the
 * rename is on disk before this resolves. A crash leaves the old or the new content, never a mixture.
 */
export async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.tmp`;
  try {
    const file = await open(temporary, 'w');
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncDirectory(dirname(path));
}

/** Makes renames and new entries of a directory durable. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** Creates a directory with its parents, durable in the parent that existed. */
export async function makeDirectory(path: string): Promise<void> {
  if (await makeOne(path)) await syncDirectory(dirname(path));
}

/**
 * True: it was created, after its parents. Not by `recursive`, which never ends where a parent refuses new entries by
 * ENOENT, as in /proc.
 */
async function makeOne(path: string): Promise<boolean> {
  try {
    await mkdir(path, { mode: 0o700 });
    return true;
  } catch (error) {
    if (isMissing(error) && dirname(path) !== path && (await makeParent(path))) {
      await mkdir(path, { mode: 0o700 });
      return true;
    }
    if (await isDirectory(path)) return false;
    throw error;
  }
}

/** False: the parent is there, so that it is not what was missing. */
async function makeParent(path: string): Promise<boolean> {
  const parent = dirname(path);
  if (await isDirectory(parent)) return false;
  await makeDirectory(parent);
  return true;
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
}

/** The content of a file, or null when there is none. */
export async function readFileIfAny(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
