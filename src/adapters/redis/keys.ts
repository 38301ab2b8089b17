/**
 * Every Redis key and channel name of Sluice, in one place. Keys that one script touches share a hash tag, so
 * that they live on one node of a Redis Cluster; knows nothing of what the keys hold beyond their type.
 * @module
 */

/** Keys of one service: the data plane, spread over a cluster by service. */
export function serviceKeys(service: string) {
  const tag = `sluice:{${service}}`;
  return {
    /** Hash: `document`, `epoch`, `revision`, `renewals`. */
    split: `${tag}:split`,
    /** Channel: what changes in `split`. */
    changes: `${tag}:changes`,
    /** Hash: gateway → `<redis ms>:<acknowledgement>`. */
    acknowledgements: `${tag}:acks`,
    /** Stream: one entry per summary, field `s`. */
    telemetry: `${tag}:telemetry`,
    /** Hash: `generation` (when counting began) and `added` (number of summaries since). */
    telemetryCount: `${tag}:telemetry:count`,
  } as const;
}

/**
 * Keys of the control plane. They share one tag because a commit checks a lease's epoch (by service) and
 * writes a record and its events (by rollout) in one step; a few writes a second need no spreading.
 */
const CONTROL = 'sluice:{rollouts}';

export const CONTROL_KEYS = {
  /** Hash: rollout → record. */
  records: `${CONTROL}:records`,
  /** Hash: rollout → version of its record. */
  versions: `${CONTROL}:versions`,
  /** Hash: service → epoch of its newest lease. */
  epochs: `${CONTROL}:epochs`,
  /** Hash: `<notifier>/<rollout>` → sequence. */
  cursors: `${CONTROL}:cursors`,
} as const;

/** Sorted set of events by sequence. */
export function eventsKey(rollout: string): string {
  return `${CONTROL}:events:${rollout}`;
}

/** Hash: `holder`, `contact`, `run` (of the Redis process that granted it); it expires with the lease. */
export function leaseKey(service: string): string {
  return `${CONTROL}:lease:${service}`;
}

/** Hash: digest of version, fields and their values → response. It expires with the one that lasts longest. */
export function cachedKey(resourceDigest: string): string {
  return `sluice:{cache:${resourceDigest}}`;
}

const PURGES = 'sluice:{purges}';

export const PURGE_KEYS = {
  /** Hash: `generation` (when counting began) and `sequence` (of the newest purge). */
  state: `${PURGES}:state`,
  /** Sorted set by sequence: `<sequence> <id> <purge>`. */
  log: `${PURGES}:log`,
  /** Hash: gateway → `<redis ms> <sequence applied> <generation>`. */
  applied: `${PURGES}:applied`,
  /** Channel: `<generation> <sequence> <id> <purge>`. */
  channel: `${PURGES}:published`,
} as const;

/** Tag of all limits of one subject (a digest), so that one script can take from them. */
function subjectTag(subjectDigest: string): string {
  return `sluice:{limits:${subjectDigest}}`;
}

/** String: when the key is idle, microseconds of the server's clock; it expires then. */
export function rateKey(subjectDigest: string, limit: string): string {
  return `${subjectTag(subjectDigest)}:rate:${limit}`;
}

/** String: requests in the window that starts at `startMs`; it expires with the window. */
export function quotaKey(subjectDigest: string, limit: string, startMs: number): string {
  return `${subjectTag(subjectDigest)}:quota:${limit}:${startMs}`;
}

/** Hash: `fingerprint`, `token`, `answer`; it expires with the claim or the answer. */
export function idempotencyKey(keyDigest: string): string {
  return `sluice:{idempotency:${keyDigest}}`;
}
