/**
 * Every error that Sluice reports to a person or a client: one class, one registry of codes.
 * Match on `code`, never on the text. Bugs and broken I/O stay ordinary exceptions.
 * @module
 */

/** Code → HTTP status of the control API, and the title that every report of it carries. */
export const ERRORS = {
  BAD_REQUEST: { status: 400, title: 'The request is not valid' },
  CONFIG_INVALID: { status: 422, title: 'The configuration is not valid' },
  UNAUTHENTICATED: { status: 401, title: 'A valid bearer token is needed' },
  FORBIDDEN: { status: 403, title: 'The role of this token does not allow this' },
  ROLLOUT_UNKNOWN: { status: 404, title: 'There is no such rollout' },
  RUN_UNKNOWN: { status: 404, title: 'This rollout has not been started yet' },
  NOT_FOUND: { status: 404, title: 'There is nothing at this address' },
  ALREADY_RUNNING: { status: 409, title: 'A rollout of this service is already running' },
  WRONG_PHASE: { status: 409, title: 'The rollout is not in a phase in which this can be done' },
  STEP_MOVED: { status: 409, title: 'The rollout has moved on since you looked' },
  BASELINE_MISMATCH: { status: 409, title: 'The service does not serve the baseline that the plan names' },
  OVER_BUDGET: { status: 409, title: 'At this traffic a bad release would cost more than the budget' },
  CONFLICT: { status: 409, title: 'Somebody else wrote first' },
  STALE_EPOCH: { status: 409, title: 'Another operator holds the lease of this service' },
  HELD_ELSEWHERE: { status: 503, title: 'Another operator looks after this service' },
  UNPUBLISHED: { status: 503, title: 'This is decided and recorded, but gateways have not been told yet' },
  UNAVAILABLE: { status: 503, title: 'A dependency of the operator is not available' },
  USAGE: { status: 400, title: 'The command line is not valid' },
  UNREACHABLE: { status: 503, title: 'The control API cannot be reached' },
  METRICS_UNAVAILABLE: { status: 503, title: 'Prometheus does not answer as it should' },
  NO_HISTORY: { status: 404, title: 'There is nothing to judge by' },
  START_FAILED: { status: 503, title: 'This process cannot start' },
  INTERNAL: { status: 500, title: 'Something went wrong inside Sluice' },
} as const satisfies Record<string, { status: number; title: string }>;

export type ErrorCode = keyof typeof ERRORS;

export interface ErrorOptions {
  /** What exactly happened, in one sentence. */
  readonly detail?: string;
  /** What to do next; shown on a line of its own. */
  readonly hint?: string;
  /** Machine-readable particulars, such as `{ expectedStep, actualStep }`. */
  readonly data?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

export class SluiceError extends Error {
  override readonly name = 'SluiceError';
  readonly code: ErrorCode;
  readonly detail: string | undefined;
  readonly hint: string | undefined;
  readonly data: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, options: ErrorOptions = {}) {
    super(options.detail ? `${ERRORS[code].title}: ${options.detail}` : ERRORS[code].title, {
      cause: options.cause,
    });
    this.code = code;
    this.detail = options.detail;
    this.hint = options.hint;
    this.data = options.data ?? {};
  }

  /** The same, saying first where it comes from, such as a flag. */
  from(place: string): SluiceError {
    const { code, detail, hint, data, cause } = this;
    const said = detail === undefined ? place : `${place}: ${detail}`;
    return new SluiceError(code, { detail: said, ...(hint !== undefined && { hint }), data, cause });
  }

  /** HTTP status that the control API answers with. */
  get status(): number {
    return ERRORS[this.code].status;
  }
}
