import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openEmbeddedDirectory } from '../../../src/adapters/embedded/directory-lock.ts';

let dir: string;
let other: ChildProcess | undefined;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sluice-lock-'));
});
afterEach(async () => {
  await endOther();
  await rm(dir, { recursive: true, force: true });
});

async function startOther(): Promise<number> {
  other = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
  await once(other, 'spawn');
  return other.pid ?? 0;
}

async function endOther(): Promise<void> {
  if (!other) return;
  const exited = once(other, 'exit');
  other.kill('SIGKILL');
  await exited;
  other = undefined;
}

/** A lock as process `pid` would have written it. */
async function lockAs(pid: number, started?: string): Promise<void> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const start = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  await writeFile(join(dir, 'lock.7'), JSON.stringify({ pid, started: started ?? start, token: 'theirs' }));
}

describe('openEmbeddedDirectory', () => {
  it('lets nobody else in until it is unlocked', async () => {
    const unlock = await openEmbeddedDirectory(dir);
    await expect(openEmbeddedDirectory(dir)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      detail: `${dir} is in use by process ${process.pid}`,
    });
    await unlock();
    await unlock();
    await (await openEmbeddedDirectory(dir))();
    expect(await readdir(dir)).toHaveLength(1);
  });

  it('refuses while another process lives, and takes over when it was killed', async () => {
    const pid = await startOther();
    await lockAs(pid);
    await expect(openEmbeddedDirectory(dir)).rejects.toThrow(`in use by process ${pid}`);
    await endOther();
    await (await openEmbeddedDirectory(dir))();
  });

  it('takes over from a process whose id is now another’s', async () => {
    await lockAs(await startOther(), '1');
    await (await openEmbeddedDirectory(dir))();
  });

  it('takes over a lock with its own process id from an earlier life, as in a container', async () => {
    await lockAs(process.pid);
    await (await openEmbeddedDirectory(dir))();
  });

  it.each(['', 'not json', '{"pid":"x"}', 'null'])('takes over an unreadable lock: %j', async (text) => {
    await writeFile(join(dir, 'lock.7'), text);
    await (await openEmbeddedDirectory(dir))();
  });

  it('lets exactly one of many in at once, also over a leftover', async () => {
    for (let round = 0; round < 20; round += 1) {
      await writeFile(join(dir, `lock.${round * 2 + 1}`), 'leftover');
      const results = await Promise.allSettled(Array.from({ length: 10 }, () => openEmbeddedDirectory(dir)));
      const winners = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
      expect(winners).toHaveLength(1);
      await winners[0]?.();
      expect(await readdir(dir)).toEqual([`lock.${round * 2 + 2}`]);
    }
  });
});
