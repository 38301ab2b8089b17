/**
 * Rules for bots, as written: their shape, merging, defaults, and what cannot be right.
 * Knows patterns as text; judges no client.
 * @module
 */

import * as z from 'zod';
import type { BotRules } from '../../core/policy/bots.ts';
import { headerName } from '../primitives.ts';
import type { Path, YamlSource } from '../yaml-source.ts';
import { checkRanges, ranges } from './ip.ts';

const agent = z.string().min(1).max(256);

const bots = z.strictObject({
  deny: z.array(agent).min(1).max(256).optional().meta({
    description: 'User agents that get 403: text that occurs in them, or globs with *. Case does not count.',
  }),
  require: z
    .array(headerName)
    .min(1)
    .max(16)
    .optional()
    .meta({ description: 'Headers without which a request gets 403.' }),
  allow: z
    .array(
      z.strictObject({
        agent: agent.meta({ description: 'Text that occurs in the user agent, or a glob with *.' }),
        ips: ranges.optional().meta({
          description: 'Addresses and CIDR ranges it comes from; from elsewhere it gets 403. Default: all.',
        }),
      }),
    )
    .min(1)
    .max(256)
    .optional()
    .meta({ description: 'Crawlers that deny and require do not hold for.' }),
});

export const botsField = z
  .union([bots, z.literal(false)])
  .optional()
  .meta({ description: 'Which bots are let in; others get 403. False for no rules.' });

export type BotsYaml = z.output<typeof botsField>;

/** A route's list replaces that of its policy. */
export function mergeBots(base: BotsYaml, over: BotsYaml): BotsYaml {
  return base && over ? { ...base, ...over } : (over ?? base);
}

export function completeBots(written: BotsYaml): BotRules | null {
  if (!written) return null;
  const { deny = [], require = [], allow = [] } = written;
  return {
    deny,
    require,
    allow: allow.map((crawler) => ({ agent: crawler.agent, ips: crawler.ips ?? null })),
  };
}

export function checkBots(source: YamlSource, path: Path, written: BotsYaml): void {
  if (!written) return;
  const at = [...path, 'bots'];
  if (!written.deny && !written.require && !written.allow) {
    source.findings.error(source.valueRange(at), 'expected deny, require, allow or several of them');
  }
  for (const [index, { ips }] of (written.allow ?? []).entries()) {
    checkRanges(source, [...at, 'allow', index, 'ips'], ips ?? []);
  }
  for (const [index, pattern] of (written.deny ?? []).entries()) {
    if (!/^\*+$/.test(pattern)) continue;
    source.findings.warning(
      source.valueRange([...at, 'deny', index]),
      'every client is refused that "allow" does not name',
    );
  }
}
