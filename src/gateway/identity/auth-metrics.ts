/**
 * Counters of identity for Prometheus: what became of callers, by route and cause, and how providers are.
 * Knows labels and numbers only; they outlive reloads, so that counters never fall.
 * @module
 */

import { escapeLabel, type LabelledRoute, routeLabels } from '../metric-labels.ts';

export const AUTH_OUTCOMES = [
  'accepted',
  'anonymous',
  'missing',
  'malformed',
  'expired',
  'claims',
  'signature',
  'unknown_key',
  'unacceptable',
  'scope_missing',
  'claim_refused',
  'unavailable',
] as const;

export type AuthOutcome = (typeof AUTH_OUTCOMES)[number];
export type AuthCounts = Record<AuthOutcome, number>;

/** One provider. */
export interface ProviderHealth {
  /** Its last answer was none. */
  down: boolean;
  /** Questions without a usable answer. */
  failures: number;
  /** What it said earlier was used because it is down. */
  staleUses: number;
}

export class AuthMetrics {
  readonly #counts = new Map<string, AuthCounts>();
  readonly #providers = new Map<string, ProviderHealth>();

  counts(route: LabelledRoute): AuthCounts {
    const labels = routeLabels(route);
    const none = Object.fromEntries(AUTH_OUTCOMES.map((outcome) => [outcome, 0])) as AuthCounts; // Every key.
    const counts = this.#counts.get(labels) ?? none;
    this.#counts.set(labels, counts);
    return counts;
  }

  /** `kind`: `jwt` or `introspection`. */
  provider(kind: string, name: string): ProviderHealth {
    const labels = `kind="${kind}",provider="${escapeLabel(name)}"`;
    const health = this.#providers.get(labels) ?? { down: false, failures: 0, staleUses: 0 };
    this.#providers.set(labels, health);
    return health;
  }

  /** Prometheus text format 0.0.4; empty where nobody is asked who they are. */
  render(): string {
    const routes = [...this.#counts].flatMap(([labels, counts]) =>
      AUTH_OUTCOMES.map((outcome) => `{${labels},outcome="${outcome}"} ${counts[outcome]}`),
    );
    const providers = [...this.#providers];
    return (
      family(
        'sluice_auth_requests_total',
        'counter',
        'Requests to routes with auth, by what became of it.',
        routes,
      ) +
      family(
        'sluice_identity_provider_down',
        'gauge',
        '1 while the last question to the provider had no usable answer.',
        providers.map(([labels, { down }]) => `{${labels}} ${down ? 1 : 0}`),
      ) +
      family(
        'sluice_identity_provider_failures_total',
        'counter',
        'Questions to the provider without a usable answer.',
        providers.map(([labels, { failures }]) => `{${labels}} ${failures}`),
      ) +
      family(
        'sluice_identity_stale_uses_total',
        'counter',
        'Times that an earlier answer of the provider stood in because it is down.',
        providers.map(([labels, { staleUses }]) => `{${labels}} ${staleUses}`),
      )
    );
  }
}

function family(name: string, type: string, help: string, samples: readonly string[]): string {
  if (samples.length === 0) return '';
  const lines = samples.map((sample) => `${name}${sample}`);
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('\n')}\n`;
}
