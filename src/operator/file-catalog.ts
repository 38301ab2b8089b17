/**
 * The plan catalog over the YAML files of a project, read afresh whenever it is asked: an edited file counts
 * from the next start on, and never changes a run under way.
 * @module
 */

import { resolve } from 'node:path';
import type { LoadResult } from '../config/diagnostic.ts';
import { suggestion } from '../config/edit-distance.ts';
import { loadProject, type ProjectPaths } from '../config/load-project.ts';
import { loadRolloutPlan } from '../config/rollout-config.ts';
import { SluiceError } from '../core/domain/errors.ts';
import type { Plan } from '../core/domain/plan.ts';
import type { PlanCatalog } from '../ports/plan-catalog.ts';

export function createFileCatalog(paths: ProjectPaths): PlanCatalog {
  return {
    async plans() {
      return Object.values(loadProject(paths).parts.plans);
    },
    async plan(rollout) {
      const { parts, diagnostics, sources } = loadProject(paths);
      const plan = parts.plans[rollout];
      if (plan) return plan;
      const own = diagnostics.filter(
        ({ file, severity }) => severity === 'error' && file.endsWith(`${rollout}.yaml`),
      );
      if (own.length > 0) throw invalid({ diagnostics: own, sources });
      const names = Object.keys(parts.plans);
      throw new SluiceError('ROLLOUT_UNKNOWN', {
        detail: `"${rollout}" is not declared in ${paths.rolloutsDir}`,
        hint: suggestion(rollout, names) ?? `Declare it in ${paths.rolloutsDir}/${rollout}.yaml.`,
      });
    },
    async compile(file, text) {
      const { parts } = loadProject(paths);
      const result = loadRolloutPlan(
        { name: file, text, absolutePath: resolve(file) },
        parts.gateway,
        parts.operator,
      );
      if (result.value) return result.value;
      throw invalid(result);
    },
    async defaultVersion(service) {
      return loadProject(paths).parts.gateway?.services[service]?.defaultVersion ?? null;
    },
  };
}

function invalid({ diagnostics, sources }: Pick<LoadResult<Plan>, 'diagnostics' | 'sources'>): SluiceError {
  const errors = diagnostics.filter((diagnostic) => diagnostic.severity === 'error');
  const first = errors[0];
  return new SluiceError('CONFIG_INVALID', {
    detail: first ? `${first.file}:${first.line}:${first.column}: ${first.message}` : 'no plan',
    data: { diagnostics, sources },
  });
}
