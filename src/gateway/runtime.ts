/**
 * What all requests of one gateway share. Wiring only: built by `gateway.ts`, read by the stages.
 * @module
 */

import type { Clock } from '../ports/clock.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { AccessLog } from './access-log.ts';
import type { DeadlineWheel } from './deadlines.ts';
import type { Exchange } from './exchange.ts';
import type { GatewayMetrics } from './metrics.ts';
import type { Snapshot } from './snapshot.ts';

export interface Runtime {
  /** Swapped whole on reload; an exchange keeps the one that it began with. */
  snapshot: Snapshot;
  /** True from the first moment of draining: every response then closes its connection. */
  draining: boolean;
  readonly wheel: DeadlineWheel;
  readonly accessLog: AccessLog;
  readonly metrics: GatewayMetrics;
  readonly clock: Clock;
  readonly monotonicMs: () => number;
  readonly logger: Logger;
  readonly runStages: (exchange: Exchange) => void;
  /** The exchange is over: counts it out. */
  readonly onRecorded: (exchange: Exchange) => void;
}
