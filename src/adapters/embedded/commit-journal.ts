/**
 * The files of one rollout. A commit with events is one line of `events.jsonl` (record and events together);
 * one without replaces `record.json`. Either is a single atomic write, so a crash leaves the old state or
 * the new one. Knows nothing of versions or epochs.
 * @module
 */

import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { SluiceError } from '../../core/domain/errors.ts';
import type { RolloutEvent } from '../../core/domain/rollout-event.ts';
import type { RolloutRecord } from '../../core/rollout/state.ts';
import { makeDirectory, readFileIfAny, replaceFile, syncDirectory } from './durable-file.ts';

interface JournalLine {
  readonly record: RolloutRecord;
  readonly events: readonly RolloutEvent[];
}

export interface CommitJournal {
  /** What is on disk: the record is null when nothing was ever committed. */
  readonly recovered: { readonly record: RolloutRecord | null; readonly events: readonly RolloutEvent[] };
  /** Resolves when the commit is on disk. After a rejection the journal is as before. */
  write(record: RolloutRecord, events: readonly RolloutEvent[]): Promise<void>;
}

/** Opens the files of one rollout, creating the directory. A line that a crash left incomplete is not read. */
export async function openCommitJournal(dir: string): Promise<CommitJournal> {
  await makeDirectory(dir);
  const logPath = join(dir, 'events.jsonl');
  const recordPath = join(dir, 'record.json');
  const log = (await readFileIfAny(logPath)) ?? '';
  const { lines, goodBytes } = parseLog(log, logPath);
  const snapshotText = await readFileIfAny(recordPath);
  // Both files were written below.
  const snapshot = snapshotText === null ? null : (JSON.parse(snapshotText) as RolloutRecord);
  const logged = lines.at(-1)?.record ?? null;

  let size = goodBytes;
  return {
    recovered: {
      record: newer(snapshot, logged),
      events: lines.flatMap((line) => line.events),
    },
    async write(record, events) {
      if (events.length === 0) {
        await replaceFile(recordPath, JSON.stringify(record));
        return;
      }
      const line: JournalLine = { record, events };
      size = await append(logPath, size, `${JSON.stringify(line)}\n`, dir);
    },
  };
}

/** Appends at `size`, first cutting off what a crash or a failed append left there. */
async function append(path: string, size: number, line: string, dir: string): Promise<number> {
  const file = await open(path, 'a');
  try {
    await file.truncate(size);
    await file.appendFile(line);
    await file.sync();
  } finally {
    await file.close();
  }
  if (size === 0) await syncDirectory(dir);
  return size + Buffer.byteLength(line);
}

/**
 * Only the last line can be incomplete, because each was on disk before the next was begun; the commit that
 * wrote it was never acknowledged. Anything else unreadable is damage that must not be papered over.
 */
function parseLog(text: string, path: string): { lines: JournalLine[]; goodBytes: number } {
  const lines: JournalLine[] = [];
  let goodBytes = 0;
  const pieces = text.split('\n');
  // A complete log ends in a line feed, so the last piece is empty or incomplete.
  for (const [index, piece] of pieces.slice(0, -1).entries()) {
    const line = parseLine(piece);
    if (!line) {
      if (index === pieces.length - 2 && pieces.at(-1) === '') break;
      throw new SluiceError('INTERNAL', {
        detail: `line ${index + 1} of ${path} is damaged`,
        hint: 'Restore the file from a backup, or move its directory away to give up this rollout’s history.',
      });
    }
    lines.push(line);
    goodBytes += Buffer.byteLength(piece) + 1;
  }
  return { lines, goodBytes };
}

function parseLine(piece: string): JournalLine | undefined {
  try {
    // What parses is what `write` wrote: no proper prefix of a JSON object is a JSON object.
    return JSON.parse(piece) as JournalLine;
  } catch {
    return undefined;
  }
}

function newer(a: RolloutRecord | null, b: RolloutRecord | null): RolloutRecord | null {
  if (a === null || b === null) return a ?? b;
  return a.version > b.version ? a : b;
}
