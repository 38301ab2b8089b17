/**
 * Loads the project on disk: the gateway's file and a folder of rollouts with the operator's file.
 * Knows where files are; what is in them is the loaders' business.
 * @module
 */

import { join, resolve } from 'node:path';
import type { Plan } from '../core/domain/plan.ts';
import type { Diagnostic, LoadResult } from './diagnostic.ts';
import { type ConfigFile, compareDiagnostics } from './findings.ts';
import type { GatewayConfig } from './gateway-model.ts';
import { defaultOperatorConfig } from './operator-config.ts';
import type { OperatorConfig } from './operator-model.ts';
import { loadProjectFiles, type ProjectParts } from './project.ts';
import { listYamlFiles, readConfigFile } from './read-config.ts';

export const OPERATOR_FILE = 'operator.yaml';

export interface ProjectPaths {
  /** Such as `proxy/gateway.yaml`. */
  readonly gatewayPath: string;
  /** Such as `rollouts`; its `operator.yaml` is optional, every other YAML file is a rollout. */
  readonly rolloutsDir: string;
}

export interface Project {
  readonly gateway: GatewayConfig;
  readonly operator: OperatorConfig;
  /** By rollout name. */
  readonly plans: Readonly<Record<string, Plan>>;
}

export interface LoadedProject extends LoadResult<Project> {
  /** What is sound even when the project as a whole is not. */
  readonly parts: ProjectParts;
}

/** Reads and checks everything. Never throws; unreadable files are diagnostics at 1:1. */
export function loadProject({ gatewayPath, rolloutsDir }: ProjectPaths): LoadedProject {
  const unreadable: Diagnostic[] = [];
  const read = (name: string, optional: boolean): ConfigFile | null => {
    const result = readConfigFile(name);
    if (result.ok) return result.file;
    if (!optional || !result.missing) unreadable.push(result.diagnostic);
    return null;
  };
  const operatorPath = join(rolloutsDir, OPERATOR_FILE);
  const listed = listYamlFiles(rolloutsDir);
  if (!listed.ok) unreadable.push(listed.diagnostic);
  const names = listed.ok ? listed.names.filter((name) => name !== operatorPath) : [];
  const parts = loadProjectFiles({
    gateway: read(gatewayPath, false),
    operator: read(operatorPath, true),
    operatorDefault: defaultOperatorConfig(resolve(operatorPath)),
    rollouts: names.flatMap((name) => read(name, false) ?? []),
  });
  const diagnostics = [...unreadable, ...parts.diagnostics].sort(compareDiagnostics);
  const { gateway, operator, plans, sources } = parts;
  const broken = diagnostics.some((diagnostic) => diagnostic.severity === 'error');
  const value = !broken && gateway && operator ? { gateway, operator, plans } : null;
  return { value, diagnostics, sources, parts };
}
