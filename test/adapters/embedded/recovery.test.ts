import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openCommitJournal } from '../../../src/adapters/embedded/commit-journal.ts';
import { openEmbedded } from '../../../src/adapters/embedded/open-embedded.ts';
import type { Backend } from '../../../src/ports/backend.ts';
import { createRecordingListener } from '../../conformance/recording-listener.ts';
import {
  sampleAcknowledgement,
  sampleEvent,
  sampleRecord,
  sampleSplit,
  sampleSummary,
  systemClock,
} from '../../conformance/samples.ts';

let root: string;
let dir: string;
const opened: Backend[] = [];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sluice-recovery-'));
  dir = join(root, 'state');
});
afterEach(async () => {
  for (const backend of opened.splice(0)) await backend.close();
  await rm(root, { recursive: true, force: true });
});

async function open(at = dir, clock = systemClock): Promise<Backend> {
  const backend = await openEmbedded({ dir: at, clock });
  opened.push(backend);
  return backend;
}

/** Commits 1 (two events), 2 (none) and 3 (two events); resolves when all files are closed. */
async function writeHistory(): Promise<void> {
  const { store, close } = await open();
  for (const [version, events] of HISTORY) {
    expect(await store.commit({ record: sampleRecord(version), events, epoch: 0 })).toEqual({ ok: true });
  }
  await close();
}

const HISTORY = [
  [1, [sampleEvent(1), sampleEvent(2)]],
  [2, []],
  [3, [sampleEvent(3), sampleEvent(4)]],
] as const;

const log = (at = dir): string => join(at, 'rollouts', 'orders-v2', 'events.jsonl');

describe('a restart', () => {
  it('keeps weights, records, events and cursors', async () => {
    const before = await open();
    await before.channel.write(sampleSplit({ revision: 5, epoch: 9 }));
    await before.store.commit({ record: sampleRecord(1), events: [sampleEvent(1)], epoch: 0 });
    await before.store.commit({ record: sampleRecord(2), events: [], epoch: 0 });
    await before.cursors.save('slack', 'orders-v2', 6);
    await before.close();

    const after = await open();
    const listener = createRecordingListener();
    await after.channel.watch(['orders'], listener, new AbortController().signal);
    expect(listener.splits).toEqual([sampleSplit({ revision: 5, epoch: 9 })]);
    expect(await after.channel.write(sampleSplit({ revision: 6, epoch: 8 }))).toMatchObject({
      cause: 'stale-epoch',
    });
    expect(await after.store.load('orders-v2')).toEqual(sampleRecord(2));
    expect(await after.store.list()).toEqual([sampleRecord(2)]);
    expect(await after.store.events('orders-v2', 0, 10)).toEqual([sampleEvent(1)]);
    expect(await after.cursors.load('slack', 'orders-v2')).toBe(6);
  });

  it('fences the operator of the process before, even when the clock went back', async () => {
    const before = await open();
    const first = await before.leases.acquire('orders', 'operator-1', '', 60_000);
    await before.close();
    const after = await open(dir, { nowMs: () => 1000 });
    const second = await after.leases.acquire('orders', 'operator-1', '', 60_000);
    if (!first.ok || !second.ok) throw new Error('not granted');
    expect(second.grant.epoch).toBe(first.grant.epoch + 1);
    const commit = { record: sampleRecord(1), events: [], epoch: first.grant.epoch };
    expect(await after.store.commit(commit)).toEqual({ ok: false, cause: 'stale-epoch' });
  });

  it('tells a reader of telemetry that the summaries of the process before are gone', async () => {
    const before = await open();
    await before.telemetry.emit(sampleSummary(1));
    const { cursor } = await before.telemetry.read('orders', null, 10);
    await before.close();
    const after = await open();
    await after.telemetry.emit(sampleSummary(2));
    const batch = await after.telemetry.read('orders', cursor, 10);
    expect(batch).toMatchObject({ summaries: [sampleSummary(2)], lost: true });
  });
});

