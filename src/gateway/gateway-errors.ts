/**
 * Every answer that the gateway itself gives instead of an upstream: code, status and title (RFC 9457).
 * Codes are stable and also stand in the access log; knows neither requests nor sockets.
 * @module
 */

/** `close`: the connection cannot be trusted to be in step, or has a body that will not be read. */
export interface GatewayErrorKind {
  readonly status: number;
  readonly title: string;
  readonly close: boolean;
}

export const GATEWAY_ERRORS = {
  MALFORMED_REQUEST: { status: 400, title: 'The request is not well-formed HTTP', close: true },
  BAD_FRAMING: { status: 400, title: 'The framing of the request body is ambiguous', close: true },
  BAD_HOST: { status: 400, title: 'The Host field is missing, repeated or malformed', close: true },
  BAD_PATH: { status: 400, title: 'The request path is not in a form that is accepted', close: false },
  UNREWRITABLE_PATH: {
    status: 400,
    title: 'The request path cannot be rewritten to one that is accepted',
    close: false,
  },
  MALFORMED_BODY: {
    status: 400,
    title: 'The request body cannot be read as what it says it is',
    close: false,
  },
  UNSUPPORTED_BODY: {
    status: 415,
    title: 'The request body is in a coding or form that is not read here',
    close: false,
  },
  BAD_CONNECTION_FIELD: {
    status: 400,
    title: 'The Connection field names a field that is not hop-by-hop',
    close: true,
  },
  DUPLICATE_CONTENT_TYPE: { status: 400, title: 'There is more than one Content-Type field', close: false },
  DUPLICATE_AUTHORIZATION: { status: 400, title: 'There is more than one Authorization field', close: false },
  BAD_VERSION: { status: 505, title: 'Only HTTP/1.0 and HTTP/1.1 are spoken here', close: true },
  REQUEST_TIMEOUT: { status: 408, title: 'The request was not sent in time', close: true },
  HEADERS_TOO_LARGE: { status: 431, title: 'The request fields are too large or too many', close: true },
  BODY_TOO_LARGE: { status: 413, title: 'The request body is larger than this route accepts', close: true },
  EXPECTATION_FAILED: { status: 417, title: 'Only 100-continue can be expected', close: false },
  UPGRADE_REFUSED: { status: 501, title: 'This change of protocols is not accepted here', close: true },
  CLIENT_CERTIFICATE_REFUSED: {
    status: 403,
    title: 'The client certificate is not one that is accepted here',
    close: true,
  },
  ADDRESS_REFUSED: { status: 403, title: 'Clients from this address are not let in', close: false },
  BOT_REFUSED: { status: 403, title: 'Clients of this kind are not let in', close: false },
  METHOD_NOT_IMPLEMENTED: { status: 501, title: 'This method is not supported on any route', close: true },
  URI_TOO_LONG: { status: 414, title: 'The request target is too long', close: true },
  ROUTE_UNKNOWN: { status: 404, title: 'No route matches this request', close: false },
  GONE: { status: 410, title: 'This version is no longer served', close: false },
  METHOD_NOT_ALLOWED: { status: 405, title: 'The route does not accept this method', close: false },
  TOKEN_MISSING: { status: 401, title: 'A token or key is required', close: false },
  TOKEN_INVALID: { status: 401, title: 'The token or key is not valid', close: false },
  TOKEN_MALFORMED: { status: 400, title: 'The credential is not well-formed', close: false },
  INTROSPECTION_UNAVAILABLE: { status: 503, title: 'Tokens cannot be checked now', close: false },
  SCOPE_INSUFFICIENT: { status: 403, title: 'The token lacks a scope that is needed here', close: false },
  CLAIM_REFUSED: { status: 403, title: 'The token does not entitle to this', close: false },
  KEYS_UNAVAILABLE: { status: 503, title: 'The keys that verify tokens cannot be read now', close: false },
  RATE_LIMITED: { status: 429, title: 'There are more requests than are allowed', close: false },
  QUOTA_EXCEEDED: { status: 429, title: 'The quota of this period is used up', close: false },
  TOO_MANY_AT_ONCE: { status: 503, title: 'There are too many requests under way', close: false },
  IDEMPOTENCY_KEY_MISSING: { status: 400, title: 'This route requires an Idempotency-Key', close: false },
  IDEMPOTENCY_KEY_INVALID: { status: 400, title: 'The Idempotency-Key is not well-formed', close: false },
  IDEMPOTENCY_IN_FLIGHT: {
    status: 409,
    title: 'A request with this Idempotency-Key is under way',
    close: false,
  },
  IDEMPOTENCY_ANSWER_NOT_KEPT: {
    status: 409,
    title: 'The request with this Idempotency-Key was carried out; its answer was too large to keep',
    close: false,
  },
  IDEMPOTENCY_KEY_REUSED: {
    status: 422,
    title: 'This Idempotency-Key belongs to another request',
    close: false,
  },
  IDEMPOTENCY_UNAVAILABLE: { status: 503, title: 'Idempotency keys cannot be checked now', close: false },
  LIMITS_UNAVAILABLE: { status: 503, title: 'The limits of this route cannot be checked now', close: false },
  UPSTREAM_CONNECT: { status: 502, title: 'The upstream cannot be reached', close: false },
  UPSTREAM_TLS: { status: 502, title: 'There is no trusted connection to the upstream', close: false },
  UPSTREAM_RESET: { status: 502, title: 'The upstream broke off before it answered', close: false },
  UPSTREAM_BAD_RESPONSE: {
    status: 502,
    title: 'The answer of the upstream cannot be passed on',
    close: false,
  },
  RESPONSE_UNREADABLE: {
    status: 502,
    title: 'The answer of the upstream cannot be brought into the form that this route promises',
    close: false,
  },
  BREAKER_OPEN: {
    status: 503,
    title: 'The service is failing and gets a moment to recover; try again later',
    close: false,
  },
  UPSTREAM_FAILING: {
    status: 503,
    title: 'The service has failed those who asked for the same before; try again later',
    close: false,
  },
  OVERLOADED: {
    status: 503,
    title: 'The service has as many requests as it can answer; try again later',
    close: false,
  },
  NO_ENDPOINT: { status: 503, title: 'The service has no endpoint at the moment', close: false },
  UPSTREAM_TIMEOUT: { status: 504, title: 'The upstream did not answer in time', close: false },
  NOT_CACHED: { status: 504, title: 'There is no stored response, and only one was asked for', close: false },
  /** Only in the access log: the client was gone, too slow or too fast, or the response broke off half-way. */
  CLIENT_ABORTED: { status: 499, title: 'The client went away', close: true },
  TOO_MANY_WAITING: {
    status: 429,
    title: 'Too many requests wait for earlier ones on this connection',
    close: true,
  },
  CLIENT_TOO_SLOW: { status: 499, title: 'The client took its response too slowly', close: true },
  RESPONSE_BROKEN_OFF: {
    status: 502,
    title: 'The upstream broke off in the middle of its answer',
    close: true,
  },
  INTERNAL: { status: 500, title: 'Something went wrong inside the gateway', close: true },
} as const satisfies Record<string, GatewayErrorKind>;

export type GatewayErrorCode = keyof typeof GATEWAY_ERRORS;

/** The client may have got a part of an answer, and the rest is missing through no doing of its own. */
export function isBrokenOff(code: GatewayErrorCode | ''): boolean {
  return code === 'RESPONSE_BROKEN_OFF' || code === 'RESPONSE_UNREADABLE';
}
