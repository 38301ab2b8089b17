/**
 * Recordings as files: one per run, lines collected and appended about once a second. Owns the files; knows not what
 * is in a line.
 * @module
 */

import { appendFile, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Recordings } from '../../ports/recordings.ts';
import { makeDirectory } from './durable-file.ts';

const FLUSH_MS = 1_000;
/** A longer run goes on unrecorded. */
const MAX_BYTES = 256 * 1024 * 1024;
/** Newest runs of a rollout that are kept. */
const KEPT_RUNS = 20;

interface Open {
  readonly path: string;
  bytes: number;
  pending: string;
}

/** `onTrouble` hears once of a folder that cannot be written. */
export function createFileRecordings(dir: string, onTrouble: (error: unknown) => void): Recordings {
  const open = new Map<string, Promise<Open>>();
  let timer: NodeJS.Timeout | null = null;
  let writing: Promise<void> = Promise.resolve();
  let troubled = false;

  const begin = async (rollout: string, run: number, head: () => string): Promise<Open> => {
    await makeDirectory(dir);
    const path = pathOf(dir, rollout, run);
    const bytes = await sizeOf(path);
    if (bytes === 0) await forgetOld(dir, rollout, run);
    return { path, bytes, pending: bytes === 0 ? `${head()}\n` : '' };
  };

  const flush = async (): Promise<void> => {
    for (const opening of open.values()) {
      const file = await opening;
      const text = file.pending;
      if (text === '') continue;
      file.pending = '';
      file.bytes += Buffer.byteLength(text);
      if (file.bytes <= MAX_BYTES) await appendFile(file.path, text);
    }
  };

  const flushLater = (): void => {
    writing = writing.then(flush).catch((error: unknown) => {
      if (!troubled) onTrouble(error);
      troubled = true;
    });
  };

  return {
    append(rollout, run, head, line) {
      const key = `${rollout}#${run}`;
      const opening = open.get(key) ?? begin(rollout, run, head);
      open.set(key, opening);
      void opening.then(
        (file) => {
          file.pending += `${line}\n`;
        },
        () => open.delete(key),
      );
      timer ??= setInterval(flushLater, FLUSH_MS).unref();
    },
    async read(rollout, run) {
      flushLater();
      await writing;
      const newest = run ?? Math.max(0, ...(await runsOf(dir, rollout)));
      try {
        return await readFile(pathOf(dir, rollout, newest), 'utf8');
      } catch {
        return null;
      }
    },
    async close() {
      if (timer !== null) clearInterval(timer);
      flushLater();
      await writing;
    },
  };
}

function pathOf(dir: string, rollout: string, run: number): string {
  return join(dir, `${rollout}.${run}.jsonl`);
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch {
    return 0;
  }
}

async function runsOf(dir: string, rollout: string): Promise<number[]> {
  const names = await readdir(dir).catch(() => []);
  return names.flatMap((name) => {
    const [, found, run] = /^(.+)\.(\d+)\.jsonl$/.exec(name) ?? [];
    return found === rollout ? [Number(run)] : [];
  });
}

async function forgetOld(dir: string, rollout: string, run: number): Promise<void> {
  for (const old of await runsOf(dir, rollout)) {
    if (old <= run - KEPT_RUNS) await rm(pathOf(dir, rollout, old), { force: true });
  }
}
