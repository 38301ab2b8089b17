/**
 * Plans for verbs that work without an operator: from a file alone, or as a project declares them. Knows no verb.
 * @module
 */

import { SluiceError } from '../core/domain/errors.ts';
import type { Plan } from '../core/domain/plan.ts';

/** Checked by itself: versions, notifiers and Prometheus are another matter. Throws CONFIG_INVALID. */
export async function planIn(path: string): Promise<Plan> {
  const { readConfigFile } = await import('../config/read-config.ts');
  const { loadRolloutPlan } = await import('../config/rollout-config.ts');
  const read = readConfigFile(path);
  if (!read.ok)
    throw new SluiceError('CONFIG_INVALID', { detail: path, data: { diagnostics: [read.diagnostic] } });
  const { value, diagnostics, sources } = loadRolloutPlan(read.file, null, null);
  if (value) return value;
  throw new SluiceError('CONFIG_INVALID', { detail: path, data: { diagnostics, sources } });
}

/** Throws CONFIG_INVALID and ROLLOUT_UNKNOWN. */
export async function declaredPlan(
  name: string,
  { gateway, rollouts }: { readonly gateway: string; readonly rollouts: string },
): Promise<Plan> {
  const { loadProject } = await import('../config/load-project.ts');
  const { parts, diagnostics, sources } = loadProject({ gatewayPath: gateway, rolloutsDir: rollouts });
  const found = Object.hasOwn(parts.plans, name) ? parts.plans[name] : undefined;
  if (found) return found;
  if (diagnostics.some(({ severity }) => severity === 'error')) {
    throw new SluiceError('CONFIG_INVALID', { detail: name, data: { diagnostics, sources } });
  }
  const known = Object.keys(parts.plans).join(', ');
  throw new SluiceError('ROLLOUT_UNKNOWN', {
    detail: `"${name}" is not declared in ${rollouts}`,
    hint: known === '' ? 'None is declared there.' : `Declared are: ${known}`,
  });
}
