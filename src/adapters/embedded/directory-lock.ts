/**
 * The lock of an embedded directory: at most one live process of this machine uses it at a time.
 * Owns the `lock` file; knows nothing of the other files.
 * @module
 */

import { randomUUID } from 'node:crypto';
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { SluiceError } from '../../core/domain/errors.ts';
import { isMissing, makeDirectory, readFileIfAny } from './durable-file.ts';

interface LockOwner {
  readonly pid: number;
  /** Start of the process in clock ticks since boot, since process ids are used again; empty off Linux. */
  readonly started: string;
  readonly token: string;
}

/** Tokens of the locks that this process holds: a lock with our own pid but another token is a leftover. */
const held = new Set<string>();

/**
 * Creates the directory when needed and locks it. A lock whose process is gone is taken over. Throws
 * `UNAVAILABLE` when a live process has it. Returns the function that unlocks (idempotent).
 */
export async function openEmbeddedDirectory(dir: string): Promise<() => Promise<void>> {
  await makeDirectory(dir);
  const path = join(dir, 'lock');
  const token = randomUUID();
  const owner: LockOwner = { pid: process.pid, started: await startOf(process.pid), token };
  const mine = join(dir, `lock.${token}`);
  await writeFile(mine, JSON.stringify(owner));
  try {
    // Each round either takes the lock, throws, or clears one leftover; rounds beyond two need a rival.
    for (let round = 0; round < 10; round += 1) {
      if (await linkIfFree(mine, path)) {
        held.add(token);
        return () => unlock(path, token);
      }
      await clearIfStale(dir, path);
    }
  } finally {
    await rm(mine, { force: true });
  }
  throw inUse(dir, 'another process that is starting');
}

async function unlock(path: string, token: string): Promise<void> {
  if (held.delete(token)) await rm(path, { force: true });
}

/** `link` fails when the name exists, so of two rivals one gets it, with its content already in place. */
async function linkIfFree(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

async function clearIfStale(dir: string, path: string): Promise<void> {
  const text = await readFileIfAny(path);
  if (text === null) return;
  const owner = parseOwner(text);
  if (owner && (await isLive(owner))) throw inUse(dir, `process ${owner.pid}`);
  const aside = join(dir, `lock.stale.${randomUUID()}`);
  try {
    await rename(path, aside);
  } catch (error) {
    if (isMissing(error)) return;
    throw error;
  }
  // A rival may have put its own lock there between our read and our rename: then it goes back.
  if ((await readFile(aside, 'utf8')) !== text) await linkIfFree(aside, path);
  await rm(aside, { force: true });
}

function parseOwner(text: string): LockOwner | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return undefined;
    const { pid, started, token } = value as Partial<Record<keyof LockOwner, unknown>>;
    if (!Number.isSafeInteger(pid) || typeof started !== 'string' || typeof token !== 'string')
      return undefined;
    return { pid: Number(pid), started, token };
  } catch {
    return undefined;
  }
}

async function isLive(owner: LockOwner): Promise<boolean> {
  // In a container every start may have the same pid.
  if (owner.pid === process.pid) return held.has(owner.token);
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    // EPERM: it lives, as another user's.
    if (!(error instanceof Error && 'code' in error && error.code === 'EPERM')) return false;
  }
  return owner.started === (await startOf(owner.pid));
}

/** Field 22 of /proc/<pid>/stat, counted after the command name, which may contain blanks. */
async function startOf(pid: number): Promise<string> {
  const stat = await readFileIfAny(`/proc/${pid}/stat`);
  if (stat === null) return '';
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

function inUse(dir: string, by: string): SluiceError {
  return new SluiceError('UNAVAILABLE', {
    detail: `${resolve(dir)} is in use by ${by}`,
    hint: 'Stop that process, or give this one a directory of its own.',
  });
}
