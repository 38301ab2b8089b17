/**
 * What every part of the operator is given: the ports, the judge and a few figures. No behaviour.
 * @module
 */

import type { Judge, JudgeMemory } from '../core/analysis/judge.ts';
import type { Plan } from '../core/domain/plan.ts';
import type { Digest } from '../core/rollout/chain.ts';
import type { Backend } from '../ports/backend.ts';
import type { Clock } from '../ports/clock.ts';
import type { GateCaller } from '../ports/gate-caller.ts';
import type { MetricSource } from '../ports/metric-source.ts';
import type { Notifier } from '../ports/notifier.ts';
import type { PlanCatalog } from '../ports/plan-catalog.ts';
import type { Recordings } from '../ports/recordings.ts';
import type { Logger } from '../telemetry/logger.ts';

export interface OperatorContext {
  readonly backend: Backend;
  readonly catalog: PlanCatalog;
  readonly createJudge: (plan: Plan, memory: JudgeMemory) => Judge;
  /** Null when no Prometheus is configured. */
  readonly metrics: MetricSource | null;
  /** Between two questions to the metric source, milliseconds. */
  readonly metricsIntervalMs: number;
  /** Between two scrapes of the metric source, milliseconds; null: as its samples show. */
  readonly scrapeIntervalMs: number | null;
  /** Null: nothing is recorded. */
  readonly recordings: Recordings | null;
  readonly gates: GateCaller;
  readonly notifiers: readonly Notifier[];
  readonly clock: Clock;
  readonly digest: Digest;
  readonly logger: Logger;
  /** Unique name of this operator process: holder of leases. */
  readonly holder: string;
  /** Base URL of this operator's control API, for operators that do not hold a lease. */
  contact(): string;
  /** Between two ticks, milliseconds. */
  readonly tickMs: number;
}
