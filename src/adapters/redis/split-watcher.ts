/**
 * Watching the splits of services in Redis: subscribe, read, and read again every few seconds and after each
 * change of connection. Owns what "newer" and "renewed" mean for one watch; writes nothing.
 * @module
 */

import { type SplitDocument, supersedes } from '../../core/domain/split-document.ts';
import type { WeightListener } from '../../ports/weight-channel.ts';
import type { RedisConnection } from './connection.ts';
import { serviceKeys } from './keys.ts';
import { createPacer, type Pacer } from './pacer.ts';

/** A lost message is made good after at most this time. */
const READ_INTERVAL_MS = 2000;
/** The first read does not wait longer than this for the subscription. */
const SUBSCRIBE_WAIT_MS = 1000;

export interface StoredSplit {
  readonly split: SplitDocument;
  /** Number of writes and renewals; a change shows a renewal whose message was lost, without any clock. */
  readonly renewals: number;
}

/** Resolves after the first read; goes on until `signal` aborts. */
export async function watchSplits(
  connection: RedisConnection,
  services: readonly string[],
  listener: WeightListener,
  signal: AbortSignal,
): Promise<void> {
  if (signal.aborted) return;
  const known = new Map<string, StoredSplit>();
  const pacer = createPacer(signal);
  let connected: boolean | undefined;

  function report(now: boolean): void {
    if (signal.aborted || connected === now) return;
    connected = now;
    listener.onConnection(now);
  }

  /** `first-read`: of this watch or after an outage; what it finds may have been there for long. */
  function offer(stored: StoredSplit, source: 'message' | 'first-read' | 'read'): void {
    if (signal.aborted) return;
    const { service } = stored.split;
    const before = known.get(service);
    if (before === undefined || supersedes(stored.split, before.split)) {
      known.set(service, stored);
      listener.onSplit(stored.split, source === 'first-read' ? 'stored' : 'published');
    } else if (!supersedes(before.split, stored.split)) {
      // A counter that went back means that Redis lost data, which renews nothing. A message may be late.
      const renewed = stored.renewals > before.renewals;
      if (renewed || source !== 'message') known.set(service, stored);
      if (renewed && source !== 'first-read') listener.onRenewal(service, stored.split.revision);
    }
  }

  async function readAll(): Promise<void> {
    const results = await Promise.allSettled(services.map((service) => readStored(connection, service)));
    const source = connected === true ? 'read' : 'first-read';
    report(results.every(({ status }) => status === 'fulfilled'));
    for (const result of results) {
      if (result.status === 'fulfilled' && result.value) offer(result.value, source);
    }
  }

  const subscriptions = services.map((service) =>
    connection.subscribe([serviceKeys(service).changes], (message) => {
      const change = parseChange(message, known.get(service));
      if (change) offer(change, 'message');
      else pacer.wake();
    }),
  );
  const stopHook = connection.onChange((up) => {
    if (!up) report(false);
    pacer.wake();
  });
  signal.addEventListener(
    'abort',
    () => {
      stopHook();
      for (const subscription of subscriptions) subscription.stop();
    },
    { once: true },
  );

  const subscribed = Promise.allSettled(subscriptions.map((subscription) => subscription.subscribed));
  // A subscription confirmed after the first read may have missed what was written in between.
  const confirmed = subscribed.then(() => pacer.wake());
  await Promise.race([confirmed, pacer.wait(SUBSCRIBE_WAIT_MS)]);
  await readAll();
  void keepReading(pacer, readAll, signal);
}

async function keepReading(pacer: Pacer, readAll: () => Promise<void>, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await pacer.wait(READ_INTERVAL_MS);
    if (!signal.aborted) await readAll();
  }
}

/** The stored document of a service, or null. */
export async function readStored(connection: RedisConnection, service: string): Promise<StoredSplit | null> {
  const key = serviceKeys(service).split;
  const [document, renewals] = await connection.call((client) => client.hmget(key, 'document', 'renewals'));
  if (!document) return null;
  // Written by `write-split.lua` with the document that `write` was given.
  return { split: JSON.parse(document) as SplitDocument, renewals: Number(renewals) };
}

/** A message as what is stored now; null when it tells of a document that this watch has not seen. */
function parseChange(message: string, known: StoredSplit | undefined): StoredSplit | null {
  // Published by `write-split.lua` and `renew-split.lua` only.
  const change = JSON.parse(message) as
    | { renewals: number; split: SplitDocument }
    | { renewals: number; epoch: number; revision: number };
  if ('split' in change) return change;
  if (known?.split.epoch !== change.epoch || known.split.revision !== change.revision) return null;
  return { split: known.split, renewals: change.renewals };
}
