/**
 * One backend's connections to Redis: a client for commands and one for subscriptions.
 * Owns their life, their errors and their state; knows no key.
 * @module
 */

import { SluiceError } from '../../core/domain/errors.ts';
import { createRedisClient, type RedisClient } from './connect.ts';
import { loadScripts, type ScriptName } from './scripts.ts';
import { parseRedisUrl } from './target.ts';

/** What this adapter needs of a logger. */
export interface ConnectionLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export interface Subscription {
  /** Resolves when Redis has confirmed; waits as long as there is no connection, then rejects on close. */
  readonly subscribed: Promise<void>;
  stop(): void;
}

export interface RedisConnection {
  /** Runs a Lua command. Rejects with `UNAVAILABLE` when Redis cannot be asked. */
  run(
    script: ScriptName,
    keys: readonly string[],
    args: readonly (string | number | Buffer)[],
  ): Promise<unknown>;
  /** Runs a plain command. Rejects with `UNAVAILABLE` when Redis cannot be asked. */
  call<T>(command: (client: RedisClient) => Promise<T>): Promise<T>;
  subscribe(channels: readonly string[], onMessage: (message: string) => void): Subscription;
  /** Calls `hook` when either client has got (true) or lost (false) its connection. Returns the way out. */
  onChange(hook: (up: boolean) => void): () => void;
  /**
   * Resolves when commands can be sent, or after `timeoutMs` or `stopping` all the same. Rejects with `CONFIG_INVALID` when
   * Redis is there and refuses the credentials: waiting would not help.
   */
  ready(timeoutMs: number, stopping?: AbortSignal): Promise<void>;
  /** Commands can be sent. */
  connected(): boolean;
  close(): void;
}

/** What Redis says to wrong or missing credentials. */
const REFUSED = /^(?:WRONGPASS|NOAUTH|NOPERM|ERR AUTH)\b/;

/** Starts connecting. Throws `BAD_REQUEST` for a URL that cannot be used. */
export function openConnection(url: string, log: ConnectionLog | undefined): RedisConnection {
  const { text } = parseRedisUrl(url);
  const runScript = loadScripts();
  const commands = createRedisClient(url, 'commands');
  const subscriber = createRedisClient(url, 'subscriber');
  const hooks = new Set<(up: boolean) => void>();
  const handlers = new Map<string, Set<(message: string) => void>>();
  let closed = false;
  let lastError = '';
  let up: boolean | undefined;
  let wasAway = false;

  for (const client of [commands, subscriber]) {
    client.on('error', (error: Error) => {
      lastError = messageOf(error);
    });
    client.on('ready', () => changed(true, client));
    client.on('close', () => changed(false, client));
  }
  subscriber.on('message', (channel: string, message: string) => {
    for (const handler of handlers.get(channel) ?? []) handler(message);
  });

  function changed(nowUp: boolean, client: RedisClient): void {
    if (closed) return;
    if (client === commands && up !== nowUp) {
      up = nowUp;
      // Whoever was told that it is away is told that it is back.
      if (up && wasAway) log?.warn({ redis: text }, 'connected to Redis');
      else if (up) log?.info({ redis: text }, 'connected to Redis');
      else log?.warn({ redis: text, error: lastError }, 'no connection to Redis; waiting for it');
      wasAway = !up;
      if (up) lastError = '';
    }
    for (const hook of hooks) hook(nowUp);
  }

  async function call<T>(command: (client: RedisClient) => Promise<T>): Promise<T> {
    if (closed) throw new SluiceError('UNAVAILABLE', { detail: `the connection to ${text} is closed` });
    try {
      return await command(commands);
    } catch (error) {
      throw explain(error, text, up === true ? messageOf(error) : lastError || 'there is no connection');
    }
  }

  return {
    call,
    run: (script, keys, args) => call((client) => runScript(client, script, keys, args)),

    subscribe(channels, onMessage) {
      for (const channel of channels) {
        const set = handlers.get(channel) ?? new Set();
        handlers.set(channel, set.add(onMessage));
      }
      return {
        subscribed: subscriber.subscribe(...channels).then(() => undefined),
        stop() {
          const unused = channels.filter((channel) => {
            handlers.get(channel)?.delete(onMessage);
            return handlers.get(channel)?.size === 0;
          });
          for (const channel of unused) handlers.delete(channel);
          // Without a connection there is nothing to unsubscribe from.
          if (unused.length > 0 && !closed) subscriber.unsubscribe(...unused).catch(() => undefined);
        },
      };
    },

    onChange(hook) {
      hooks.add(hook);
      return () => hooks.delete(hook);
    },

    connected: () => up === true,

    ready(timeoutMs, stopping) {
      if (commands.status === 'ready' || stopping?.aborted === true) return Promise.resolve();
      return new Promise((resolve, reject) => {
        const done = (): void => {
          clearTimeout(timer);
          stopping?.removeEventListener('abort', done);
          commands.off('ready', done);
          commands.off('error', onError);
          resolve();
        };
        const onError = (error: Error): void => {
          if (!REFUSED.test(messageOf(error))) return;
          reject(refusal(text, error));
          done();
        };
        const timer = setTimeout(done, timeoutMs);
        stopping?.addEventListener('abort', done);
        commands.on('ready', done);
        commands.on('error', onError);
      });
    },

    close() {
      if (closed) return;
      closed = true;
      hooks.clear();
      handlers.clear();
      commands.disconnect();
      subscriber.disconnect();
    },
  };
}

function refusal(text: string, error: Error): SluiceError {
  return new SluiceError('CONFIG_INVALID', {
    detail: `Redis at ${text} refuses the credentials: ${messageOf(error)}`,
    hint: 'Put user and password into the URL (redis://user:password@host:6379), best by SLUICE_REDIS.',
    cause: error,
  });
}

/** A mistake in a command is a bug and stays as it is; everything else means that Redis could not be asked. */
function explain(error: unknown, text: string, reason: string): unknown {
  if (/^(ERR|WRONGTYPE|CROSSSLOT) /.test(messageOf(error))) return error;
  return new SluiceError('UNAVAILABLE', {
    detail: `Redis at ${text} did not answer: ${reason}`,
    hint: 'Check that Redis runs and that its address and password are right.',
    cause: error,
  });
}

/** Node reports a refused connection to several addresses as an AggregateError without a message. */
function messageOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(messageOf).join('; ');
  return error instanceof Error ? error.message || error.name : String(error);
}
