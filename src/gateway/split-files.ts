/**
 * The last good split documents on disk, so that a gateway that restarts while the channel is down knows its
 * weights. Owns the files; knows not whether a document may be applied.
 * @module
 */

import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { type SplitDocument, splitProblem } from '../core/domain/split-document.ts';

export interface SplitFiles {
  /** Null when there is none, or when it is unreadable or unsound (which `onProblem` hears of). */
  load(service: string): Promise<SplitDocument | null>;
  /** Writes are queued; a newer document of the same service replaces one that still waits. */
  save(split: SplitDocument): void;
  /** Resolves when everything that was saved is on disk, or has failed. */
  settled(): Promise<void>;
}

/** Files `split-<service>.json` in `stateDir`, each replaced in one step (temporary file, fsync, rename). */
export function openSplitFiles(
  stateDir: string,
  onProblem: (service: string, error: unknown) => void,
): SplitFiles {
  const waiting = new Map<string, SplitDocument>();
  let writer: Promise<void> | null = null;

  const drain = async (): Promise<void> => {
    for (let next = waiting.entries().next(); !next.done; next = waiting.entries().next()) {
      const [service, split] = next.value;
      waiting.delete(service);
      try {
        await replaceFile(stateDir, fileName(service), JSON.stringify(split));
      } catch (error) {
        onProblem(service, error);
      }
    }
    writer = null;
  };

  return {
    async load(service) {
      try {
        return parse(await readFile(join(stateDir, fileName(service)), 'utf8'), service);
      } catch (error) {
        if (!isMissing(error)) onProblem(service, error);
        return null;
      }
    },
    save(split) {
      waiting.set(split.service, split);
      writer ??= drain();
    },
    async settled() {
      while (writer !== null) await writer;
    },
  };
}

function fileName(service: string): string {
  return `split-${encodeURIComponent(service)}.json`;
}

async function replaceFile(folder: string, file: string, text: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const temporary = join(folder, `.${file}.new`);
  const handle = await open(temporary, 'w');
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, join(folder, file));
}

function parse(text: string, service: string): SplitDocument {
  const value: unknown = JSON.parse(text);
  if (!looksLikeSplit(value)) throw new Error('not a split document');
  if (value.service !== service) throw new Error(`it is of service ${value.service}`);
  const problem = splitProblem(value);
  if (problem !== undefined) throw new Error(problem);
  return value;
}

/** Our own file, fully written or absent: enough of a check to tell it from a foreign or older one. */
function looksLikeSplit(value: unknown): value is SplitDocument {
  if (typeof value !== 'object' || value === null) return false;
  const split = value as Partial<Record<keyof SplitDocument, unknown>>;
  return (
    typeof split.service === 'string' &&
    typeof split.baseline === 'string' &&
    typeof split.salt === 'string' &&
    typeof split.weights === 'object' &&
    split.weights !== null &&
    Array.isArray(split.matches)
  );
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
