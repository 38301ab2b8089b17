/**
 * Which counters a rule on Prometheus reads: the gateways' own, or the pair that a user has written. As PromQL
 * selectors without a range. Knows how the gateway names its metrics; asks nobody.
 * @module
 */

import { CLIENT_DURATION, LABEL } from '../domain/metric-names.ts';
import type { Plan } from '../domain/plan.ts';
import type { Rule } from '../domain/rule.ts';

export type Arms = Pick<Plan, 'service' | 'baseline' | 'canary'>;

/** Selectors of one version; a series that several of them match counts once. */
export interface ArmSelectors {
  readonly total: readonly string[];
  readonly bad: readonly string[];
}

export interface CounterSelectors {
  readonly canary: ArmSelectors;
  /** Null where the counters are not told apart by version. */
  readonly baseline: ArmSelectors | null;
}

/** Of a rule on rates, whose source is Prometheus. */
export function counterSelectors({ counters }: Rule, plan: Arms): CounterSelectors {
  if (counters === undefined) {
    return {
      canary: gatewaySelectors(plan.service, plan.canary),
      baseline: gatewaySelectors(plan.service, plan.baseline),
    };
  }
  const ofVersion = (version: string): ArmSelectors => ({
    total: [fillVersion(counters.total, version)],
    bad: [fillVersion(counters.bad, version)],
  });
  const perVersion = counters.total.includes(VERSION_VARIABLE);
  return { canary: ofVersion(plan.canary), baseline: perVersion ? ofVersion(plan.baseline) : null };
}

/** Stands for a version in a user's selector. */
export const VERSION_VARIABLE = '$version';

// An attempt that its own client gave up says nothing about the version: it is in no count.
const NOT_ABORTED = `${LABEL.error}!="client_abort"`;
const STATUS_5XX = `${LABEL.status}=~"5.."`;
const NO_STATUS = `${LABEL.error}=~"connect|reset|timeout"`;

function gatewaySelectors(service: string, version: string): ArmSelectors {
  return {
    total: [attemptSelector('count', service, version, NOT_ABORTED)],
    bad: [
      attemptSelector('count', service, version, NOT_ABORTED, STATUS_5XX),
      attemptSelector('count', service, version, NO_STATUS),
    ],
  };
}

/** All attempts at a version that count, as `count` or `bucket` series of the gateways. */
export function attemptsOf(series: 'count' | 'bucket', service: string, version: string): string {
  return attemptSelector(series, service, version, NOT_ABORTED);
}

function attemptSelector(
  series: 'count' | 'bucket',
  service: string,
  version: string,
  ...matchers: readonly string[]
): string {
  const own = [`${LABEL.service}=${quote(service)}`, `${LABEL.version}=${quote(version)}`];
  return `${CLIENT_DURATION}_${series}{${[...own, ...matchers].join(',')}}`;
}

/** A double-quoted PromQL string literal. */
export function quote(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;
}

/** Whether these instances could be scraped. */
export function upSelector(instances: readonly string[]): string {
  return `up{instance=~${quote(instances.map(literally).join('|'))}}`;
}

/** As part of a regular expression. */
function literally(text: string): string {
  return text.replaceAll(/[.+*?^$()[\]{}|\\]/g, '\\$&');
}

const MATCHER = /(=~|!~|!=|=)(\s*)("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`)/g;

/** In a regular expression a version means itself: its dots match dots. */
function fillVersion(selector: string, version: string): string {
  return selector.replaceAll(MATCHER, (_, operator: string, space: string, literal: string) => {
    const inRegex = operator.endsWith('~');
    const meant = inRegex ? literally(version) : version;
    const escaped = literal.startsWith('`') ? meant : quote(meant).slice(1, -1);
    return `${operator}${space}${literal.replaceAll(VERSION_VARIABLE, () => escaped)}`;
  });
}
