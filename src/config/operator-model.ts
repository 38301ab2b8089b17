/**
 * The operator's configuration after loading: defaults filled in, secrets not yet read. Knows no YAML.
 * @module
 */

import type { OperatorYaml } from './operator-schema.ts';
import type { ListenAddress, Secret } from './primitives.ts';

export interface ApiToken {
  readonly name: string;
  readonly role: 'viewer' | 'operator' | 'admin';
  readonly token: Secret;
}

/** As in the file: `{ slack }`, `{ webhook }` or `log`. */
export type NotifierConfig = OperatorYaml['notifiers'][string];

export interface OperatorConfig {
  /** Absolute path of the file; relative paths of secrets are relative to its folder. */
  readonly path: string;
  readonly api: { readonly address: ListenAddress; readonly tokens: readonly ApiToken[] };
  readonly prometheus: {
    readonly url: string;
    readonly timeoutMs: number;
    /** Between two evaluations of a query. */
    readonly intervalMs: number;
    /** Between two scrapes; null: as the samples show. */
    readonly scrapeIntervalMs: number | null;
    readonly bearerToken: Secret | null;
  } | null;
  readonly notifiers: Readonly<Record<string, NotifierConfig>>;
}
