/**
 * What is known of an endpoint in its role for one version: load, health, ejections. Written by attempts, health
 * checks and the outlier watch, read by the balancer; outlives configurations. Knows no sockets.
 * @module
 */

/** Times are monotonic milliseconds. */
export class TargetState {
  /** Attempts under way. */
  inFlight = 0;
  /** By its health checks; true until they say otherwise. */
  healthy = true;
  /** Came to a version that has others, and no health check has found it well yet: it waits outside. */
  joining = false;
  /** Health checks of either result in a row, and in all. */
  probesOkInARow = 0;
  probesFailedInARow = 0;
  probesOk = 0;
  probesFailed = 0;
  /** Out of rotation until then, for failing attempts. */
  ejectedUntilMs = Number.NEGATIVE_INFINITY;
  failuresInARow = 0;
  /** Ejections without a long time in rotation between them, and in all. */
  ejectionsInARow = 0;
  ejections = 0;
  /** When it last came (back) into rotation; its share rises from then on. */
  admittedAtMs: number;

  constructor(admittedAtMs = Number.NEGATIVE_INFINITY) {
    this.admittedAtMs = admittedAtMs;
  }
}

export interface BalanceTarget {
  /** Names it on the hash ring. */
  readonly id: string;
  /** Positive. */
  readonly weight: number;
  /** Empty: unknown. */
  readonly zone: string;
  /** From 0: used only when fewer than half of those with a lower number are well. */
  readonly priority: number;
  readonly state: TargetState;
}
