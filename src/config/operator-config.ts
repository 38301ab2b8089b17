/**
 * Loads the text of `rollouts/operator.yaml` to an {@link OperatorConfig}, or to findings with their places.
 * Owns the defaults; reads no file and no secret.
 * @module
 */

import type { LoadResult } from './diagnostic.ts';
import type { ConfigFile } from './findings.ts';
import type { OperatorConfig } from './operator-model.ts';
import { type OperatorYaml, operatorSchema } from './operator-schema.ts';
import { checkIsMap, checkSchema } from './schema-check.ts';
import { parseYaml, type YamlSource } from './yaml-source.ts';

const DEFAULT_ADDRESS = { host: '127.0.0.1', port: 7070 } as const;
const DEFAULT_TIMEOUT_MS = 5000;
const DEFAULT_INTERVAL_MS = 10_000;

/** What an operator without a file runs on. `path` tells where the file would be. */
export function defaultOperatorConfig(path: string): OperatorConfig {
  return completeOperator(path, { notifiers: {} });
}

/** Pure: the same text gives the same result. */
export function loadOperatorConfig(file: ConfigFile): LoadResult<OperatorConfig> {
  const source = parseYaml(file);
  const sources = { [file.name]: file.text };
  const yaml = checkIsMap(source, 'operator') ? checkSchema(source, operatorSchema) : undefined;
  if (yaml) checkTokenNames(source, yaml.operator);
  const value =
    yaml && !source.findings.hasErrors() ? completeOperator(file.absolutePath, yaml.operator) : null;
  return { value, diagnostics: source.findings.list(), sources };
}

function completeOperator(path: string, yaml: OperatorYaml): OperatorConfig {
  const { prometheus } = yaml;
  return {
    path,
    api: { address: yaml.api?.address ?? DEFAULT_ADDRESS, tokens: yaml.api?.tokens ?? [] },
    prometheus: prometheus
      ? {
          url: prometheus.url,
          timeoutMs: prometheus.timeout ?? DEFAULT_TIMEOUT_MS,
          intervalMs: prometheus.interval ?? DEFAULT_INTERVAL_MS,
          scrapeIntervalMs: prometheus.scrapeInterval ?? null,
          bearerToken: prometheus.bearerToken ?? null,
        }
      : null,
    notifiers: yaml.notifiers,
  };
}

/** The audit trail names people by their token. */
function checkTokenNames(source: YamlSource, yaml: OperatorYaml): void {
  const seen = new Map<string, number>();
  for (const [index, token] of (yaml.api?.tokens ?? []).entries()) {
    const earlier = seen.get(token.name);
    if (earlier === undefined) {
      seen.set(token.name, index);
    } else {
      const place = source.valueRange(['operator', 'api', 'tokens', index, 'name']);
      source.findings.error(
        place,
        `tokens[${earlier}] is already called "${token.name}"`,
        'the audit trail tells tokens apart by name',
      );
    }
  }
}
