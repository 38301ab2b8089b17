/**
 * Loads a whole project (gateway, operator, rollouts) from texts, checking its files against each other.
 * Knows the loaders; reads no file.
 * @module
 */

import type { Plan } from '../core/domain/plan.ts';
import type { Diagnostic, LoadResult } from './diagnostic.ts';
import { type ConfigFile, compareDiagnostics } from './findings.ts';
import { loadGatewayConfig } from './gateway-config.ts';
import type { GatewayConfig } from './gateway-model.ts';
import { loadOperatorConfig } from './operator-config.ts';
import type { OperatorConfig } from './operator-model.ts';
import { loadRolloutPlan } from './rollout-config.ts';
import { parseYaml } from './yaml-source.ts';

export interface ProjectFiles {
  /** Null: unknown, so rollouts are not checked against it. */
  readonly gateway: ConfigFile | null;
  readonly operator: ConfigFile | null;
  /** Used in place of `operator` when there is no such file. Null: unknown. */
  readonly operatorDefault: OperatorConfig | null;
  readonly rollouts: readonly ConfigFile[];
  /** The files that the gateway's file names are read and checked too. */
  readonly namedFiles?: boolean;
}

/** Whatever is sound by itself: a broken rollout does not hide the others. */
export interface ProjectParts {
  readonly gateway: GatewayConfig | null;
  readonly operator: OperatorConfig | null;
  /** By rollout name. */
  readonly plans: Readonly<Record<string, Plan>>;
  readonly diagnostics: readonly Diagnostic[];
  readonly sources: Readonly<Record<string, string>>;
}

/** Pure unless named files are to be read. */
export function loadProjectFiles(files: ProjectFiles): ProjectParts {
  const results: LoadResult<unknown>[] = [];
  const gateway =
    files.gateway && loadGatewayConfig(files.gateway, { namedFiles: files.namedFiles ?? false });
  const operator = files.operator && loadOperatorConfig(files.operator);
  if (gateway) results.push(gateway);
  if (operator) results.push(operator);
  const operatorConfig = operator ? operator.value : files.operatorDefault;

  const plans: Record<string, Plan> = {};
  const owners = new Map<string, string>();
  const duplicates: Diagnostic[] = [];
  for (const file of files.rollouts) {
    const result = loadRolloutPlan(file, gateway?.value ?? null, operatorConfig);
    results.push(result);
    const plan = result.value;
    if (!plan) continue;
    const owner = owners.get(plan.rollout);
    if (owner !== undefined) {
      duplicates.push(...duplicateName(file, plan.rollout, owner));
    } else {
      owners.set(plan.rollout, file.name);
      plans[plan.rollout] = plan;
    }
  }
  return {
    gateway: gateway?.value ?? null,
    operator: operatorConfig,
    plans,
    diagnostics: [...results.flatMap((result) => result.diagnostics), ...duplicates].sort(compareDiagnostics),
    sources: Object.assign({}, ...results.map((result) => result.sources)),
  };
}

function duplicateName(file: ConfigFile, rollout: string, owner: string): readonly Diagnostic[] {
  const { findings, valueRange } = parseYaml(file);
  findings.error(
    valueRange(['rollout']),
    `${owner} already has a rollout called "${rollout}"`,
    'give each its own name',
  );
  return findings.list();
}
