/**
 * Bot rules of a route, ready to be asked, and the count of what they said.
 * Counts outlive reloads, so that counters never fall; knows requests by agent, address and fields.
 * @module
 */

import type { IncomingHttpHeaders } from 'node:http';
import { type BotRules, type BotVerdict, compileAgent, judgeClient } from '../core/policy/bots.ts';
import { compileTrust } from './forwarded.ts';
import { type LabelledRoute, routeLabels } from './metric-labels.ts';

type BotCounts = Record<BotVerdict, number>;

/** Judges and counts. */
export type CompiledBots = (headers: IncomingHttpHeaders, address: string) => BotVerdict;

export function compileBots(rules: BotRules, counts: BotCounts): CompiledBots {
  const denied = rules.deny.map(compileAgent);
  const crawlers = rules.allow.map(({ agent, ips }) => ({
    claims: compileAgent(agent),
    isFrom: ips === null ? null : compileTrust(ips),
  }));
  return (headers, address) => {
    const client = {
      agent: headers['user-agent'] ?? '',
      address,
      has: (field: string): boolean => Object.hasOwn(headers, field) && headers[field] !== '',
    };
    const verdict = judgeClient(client, crawlers, denied, rules.require);
    counts[verdict] += 1;
    return verdict;
  };
}

export class BotMetrics {
  readonly #counts = new Map<string, BotCounts>();

  counts(route: LabelledRoute): BotCounts {
    const labels = routeLabels(route);
    const none = { ordinary: 0, crawler: 0, denied: 0, incomplete: 0, impostor: 0 };
    const counts = this.#counts.get(labels) ?? none;
    this.#counts.set(labels, counts);
    return counts;
  }

  /** Prometheus text format 0.0.4; empty where no route has the policy. */
  render(): string {
    if (this.#counts.size === 0) return '';
    const samples = [...this.#counts].flatMap(([labels, counts]) =>
      Object.entries(counts).map(
        ([verdict, count]) => `sluice_bot_requests_total{${labels},verdict="${verdict}"} ${count}`,
      ),
    );
    return `${[
      '# HELP sluice_bot_requests_total Requests to routes with bot rules, by what the rules said.',
      '# TYPE sluice_bot_requests_total counter',
      ...samples,
    ].join('\n')}\n`;
  }
}
