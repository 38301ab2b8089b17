import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createFileRecordings } from '../../../src/adapters/embedded/recordings.ts';
import type { Recordings } from '../../../src/ports/recordings.ts';

let dir: string;
let recordings: Recordings;
let troubles: unknown[];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sluice-recordings-'));
  troubles = [];
  recordings = open();
});

afterEach(async () => {
  await recordings.close();
  rmSync(dir, { recursive: true, force: true });
});

const open = (at = join(dir, 'recordings')) => createFileRecordings(at, (error) => troubles.push(error));

describe('recordings in files', () => {
  it('begin with their head and keep every line, also over a restart', async () => {
    recordings.append('orders-v2', 1, () => 'head', 'one');
    recordings.append('orders-v2', 1, () => 'head', 'two');
    expect(await recordings.read('orders-v2', 1)).toBe('head\none\ntwo\n');
    await recordings.close();
    recordings = open();
    recordings.append('orders-v2', 1, () => 'head', 'three');
    expect(await recordings.read('orders-v2', null)).toBe('head\none\ntwo\nthree\n');
  });

  it('are one for each run, the newest unless another is asked for', async () => {
    for (const run of [1, 2, 10]) recordings.append('orders-v2', run, () => `head ${run}`, 'line');
    recordings.append('orders-v2.next', 99, () => 'other', 'line');
    expect(await recordings.read('orders-v2', null)).toBe('head 10\nline\n');
    expect(await recordings.read('orders-v2', 2)).toBe('head 2\nline\n');
    expect(await recordings.read('orders-v2', 3)).toBeNull();
    expect(await recordings.read('search-v3', null)).toBeNull();
  });

  it('of the newest twenty runs are kept', async () => {
    for (let run = 1; run <= 25; run += 1) {
      recordings.append('orders-v2', run, () => 'head', 'line');
      await recordings.read('orders-v2', run);
    }
    const names = readdirSync(join(dir, 'recordings'));
    expect(names).toHaveLength(20);
    expect(names).not.toContain('orders-v2.5.jsonl');
    expect(names).toContain('orders-v2.6.jsonl');
  });

  it('that cannot be written are said once, and lose nothing else', async () => {
    writeFileSync(join(dir, 'file'), '');
    const broken = open(join(dir, 'file', 'below'));
    broken.append('orders-v2', 1, () => 'head', 'line');
    expect(await broken.read('orders-v2', 1)).toBeNull();
    broken.append('orders-v2', 1, () => 'head', 'line');
    await broken.close();
    expect(troubles).toHaveLength(1);
  });
});
