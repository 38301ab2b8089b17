/**
 * Judges who claims to be what kind of client: crawlers that are let in, agents that are not, fields that any honest
 * client sends. Knows names and values; whether an address belongs to a crawler it asks.
 * @module
 */

export interface BotRules {
  /** Agents that are refused: globs, or text that occurs in them. */
  readonly deny: readonly string[];
  /** Fields, lower case, that a request must have. */
  readonly require: readonly string[];
  readonly allow: readonly Crawler[];
}

export interface Crawler {
  readonly agent: string;
  /** Addresses and CIDR ranges that it comes from; null: anywhere. */
  readonly ips: readonly string[] | null;
}

/** `ordinary`: no rule speaks of it. `impostor`: it claims to be a crawler from whose addresses it does not come. */
export type BotVerdict = 'ordinary' | 'crawler' | 'denied' | 'incomplete' | 'impostor';

export type AgentMatch = (agent: string) => boolean;

/** A crawler with its rules ready to be asked. */
export interface KnownCrawler {
  readonly claims: AgentMatch;
  /** Null: its word is enough. */
  readonly isFrom: ((address: string) => boolean) | null;
}

/** What `judgeClient` has to know of a request. */
export interface BotClient {
  /** As sent; empty: none. */
  readonly agent: string;
  readonly address: string;
  readonly has: (field: string) => boolean;
}

/**
 * Whether an agent has this text, or with `*` in it, is like this from its start to its end; case does not count.
 * Time grows with the lengths added up per `*`: every part is searched once, from where the one before it ended.
 */
export function compileAgent(pattern: string): AgentMatch {
  const parts = pattern.toLowerCase().split('*');
  const [first = '', ...rest] = parts;
  if (rest.length === 0) return (agent) => agent.toLowerCase().includes(first);
  const last = rest.pop() ?? '';
  return (agent) => {
    const text = agent.toLowerCase();
    if (!text.startsWith(first) || !text.endsWith(last)) return false;
    let at = first.length;
    for (const part of rest) {
      const found = text.indexOf(part, at);
      if (found < 0) return false;
      at = found + part.length;
    }
    return at + last.length <= text.length;
  };
}

/** What a crawler claims wins over `denied` and `require`, if it is true. */
export function judgeClient(
  client: BotClient,
  crawlers: readonly KnownCrawler[],
  denied: readonly AgentMatch[],
  require: readonly string[],
): BotVerdict {
  let claimed = false;
  for (const { claims, isFrom } of crawlers) {
    if (!claims(client.agent)) continue;
    if (isFrom === null || isFrom(client.address)) return 'crawler';
    claimed = true;
  }
  if (claimed) return 'impostor';
  if (denied.some((matches) => matches(client.agent))) return 'denied';
  return require.every(client.has) ? 'ordinary' : 'incomplete';
}
