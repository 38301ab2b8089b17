/**
 * The Lua commands: read from `lua/` beside this module and run by their hash.
 * Knows neither what they do nor which keys they take.
 * @module
 */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { RedisClient } from './connect.ts';

const NAMES = [
  'write-split',
  'renew-split',
  'acknowledge',
  'live-acknowledgements',
  'emit-summary',
  'read-summaries',
  'commit-rollout',
  'acquire-lease',
  'release-lease',
  'take-limits',
  'return-limits',
  'begin-idempotent',
  'end-idempotent',
  'publish-purge',
  'read-purges',
  'purge-reach',
  'put-cached',
] as const;

export type ScriptName = (typeof NAMES)[number];

export type RunScript = (
  client: RedisClient,
  name: ScriptName,
  keys: readonly string[],
  args: readonly (string | number | Buffer)[],
) => Promise<unknown>;

/** Reads all scripts, once, when a backend is opened. */
export function loadScripts(): RunScript {
  const scripts = new Map(
    NAMES.map((name) => {
      const lua = readFileSync(new URL(`./lua/${name}.lua`, import.meta.url), 'utf8');
      return [name, { lua, sha: createHash('sha1').update(lua).digest('hex') }];
    }),
  );
  return async (client, name, keys, args) => {
    const script = scripts.get(name);
    if (!script) throw new Error(`unknown script ${name}`);
    try {
      return await client.evalsha(script.sha, keys.length, ...keys, ...args);
    } catch (error) {
      // A server that was restarted, or another node, has not seen the script yet. It ran nothing.
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
      return await client.eval(script.lua, keys.length, ...keys, ...args);
    }
  };
}
