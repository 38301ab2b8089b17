/**
 * Errors on the wire: SluiceError and the HTTP server's own errors as problem details (RFC 9457).
 * Knows no route, and leaks nothing of an unexpected error but its request id.
 * @module
 */

import { ERRORS, type ErrorCode, SluiceError } from '../core/domain/errors.ts';

export const PROBLEM_TYPE = 'application/problem+json; charset=utf-8';

/** RFC 9457 members, then our own. `code` is what clients match on. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail?: string;
  readonly hint?: string;
  readonly code: ErrorCode;
  readonly data: Readonly<Record<string, unknown>>;
  readonly request_id: string;
}

/** Any thrown value → the problem to answer with. Unknown ones become INTERNAL without their text. */
export function toProblem(error: unknown, requestId: string): Problem {
  if (error instanceof SluiceError) return problemOf(error, error.status, requestId);
  const client = clientError(error);
  if (client) {
    return problemOf(new SluiceError('BAD_REQUEST', { detail: client.message }), client.status, requestId);
  }
  const hint = 'The log of the operator has the particulars under this request id.';
  return problemOf(new SluiceError('INTERNAL', { hint }), ERRORS.INTERNAL.status, requestId);
}

function problemOf(error: SluiceError, status: number, requestId: string): Problem {
  return {
    type: `urn:sluice:problem:${error.code.toLowerCase().replaceAll('_', '-')}`,
    title: ERRORS[error.code].title,
    status,
    ...(error.detail === undefined ? {} : { detail: error.detail }),
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    code: error.code,
    data: error.data,
    request_id: requestId,
  };
}

/** The HTTP server's own refusals (body too large, not JSON …) carry a 4xx `statusCode` and a fit message. */
function clientError(error: unknown): { status: number; message: string } | undefined {
  if (!(error instanceof Error) || !('statusCode' in error)) return undefined;
  const { statusCode } = error;
  if (typeof statusCode !== 'number' || statusCode < 400 || statusCode > 499) return undefined;
  return { status: statusCode, message: error.message };
}
