/**
 * Redis URLs: single server, Sentinel, Cluster, each with or without TLS.
 * Owns parsing and the text that names a target without its password; opens nothing.
 * @module
 */

import { SluiceError } from '../../core/domain/errors.ts';

export interface RedisAddress {
  readonly host: string;
  readonly port: number;
}

interface Common {
  readonly tls: boolean;
  readonly username: string | undefined;
  readonly password: string | undefined;
  /** For messages: scheme and hosts, never the password. */
  readonly text: string;
}

export type RedisTarget =
  | (Common & { readonly kind: 'single'; readonly address: RedisAddress; readonly db: number })
  | (Common & {
      readonly kind: 'sentinel';
      readonly sentinels: readonly RedisAddress[];
      readonly master: string;
      readonly db: number;
    })
  | (Common & { readonly kind: 'cluster'; readonly nodes: readonly RedisAddress[] });

const FORM = /^(redis|rediss)(\+sentinel|\+cluster)?:\/\/(?:([^@/]*)@)?([^/?#@]+)(?:\/([^?#]*))?$/;

/**
 * `redis://[user:password@]host[:port][/db]`, `redis+sentinel://…host[:port],…/master[/db]`,
 * `redis+cluster://…host[:port],…`; `rediss` for TLS. User and password are percent-encoded; ports default to
 * 6379, of sentinels to 26379. Throws `BAD_REQUEST`.
 */
export function parseRedisUrl(url: string): RedisTarget {
  const match = FORM.exec(url.trim());
  if (!match) throw badUrl('it has none of the forms that Sluice knows');
  const [, scheme = '', suffix = '', credentials, hosts = '', path = ''] = match;
  const addresses = hosts
    .split(',')
    .map((host) => parseAddress(host, suffix === '+sentinel' ? 26_379 : 6379));
  const common = {
    tls: scheme === 'rediss',
    ...parseCredentials(credentials),
    text: `${scheme}${suffix}://${hosts}`,
  };
  const parts = path.split('/').filter((part) => part !== '');
  if (suffix === '+cluster') {
    if (parts.length > 0) throw badUrl('a cluster has no database number');
    return { kind: 'cluster', ...common, nodes: addresses };
  }
  if (suffix === '+sentinel') {
    const [master, db, ...rest] = parts;
    if (master === undefined || rest.length > 0)
      throw badUrl('the master’s name is expected after the hosts');
    return { kind: 'sentinel', ...common, sentinels: addresses, master, db: parseDb(db) };
  }
  const [address, ...others] = addresses;
  if (!address || others.length > 0) throw badUrl('several hosts need redis+sentinel:// or redis+cluster://');
  if (parts.length > 1) throw badUrl('only a database number is expected after the host');
  return { kind: 'single', ...common, address, db: parseDb(parts[0]) };
}

function parseAddress(text: string, defaultPort: number): RedisAddress {
  const match = /^(\[[0-9a-fA-F:.]+\]|[^:[\]\s]+)(?::(\d{1,5}))?$/.exec(text);
  const port = match?.[2] === undefined ? defaultPort : Number(match[2]);
  if (!match || port < 1 || port > 65_535) throw badUrl(`"${text}" is not a host and port`);
  return { host: (match[1] ?? '').replace(/^\[|\]$/g, ''), port };
}

function parseCredentials(text: string | undefined): Pick<Common, 'username' | 'password'> {
  if (text === undefined || text === '') return { username: undefined, password: undefined };
  const colon = text.indexOf(':');
  try {
    const username = decodeURIComponent(colon < 0 ? text : text.slice(0, colon));
    const password = colon < 0 ? undefined : decodeURIComponent(text.slice(colon + 1));
    return { username: username === '' ? undefined : username, password };
  } catch {
    throw badUrl('user or password is not percent-encoded');
  }
}

function parseDb(text: string | undefined): number {
  if (text === undefined) return 0;
  if (!/^\d{1,4}$/.test(text)) throw badUrl(`"${text}" is not a database number`);
  return Number(text);
}

function badUrl(problem: string): SluiceError {
  return new SluiceError('BAD_REQUEST', {
    detail: `the Redis URL cannot be used: ${problem}`,
    hint: 'Use redis://host:6379/0, redis+sentinel://host:26379,…/master/0 or redis+cluster://host:6379,… (rediss for TLS).',
  });
}
