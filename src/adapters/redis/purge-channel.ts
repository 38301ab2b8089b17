/**
 * The purge channel over Redis: a numbered log of the newest purges is the truth, the published message the speed.
 * Owns what a watch has applied; knows nothing of what a purge matches.
 * @module
 */

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type NumberedPurge, PURGES_KEPT, type Purge } from '../../core/policy/cache/purge.ts';
import type { PurgeChannel, PurgeListener, PurgeReceipt } from '../../ports/purge-channel.ts';
import type { RedisConnection } from './connection.ts';
import { PURGE_KEYS } from './keys.ts';
import { createPacer } from './pacer.ts';

/** A lost message is made good after at most this time. */
const READ_INTERVAL_MS = 2000;
/** The first read does not wait longer than this for the subscription. */
const SUBSCRIBE_WAIT_MS = 1000;
/** A gateway not heard of for this long, by Redis's clock, is not waited for. */
const SILENT_MS = 10_000;
const REACH_WAIT_MS = 1000;
const REACH_INTERVAL_MS = 25;

/** `closing` ends every watch when the backend closes. */
export function createRedisPurgeChannel(connection: RedisConnection, closing: AbortSignal): PurgeChannel {
  const send = (purge: Purge): Promise<[generation: string, sequence: number]> => {
    const { state, log, channel } = PURGE_KEYS;
    const args = [JSON.stringify(purge), randomUUID(), channel, PURGES_KEPT];
    // The reply of `publish-purge.lua`.
    return connection.run('publish-purge', [state, log], args) as Promise<[string, number]>;
  };
  return {
    async publish(purge) {
      const [generation, sequence] = await send(purge);
      return { sequence, reached: await reachOf(connection, generation, sequence) };
    },

    async announce(purges) {
      // On one connection, so they keep their order.
      await Promise.all(purges.map(send));
    },

    watch: (gateway, listener, signal) =>
      watchPurges(connection, gateway, listener, AbortSignal.any([signal, closing])),
  };
}

/** Waits until all have applied it, a second at most. */
async function reachOf(
  connection: RedisConnection,
  generation: string,
  sequence: number,
): Promise<PurgeReceipt['reached']> {
  const untilMs = performance.now() + REACH_WAIT_MS;
  try {
    for (;;) {
      const args = [generation, sequence, SILENT_MS];
      // The reply of `purge-reach.lua`.
      const reply = (await connection.run('purge-reach', [PURGE_KEYS.applied], args)) as [number, number];
      const [gateways, applied] = reply;
      if (applied >= gateways || performance.now() >= untilMs) return { gateways, applied };
      await sleep(REACH_INTERVAL_MS);
    }
  } catch {
    // It is published; only nobody can say who has got it.
    return null;
  }
}

/** Resolves after the first read; goes on until `signal` aborts. */
async function watchPurges(
  connection: RedisConnection,
  gateway: string,
  listener: PurgeListener,
  signal: AbortSignal,
): Promise<void> {
  if (signal.aborted) return;
  const pacer = createPacer(signal);
  const position = new Position(listener);

  async function read(): Promise<void> {
    const { generation, sequence, entry } = position;
    const { state, log, applied } = PURGE_KEYS;
    const args = [gateway, generation, sequence, randomUUID(), SILENT_MS];
    // The reply of `read-purges.lua`; rejects when Redis is away, and the next read makes it good.
    const reply = await connection.run('read-purges', [state, log, applied], args).catch(() => null);
    if (reply === null || signal.aborted) return;
    const [now, newest, ...entries] = reply as [string, string, ...string[]];
    // The last one that was applied comes along. A failover may have lost it and given its number to another.
    const fresh = sequence === 0 ? entries : entries.slice(1);
    const same = now === generation && (sequence === 0 || (entries[0] ?? '') === entry);
    const moved =
      same && Number(newest) - sequence === fresh.length
        ? position.follow(fresh)
        : position.begin(now, Number(newest), entries);
    // The next read says what is applied now.
    if (moved) pacer.wake();
  }

  const subscription = connection.subscribe([PURGE_KEYS.channel], (message) => {
    const space = message.indexOf(' ');
    if (message.slice(0, space) === position.generation) position.follow([message.slice(space + 1)]);
    // Read also when all went well: that tells how far this gateway is.
    pacer.wake();
  });
  const stopHook = connection.onChange(() => pacer.wake());
  signal.addEventListener(
    'abort',
    () => {
      stopHook();
      subscription.stop();
    },
    { once: true },
  );
  // A subscription confirmed after the first read may have missed what was published in between.
  const confirmed = subscription.subscribed.then(
    () => pacer.wake(),
    () => undefined,
  );
  await Promise.race([confirmed, pacer.wait(SUBSCRIBE_WAIT_MS)]);
  await read();
  void (async () => {
    while (!signal.aborted) {
      await pacer.wait(READ_INTERVAL_MS);
      if (!signal.aborted) await read();
    }
  })();
}

/** How far a watch is. */
class Position {
  readonly #listener: PurgeListener;
  /** Empty before the first read. */
  generation = '';
  sequence = 0;
  /** Of `sequence`; empty when there was none. */
  entry = '';

  constructor(listener: PurgeListener) {
    this.#listener = listener;
  }

  /** Delivers what comes next and is new; true when there was some. What comes after a gap is left to a read. */
  follow(entries: readonly string[]): boolean {
    const before = this.sequence;
    for (const entry of entries) {
      const purge = parseEntry(entry);
      if (purge.sequence !== this.sequence + 1) continue;
      this.sequence = purge.sequence;
      this.entry = entry;
      this.#listener.onPurge(purge);
    }
    return this.sequence > before;
  }

  begin(generation: string, sequence: number, entries: readonly string[]): true {
    this.generation = generation;
    this.sequence = sequence;
    this.entry = entries.at(-1) ?? '';
    this.#listener.onHistory({ generation, sequence, purges: entries.map(parseEntry) });
    return true;
  }
}

/** `<sequence> <id> <purge>`, as `publish-purge.lua` writes it. */
function parseEntry(entry: string): NumberedPurge {
  const purge = entry.slice(entry.indexOf(' ', entry.indexOf(' ') + 1) + 1);
  return { ...(JSON.parse(purge) as Purge), sequence: Number.parseInt(entry, 10) };
}
