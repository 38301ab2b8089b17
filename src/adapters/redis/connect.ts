/**
 * Builds ioredis clients for a target: limits on connecting, on waiting and on retrying are all here.
 * Knows neither keys nor scripts.
 * @module
 */

import { Cluster, Redis, type RedisOptions } from 'ioredis';
import { parseRedisUrl, type RedisAddress, type RedisTarget } from './target.ts';

export type RedisClient = Redis | Cluster;

/** A command without an answer for this long has failed. */
const COMMAND_TIMEOUT_MS = 2000;
const CONNECT_TIMEOUT_MS = 2000;

/**
 * `commands`: fails at once while there is no connection, and never sends a command twice, since a lost
 * answer does not mean that the command had no effect. `subscriber`: waits and subscribes again by itself.
 */
export type ClientRole = 'commands' | 'subscriber';

/** 50 ms, doubling to at most 2 s, with ±25 % of jitter so that a fleet does not return in step. */
export function retryDelayMs(attempt: number): number {
  const baseMs = Math.min(2000, 50 * 2 ** Math.min(attempt - 1, 10));
  return Math.round(baseMs * (0.75 + Math.random() / 2));
}

/** Starts connecting and returns at once. Throws `BAD_REQUEST` for a URL that cannot be used. */
export function createRedisClient(url: string, role: ClientRole): RedisClient {
  const target = parseRedisUrl(url);
  const options = commonOptions(target, role);
  if (target.kind === 'cluster') return createCluster(target.nodes, options, role);
  if (target.kind === 'single') {
    return new Redis({ ...options, host: target.address.host, port: target.address.port, db: target.db });
  }
  return new Redis({
    ...options,
    sentinels: [...target.sentinels],
    name: target.master,
    db: target.db,
    sentinelRetryStrategy: retryDelayMs,
    sentinelCommandTimeout: COMMAND_TIMEOUT_MS,
    enableTLSForSentinelMode: target.tls,
    // Notices a failover at once instead of when the old master stops answering.
    failoverDetector: true,
  });
}

function commonOptions(target: RedisTarget, role: ClientRole) {
  const commands = role === 'commands';
  return {
    username: target.username,
    password: target.password,
    ...(target.tls ? { tls: {} } : {}),
    // RESP2 is understood by every server and proxy, and nothing here needs more.
    protocol: 2,
    connectionName: `sluice-${role}`,
    connectTimeout: CONNECT_TIMEOUT_MS,
    retryStrategy: retryDelayMs,
    enableOfflineQueue: !commands,
    maxRetriesPerRequest: commands ? 0 : null,
    autoResendUnfulfilledCommands: !commands,
    // A master that has become a replica answers READONLY: connect again, to the new master.
    reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
    ...(commands ? { commandTimeout: COMMAND_TIMEOUT_MS } : {}),
  } satisfies RedisOptions;
}

function createCluster(
  nodes: readonly RedisAddress[],
  options: ReturnType<typeof commonOptions>,
  role: ClientRole,
): Cluster {
  const { retryStrategy: _, enableOfflineQueue: __, ...redisOptions } = options;
  return new Cluster([...nodes], {
    redisOptions,
    enableOfflineQueue: role === 'subscriber',
    clusterRetryStrategy: retryDelayMs,
    // Within the time-out of one command a cluster that is failing over is asked a few times.
    maxRedirections: 8,
    slotsRefreshTimeout: CONNECT_TIMEOUT_MS,
  });
}
