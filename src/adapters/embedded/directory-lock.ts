/**
 * The lock of an embedded directory: at most one live process of this machine uses it at a time.
 * Owns the `lock.<number>` files; knows nothing of the other files.
 * @module
 */

import { randomUUID } from 'node:crypto';
import { link, readdir, rm, truncate, writeFile } from 'node:fs/promises';
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
 *
 * Locks are numbered and only the highest counts. Taking over means creating the next number, which the file
 * system lets only one process do; the highest is never removed, so nobody can win with an outdated number.
 */
export async function openEmbeddedDirectory(dir: string): Promise<() => Promise<void>> {
  await makeDirectory(dir);
  const token = randomUUID();
  const owner: LockOwner = { pid: process.pid, started: await startOf(process.pid), token };
  const mine = join(dir, `opening.${token}`);
  await writeFile(mine, JSON.stringify(owner));
  // Before the lock exists, or a second opening in this process could take it for a leftover.
  held.add(token);
  try {
    const number = await takeNext(dir, mine);
    await removeBelow(dir, number);
    return () => unlock(lockPath(dir, number), token);
  } catch (error) {
    held.delete(token);
    throw error;
  } finally {
    await rm(mine, { force: true });
  }
}

/** Number of the lock that is now ours. */
async function takeNext(dir: string, mine: string): Promise<number> {
  const highest = Math.max(0, ...(await lockNumbers(dir)));
  const text = (await readFileIfAny(lockPath(dir, highest))) ?? '';
  const owner = parseOwner(text);
  if (owner && (await isLive(owner))) throw inUse(dir, `process ${owner.pid}`);
  const next = highest + 1;
  const created = await linkIfFree(mine, lockPath(dir, next));
  // Our number may have been used and removed since we looked; then there is a higher one.
  if (created && Math.max(...(await lockNumbers(dir))) === next) return next;
  if (created) await rm(lockPath(dir, next), { force: true });
  throw inUse(dir, 'another process that is starting');
}

function lockPath(dir: string, number: number): string {
  return join(dir, `lock.${number}`);
}

async function lockNumbers(dir: string): Promise<number[]> {
  const files = await readdir(dir);
  return files.flatMap((file) => (/^lock\.\d{1,15}$/.test(file) ? [Number(file.slice(5))] : []));
}

async function removeBelow(dir: string, number: number): Promise<void> {
  for (const lower of await lockNumbers(dir)) {
    if (lower < number) await rm(lockPath(dir, lower), { force: true });
  }
}

/** An empty lock is nobody's; the file itself stays, since the highest number must not come back. */
async function unlock(path: string, token: string): Promise<void> {
  if (!held.delete(token)) return;
  try {
    await truncate(path);
  } catch (error) {
    // Somebody removed the directory: nothing is left to unlock.
    if (!isMissing(error)) throw error;
  }
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
