/**
 * `rollout lint`: checks the files and folders that the user names, telling by its keys what each file is.
 * Works offline; reads files, contacts nothing.
 * @module
 */

import { dirname, join, resolve } from 'node:path';
import type { Diagnostic } from './diagnostic.ts';
import { closest } from './edit-distance.ts';
import { type ConfigFile, compareDiagnostics } from './findings.ts';
import { gatewaySchema } from './gateway-schema.ts';
import { OPERATOR_FILE } from './load-project.ts';
import { defaultOperatorConfig } from './operator-config.ts';
import { operatorSchema } from './operator-schema.ts';
import { loadProjectFiles } from './project.ts';
import { isFolder, listYamlFiles, readConfigFile } from './read-config.ts';
import { rolloutSchema } from './rollout-schema.ts';
import { parseYaml } from './yaml-source.ts';

export type FileKind = 'gateway' | 'operator' | 'rollout';

export interface LintResult {
  readonly files: readonly { readonly name: string; readonly kind: FileKind | null }[];
  readonly diagnostics: readonly Diagnostic[];
  readonly sources: Readonly<Record<string, string>>;
}

export interface LintOptions {
  /** Gateway file that rollouts are checked against when `paths` has none; not linted itself. */
  readonly gatewayPath: string;
}

const SHAPES: readonly (readonly [FileKind, readonly string[]])[] = [
  ['rollout', Object.keys(rolloutSchema.shape)],
  ['operator', Object.keys(operatorSchema.shape)],
  ['gateway', Object.keys(gatewaySchema.shape)],
];

/** Folders stand for the YAML files directly in them. Never throws. */
export function lintPaths(paths: readonly string[], options: LintOptions): LintResult {
  const diagnostics: Diagnostic[] = [];
  const sources: Record<string, string> = {};
  const byKind: Record<FileKind, ConfigFile[]> = { gateway: [], operator: [], rollout: [] };
  const files: { name: string; kind: FileKind | null }[] = [];

  for (const name of expandFolders(paths, diagnostics)) {
    const read = readConfigFile(name);
    if (!read.ok) {
      diagnostics.push(read.diagnostic);
      continue;
    }
    sources[name] = read.file.text;
    const source = parseYaml(read.file);
    const kind = detectKind(source.value);
    files.push({ name, kind });
    if (kind) {
      byKind[kind].push(read.file);
      continue;
    }
    if (source.value !== undefined) {
      const message = 'cannot tell what this file is: expected a rollout, an operator or a gateway file';
      source.findings.error(
        source.valueRange([]),
        message,
        'they start with rollout:, operator: and listeners:',
      );
    }
    diagnostics.push(...source.findings.list());
  }
  diagnostics.push(...lintTogether(byKind, options));
  return { files, diagnostics: diagnostics.sort(compareDiagnostics), sources };
}

function lintTogether(
  byKind: Readonly<Record<FileKind, readonly ConfigFile[]>>,
  options: LintOptions,
): Diagnostic[] {
  const firstRollout = byKind.rollout[0];
  const gateway = byKind.gateway[0] ?? context(options.gatewayPath);
  const operatorPath = firstRollout ? join(dirname(firstRollout.absolutePath), OPERATOR_FILE) : null;
  const operator = byKind.operator[0] ?? (operatorPath ? context(operatorPath) : null);
  const asked = new Set(Object.values(byKind).flat());
  const together = loadProjectFiles({
    gateway,
    operator,
    operatorDefault: operatorPath ? defaultOperatorConfig(resolve(operatorPath)) : null,
    rollouts: byKind.rollout,
    namedFiles: true,
  });
  const names = new Set([...asked].map((file) => file.name));
  const others = [...byKind.gateway.slice(1), ...byKind.operator.slice(1)].flatMap((file) => {
    const isGateway = byKind.gateway.includes(file);
    const alone = { gateway: isGateway ? file : null, operator: isGateway ? null : file };
    return loadProjectFiles({ ...alone, operatorDefault: null, rollouts: [], namedFiles: true }).diagnostics;
  });
  return [...together.diagnostics.filter((diagnostic) => names.has(diagnostic.file)), ...others];
}

/** A file that others are checked against, when it is there and readable. */
function context(path: string): ConfigFile | null {
  const read = readConfigFile(path);
  return read.ok ? read.file : null;
}

function expandFolders(paths: readonly string[], diagnostics: Diagnostic[]): readonly string[] {
  const names = paths.flatMap((path) => {
    if (!isFolder(path)) return [path];
    const listed = listYamlFiles(path);
    if (listed.ok) return listed.names;
    diagnostics.push(listed.diagnostic);
    return [];
  });
  return [...new Set(names)];
}

/** By the keys at the top, allowing for typing errors; null when none is known. */
export function detectKind(value: unknown): FileKind | null {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return null;
  const keys = Object.keys(value);
  if (keys.includes('rollout')) return 'rollout';
  if (keys.includes('operator')) return 'operator';
  if (keys.some((key) => key === 'routes' || key === 'services' || key === 'listeners')) return 'gateway';
  let best: FileKind | null = null;
  let bestCount = 0;
  for (const [kind, known] of SHAPES) {
    const count = keys.filter((key) => closest(key, known) !== undefined).length;
    if (count > bestCount) {
      best = kind;
      bestCount = count;
    }
  }
  return best;
}
