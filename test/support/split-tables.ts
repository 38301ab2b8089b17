/** Split tables of one gateway over an embedded channel that can be cut off, with a clock that tests move. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SplitService } from '../../src/gateway/held-split.ts';
import { openSplitFiles, type SplitFiles } from '../../src/gateway/split-files.ts';
import { SplitTable } from '../../src/gateway/split-table.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { type SwitchableChannel, switchableBackend } from './switchable-ports.ts';

export const ORDERS: SplitService = {
  name: 'orders',
  versions: ['v1', 'v2'],
  defaultVersion: 'v1',
  salt: 'orders',
};
export const LEASE = { ttlMs: 30_000, onExpiry: 'baseline' } as const;

const USERS = 2_000;

export class SplitTables {
  readonly channel: SwitchableChannel;
  /** Where `files` keeps splits. */
  readonly folder: string;
  readonly log: string[] = [];
  nowMs = 1_000;
  readonly #tables: SplitTable[] = [];
  readonly #closeBackend: () => Promise<void>;

  private constructor(channel: SwitchableChannel, folder: string, closeBackend: () => Promise<void>) {
    this.channel = channel;
    this.folder = folder;
    this.#closeBackend = closeBackend;
  }

  static async open(): Promise<SplitTables> {
    const { channel, close } = await switchableBackend();
    return new SplitTables(channel, await mkdtemp(join(tmpdir(), 'sluice-splits-')), close);
  }

  async close(): Promise<void> {
    for (const table of this.#tables.splice(0)) await table.close();
    await this.#closeBackend();
    await rm(this.folder, { recursive: true });
  }

  /** A table that has started. */
  async table(files: SplitFiles | null = null, services = [ORDERS]): Promise<SplitTable> {
    const table = new SplitTable({
      channel: this.channel,
      files,
      monotonicMs: () => this.nowMs,
      logger: createLogger({
        level: 'info',
        component: 'gateway',
        destination: { write: (line) => this.log.push(line) },
      }),
      gateway: 'g1',
      incarnation: 'i1',
    });
    this.#tables.push(table);
    await table.start(services);
    return table;
  }

  files(): SplitFiles {
    return openSplitFiles(this.folder, (service, error) => this.log.push(`${service}: ${error}`));
  }

  /** Revision and state of all that was acknowledged, oldest first. */
  acknowledged(): readonly string[] {
    return this.channel.acknowledged.map(({ revision, state }) => `${revision} ${state}`);
  }
}

/** Of many users of `orders`. */
export function shareOfCanary(table: SplitTable): number {
  const { assign } = table.slot('orders');
  let canary = 0;
  for (let user = 0; user < USERS; user += 1) if (assign(`user-${user}`) === 'v2') canary += 1;
  return canary / USERS;
}
