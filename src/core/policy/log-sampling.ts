/**
 * Which requests get a line in the access log when not all do. Pure: the chance is an argument.
 * @module
 */

export interface LogRules {
  /** Share of the requests that are logged, 0 to 1. */
  readonly share: number;
  /** Failed requests are logged, whatever the share. */
  readonly errors: boolean;
  /** Requests that take this long are logged, whatever the share, milliseconds. Null: no such rule. */
  readonly slowMs: number | null;
  /** Names of fields of a line whose values are left out. */
  readonly redacted: ReadonlySet<string>;
}

/**
 * How many requests the line stands for, so that sums over lines come out right: 1 when it was to be logged anyway,
 * 1 / share when it was drawn; 0: no line. `chance`: uniform in [0, 1).
 */
export function lineWeight(
  { share, errors, slowMs }: LogRules,
  request: { readonly failed: boolean; readonly durationMs: number },
  chance: number,
): number {
  if (share >= 1) return 1;
  if (errors && request.failed) return 1;
  if (slowMs !== null && request.durationMs >= slowMs) return 1;
  return chance < share ? 1 / share : 0;
}
