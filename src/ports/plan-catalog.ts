/**
 * The declared rollouts, as the operator reads them: compiled plans or the errors that the file has.
 * Implemented over files in `config`; knows no run.
 * @module
 */

import type { Plan } from '../core/domain/plan.ts';

export interface PlanCatalog {
  /** Every declared plan without errors, by name. */
  plans(): Promise<readonly Plan[]>;
  /** Throws ROLLOUT_UNKNOWN (with near names) or CONFIG_INVALID (with `data.diagnostics`). */
  plan(rollout: string): Promise<Plan>;
  /** Compiles a text that is not on file. Throws CONFIG_INVALID. */
  compile(file: string, text: string): Promise<Plan>;
  /** The version that gateways serve before any split is written; null when the service is not known. */
  defaultVersion(service: string): Promise<string | null>;
}