describe('a crash during a commit', () => {
  it('leaves the old state or the new one, wherever it cuts the log, and the next commit works', async () => {
    await writeHistory();
    const text = await readFile(log());
    const lastLine = text.lastIndexOf('\n', text.length - 2) + 1;
    const directory = join(dir, 'rollouts', 'orders-v2');
    for (let bytes = lastLine; bytes <= text.length; bytes += 1) {
      await writeFile(log(), text.subarray(0, bytes));
      const whole = bytes === text.length;
      const expected = {
        record: sampleRecord(whole ? 3 : 2),
        events: [1, 2, 3, 4].slice(0, whole ? 4 : 2).map((sequence) => sampleEvent(sequence)),
      };
      const journal = await openCommitJournal(directory);
      expect(journal.recovered, `cut at ${bytes}`).toEqual(expected);
      // Writing costs a sync of the disk each time: every 97th place is enough.
      if (bytes % 97 !== 0 && !whole) continue;
      const [record, event] = [sampleRecord(whole ? 4 : 3), sampleEvent(whole ? 5 : 3)];
      await journal.write(record, [event]);
      const again = await openCommitJournal(directory);
      expect(again.recovered).toEqual({ record, events: [...expected.events, event] });
    }
  });

  it('is recognised when the file has its full length but not all of its content', async () => {
    await writeHistory();
    const text = await readFile(log());
    text.fill(0, text.length - 500, text.length - 1);
    await writeFile(log(), text);
    const { store } = await open();
    expect(await store.load('orders-v2')).toEqual(sampleRecord(2));
    expect(await store.events('orders-v2', 0, 10)).toEqual([sampleEvent(1), sampleEvent(2)]);
  });

  it('leaves the old record when the new one was not yet renamed into place', async () => {
    await writeHistory();
    const directory = join(dir, 'rollouts', 'orders-v2');
    await writeFile(join(directory, 'record.json.tmp'), '{"rollout":"orders-v2","versi');
    const { store } = await open();
    expect(await store.load('orders-v2')).toEqual(sampleRecord(3));
    expect(await store.commit({ record: sampleRecord(4), events: [], epoch: 0 })).toEqual({ ok: true });
    expect(await store.load('orders-v2')).toEqual(sampleRecord(4));
  });
});

describe('a damaged or unwritable directory', () => {
  it('is reported with the file and the line when an older commit is unreadable', async () => {
    await writeHistory();
    const text = await readFile(log());
    text[10] = 0;
    await writeFile(log(), text);
    await expect(open()).rejects.toMatchObject({
      code: 'INTERNAL',
      detail: `line 1 of ${log()} is damaged`,
    });
    // The failed opening gave the lock back.
    await rm(log());
    await open();
  });

  it('fails a commit without changing what is read, and the next one works', async () => {
    const { store } = await open();
    await store.commit({ record: sampleRecord(1), events: [sampleEvent(1)], epoch: 0 });
    const directory = join(dir, 'rollouts', 'orders-v2');
    await rename(directory, `${directory}-away`);
    for (const events of [[sampleEvent(2)], []]) {
      await expect(store.commit({ record: sampleRecord(2), events, epoch: 0 })).rejects.toThrow('ENOENT');
    }
    expect(await store.load('orders-v2')).toEqual(sampleRecord(1));
    expect(await store.events('orders-v2', 0, 10)).toEqual([sampleEvent(1)]);
    await rename(`${directory}-away`, directory);
    // What an append that failed half-way leaves behind.
    await writeFile(log(), '{"record":{"rol', { flag: 'a' });
    expect(await store.commit({ record: sampleRecord(2), events: [sampleEvent(2)], epoch: 0 })).toEqual({
      ok: true,
    });
    await opened.pop()?.close();
    expect(await (await open()).store.events('orders-v2', 0, 10)).toEqual([sampleEvent(1), sampleEvent(2)]);
  });

  it.each(['../evil', 'a/b', '.hidden', '', 'UPPER'])('never makes a file of the name %j', async (name) => {
    const { store, channel, cursors } = await open();
    const refused = { code: 'BAD_REQUEST' };
    const commit = { record: sampleRecord(1, { rollout: name }), events: [], epoch: 0 };
    await expect(store.commit(commit)).rejects.toMatchObject(refused);
    await expect(channel.write(sampleSplit({ service: name }))).rejects.toMatchObject(refused);
    await expect(cursors.save('slack', name, 1)).rejects.toMatchObject(refused);
  });
});

describe('acknowledgements of gateways', () => {
  it('are dropped after a minute of silence', async () => {
    let nowMs = 0;
    const { channel } = await open(dir, { nowMs: () => nowMs });
    await channel.acknowledge(sampleAcknowledgement());
    nowMs = 60_000;
    expect(await channel.acknowledgements('orders')).toMatchObject([{ ageMs: 60_000 }]);
    nowMs = 60_001;
    expect(await channel.acknowledgements('orders')).toEqual([]);
  });
});
