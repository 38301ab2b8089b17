/**
 * What each request and response field is to a proxy: passed on, dropped, or read by a stage. One table, looked
 * up once per field. Knows names only, never values.
 * @module
 */

export const KIND = {
  plain: 0,
  /** Hop-by-hop (RFC 9110 §7.6.1), or forged under a name that only a proxy may set. */
  drop: 1,
  host: 2,
  contentLength: 3,
  transferEncoding: 4,
  connection: 5,
  expect: 6,
  authorization: 7,
  requestId: 8,
  traceparent: 9,
  tracestate: 10,
  forwardedFor: 11,
  forwardedProto: 12,
  forwardedHost: 13,
  forwarded: 14,
  /** Passed on from a trusted proxy only. */
  identity: 15,
  contentType: 16,
} as const;

export type Kind = (typeof KIND)[keyof typeof KIND];

const REQUEST_KINDS: Readonly<Record<string, Kind>> = {
  host: KIND.host,
  'content-length': KIND.contentLength,
  'transfer-encoding': KIND.transferEncoding,
  connection: KIND.connection,
  expect: KIND.expect,
  'content-type': KIND.contentType,
  authorization: KIND.authorization,
  'x-request-id': KIND.requestId,
  traceparent: KIND.traceparent,
  tracestate: KIND.tracestate,
  'x-forwarded-for': KIND.forwardedFor,
  'x-forwarded-proto': KIND.forwardedProto,
  'x-forwarded-host': KIND.forwardedHost,
  forwarded: KIND.forwarded,
  'x-real-ip': KIND.identity,
  'x-sluice-mirror': KIND.identity,
  'keep-alive': KIND.drop,
  te: KIND.drop,
  trailer: KIND.drop,
  upgrade: KIND.drop,
  'http2-settings': KIND.drop,
};

const RESPONSE_KINDS: Readonly<Record<string, Kind>> = {
  'content-length': KIND.contentLength,
  'transfer-encoding': KIND.transferEncoding,
  connection: KIND.connection,
  'x-request-id': KIND.requestId,
  'keep-alive': KIND.drop,
  te: KIND.drop,
  trailer: KIND.drop,
  upgrade: KIND.drop,
  // HTTP/2 has no place for it, and Node throws.
  'http2-settings': KIND.drop,
};

/** Fields that a Connection field must not remove: framing, routing and identity (CVE-2026-33805). */
const NEVER_NOMINATED =
  /^(?:host|authorization|cookie|content-.*|transfer-encoding|x-forwarded-.*|forwarded|x-real-ip|(?:x-)?client-cert.*|x-request-id|x-consumer-.*|traceparent|tracestate|via)$/;
const PROXY_FIELD = /^(?:proxy-|x-consumer-)/;
/**
 * Who or what the client is, or was asked for, as proxies tell it. Clients must not: the rest of X-Forwarded-*, certificates,
 * CGI's Remote-*, and the targets that IIS and some frameworks put in the place of the request's.
 */
const IDENTITY_FIELD =
  /^(?:x-forwarded-.+|(?:x-)?client-cert(?:-.+)?|(?:x-)?ssl-client-.+|remote-(?:addr|host|ident|user|groups|name|email)|x-remote-.+|x-original-(?:url|uri|host|method)|x-rewrite-url|x-authenticated-.+|x-auth-request-.+)$/;
const PROXY_RESPONSE_FIELD = /^proxy-(?!status$|authenticate$)/;

/** Names seen so far, so that most look-ups are one hash of the name as sent. Bounded: clients choose names. */
const MAX_REMEMBERED = 1_024;
const requestKinds = new Map<string, Kind>();
const responseKinds = new Map<string, Kind>();

/** Kind of a request field, whatever its case. */
export function requestKind(name: string): Kind {
  return requestKinds.get(name) ?? remember(requestKinds, name, classifyRequest(name.toLowerCase()));
}

/** Kind of a response field, whatever its case. */
export function responseKind(name: string): Kind {
  return responseKinds.get(name) ?? remember(responseKinds, name, classifyResponse(name.toLowerCase()));
}

/** Whether a Connection field may name this field (lower case), which removes it. */
export function mayBeNominated(name: string): boolean {
  return !NEVER_NOMINATED.test(name);
}

function remember(kinds: Map<string, Kind>, name: string, kind: Kind): Kind {
  if (kinds.size < MAX_REMEMBERED) kinds.set(name, kind);
  return kind;
}

function classifyRequest(name: string): Kind {
  if (Object.hasOwn(REQUEST_KINDS, name)) return REQUEST_KINDS[name] ?? KIND.plain;
  if (PROXY_FIELD.test(name)) return KIND.drop;
  if (IDENTITY_FIELD.test(name)) return KIND.identity;
  // Many servers read X_Forwarded_For as X-Forwarded-For: a twin of a field with a meaning here is a forgery.
  return name.includes('_') && classifyRequest(name.replaceAll('_', '-')) !== KIND.plain
    ? KIND.drop
    : KIND.plain;
}

function classifyResponse(name: string): Kind {
  if (Object.hasOwn(RESPONSE_KINDS, name)) return RESPONSE_KINDS[name] ?? KIND.plain;
  return PROXY_RESPONSE_FIELD.test(name) ? KIND.drop : KIND.plain;
}
