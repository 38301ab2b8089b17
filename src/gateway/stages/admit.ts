/**
 * Admits a request: one pass over its fields refuses what is ambiguous and sorts the rest into what stages read
 * and what the upstream gets. Knows the rules of HTTP messages, no routes.
 * @module
 */

import { DEFAULT_LISTENER_LIMITS } from '../../config/policies/listeners.ts';
import { isSoundAuthority, parseTarget } from '../../core/policy/request-target.ts';
import type { Exchange } from '../exchange.ts';
import { KIND, mayBeNominated, requestKind } from '../field-kinds.ts';
import { clientAddress, forwardedElement, readForwarded } from '../forwarded.ts';
import type { GatewayErrorCode } from '../gateway-errors.ts';
import { isPlainMethod } from '../known-methods.ts';
import { peerAddressOf } from '../listeners/proxy-protocol.ts';
import { replyProblem } from '../problem.ts';
import { admitUpgrade } from '../upgrade/upgrade-rules.ts';

/** What the pass over the fields finds; one object per pass, so that the loop only writes. */
interface Found {
  host: string | null;
  hosts: number;
  contentLength: string | null;
  transferEncoding: string | null;
  transferEncodings: number;
  connection: string;
  expect: string | null;
  authorizations: number;
  contentTypes: number;
  requestId: string;
  traceparent: string;
  traceparents: number;
  tracestate: string;
  forwardedFor: string;
  forwardedProto: string;
  forwardedHost: string;
  forwarded: string;
}

export function admit(exchange: Exchange): boolean {
  const { request } = exchange;
  exchange.method = request.method ?? '';
  if (request.httpVersionMajor !== 1 || request.httpVersionMinor > 1)
    return refuse(exchange, 'BAD_VERSION', '');
  // TRACE would send credentials back to whoever can make a client send it (RFC 9110 §9.3.8); CONNECT asks for a forward proxy.
  if (exchange.method === 'TRACE' || exchange.method === 'CONNECT' || !isPlainMethod(exchange.method))
    return refuse(exchange, 'METHOD_NOT_IMPLEMENTED', '');
  const raw = request.rawHeaders;
  const { maxHeaders, maxHeaderBytes, maxUriLength } = exchange.listener?.limits ?? DEFAULT_LISTENER_LIMITS;
  if (raw.length > 2 * maxHeaders) {
    return refuse(exchange, 'HEADERS_TOO_LARGE', `More than ${maxHeaders} fields.`);
  }
  if ((request.headBytes ?? 0) > maxHeaderBytes) {
    return refuse(exchange, 'HEADERS_TOO_LARGE', `More than ${maxHeaderBytes} bytes.`);
  }
  if ((request.url?.length ?? 0) > maxUriLength) {
    return refuse(exchange, 'URI_TOO_LONG', `The limit is ${maxUriLength} bytes.`);
  }
  const peer = peerAddressOf(request.socket);
  const trusted = exchange.snapshot.isTrusted(peer);
  const found = sortFields(exchange, raw, trusted);
  if (found.connection !== '' && !applyConnection(exchange, found.connection)) {
    return refuse(exchange, 'BAD_CONNECTION_FIELD', '');
  }
  if (found.authorizations > 1) return refuse(exchange, 'DUPLICATE_AUTHORIZATION', '');
  // Two readers would take different ones: rules on bodies must see what the upstream sees.
  if (found.contentTypes > 1) return refuse(exchange, 'DUPLICATE_CONTENT_TYPE', '');
  if (!checkFraming(exchange, found)) return refuse(exchange, 'BAD_FRAMING', '');
  if (found.expect !== null) {
    if (found.expect.toLowerCase() !== '100-continue') return refuse(exchange, 'EXPECTATION_FAILED', '');
    exchange.expectsContinue = exchange.bodyLength !== 0 && request.httpVersionMinor === 1;
  }
  if (found.hosts !== 1 || found.host === null || !isSoundAuthority(found.host)) {
    return refuse(exchange, 'BAD_HOST', '');
  }
  if (exchange.response.upgrade !== null && !admitUpgrade(exchange)) {
    return refuse(exchange, 'UPGRADE_REFUSED', '');
  }
  const target = parseTarget(request.url ?? '');
  if (target === undefined) return refuse(exchange, 'BAD_PATH', '');
  if (target.authority !== null && target.authority.toLowerCase() !== found.host.toLowerCase()) {
    return refuse(exchange, 'BAD_HOST', 'The authority of the request target is not the Host.');
  }
  exchange.path = target.path;
  exchange.query = target.query;
  exchange.authority = found.host;
  exchange.requestId = found.requestId;
  exchange.incomingTraceparent = found.traceparents === 1 ? found.traceparent : '';
  exchange.incomingTracestate = found.tracestate;
  if (trusted && found.forwarded !== '') believeForwarded(exchange, found);
  exchange.clientIp =
    trusted && found.forwardedFor !== ''
      ? clientAddress(peer, found.forwardedFor, exchange.snapshot.isTrusted)
      : peer;
  exchange.peerTrusted = trusted;
  addForwarded(exchange, found, peer, trusted);
  return true;
}

function refuse(exchange: Exchange, code: GatewayErrorCode, detail: string): false {
  replyProblem(exchange, code, detail);
  return false;
}

function sortFields(exchange: Exchange, raw: readonly string[], trusted: boolean): Found {
  const found: Found = {
    host: null,
    hosts: 0,
    contentLength: null,
    transferEncoding: null,
    transferEncodings: 0,
    connection: '',
    expect: null,
    authorizations: 0,
    contentTypes: 0,
    requestId: '',
    traceparent: '',
    traceparents: 0,
    tracestate: '',
    forwardedFor: '',
    forwardedProto: '',
    forwardedHost: '',
    forwarded: '',
  };
  const fields = exchange.upstreamFields;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] as string;
    const value = raw[i + 1] as string;
    const kind = requestKind(name);
    if (kind === KIND.plain || (kind === KIND.identity && trusted)) {
      fields.push(name, value);
    } else if (kind === KIND.authorization) {
      found.authorizations += 1;
      exchange.authorization = value;
      fields.push(name, value);
    } else if (kind === KIND.contentType) {
      found.contentTypes += 1;
      fields.push(name, value);
    } else {
      noteField(found, kind, value);
    }
  }
  return found;
}

/** The fields that are not passed on as they are. */
function noteField(found: Found, kind: number, value: string): void {
  switch (kind) {
    case KIND.host:
      found.hosts += 1;
      found.host = value;
      return;
    case KIND.contentLength:
      found.contentLength = value;
      return;
    case KIND.transferEncoding:
      found.transferEncodings += 1;
      found.transferEncoding = value;
      return;
    case KIND.connection:
      found.connection = joined(found.connection, value);
      return;
    case KIND.expect:
      found.expect = found.expect === null ? value : joined(found.expect, value);
      return;
    case KIND.requestId:
      found.requestId = value;
      return;
    case KIND.traceparent:
      found.traceparents += 1;
      found.traceparent = value;
      return;
    case KIND.tracestate:
      found.tracestate = joined(found.tracestate, value);
      return;
    case KIND.forwardedFor:
      found.forwardedFor = joined(found.forwardedFor, value);
      return;
    case KIND.forwardedProto:
      found.forwardedProto = value;
      return;
    case KIND.forwardedHost:
      found.forwardedHost = value;
      return;
    case KIND.forwarded:
      found.forwarded = joined(found.forwarded, value);
      return;
    default:
      return;
  }
}

function joined(before: string, value: string): string {
  return before === '' ? value : `${before}, ${value}`;
}

/** Removes the fields that Connection names (RFC 9110 §7.6.1); false when it names one that it must not. */
function applyConnection(exchange: Exchange, connection: string): boolean {
  if (connection === 'keep-alive' || connection === 'close' || connection === 'Keep-Alive') return true;
  const nominated = new Set<string>();
  for (const token of connection.toLowerCase().split(',')) {
    const name = token.trim();
    if (name === '' || name === 'keep-alive' || name === 'close') continue;
    if (!mayBeNominated(name)) return false;
    nominated.add(name);
  }
  if (nominated.size === 0) return true;
  const kept: string[] = [];
  const fields = exchange.upstreamFields;
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i] as string;
    if (!nominated.has(name.toLowerCase())) kept.push(name, fields[i + 1] as string);
  }
  exchange.upstreamFields = kept;
  return true;
}

/** RFC 9112 §6.1 and §6.3, without the tolerance: one Transfer-Encoding that is `chunked`, or a Content-Length. */
function checkFraming(exchange: Exchange, found: Found): boolean {
  if (found.transferEncodings > 0) {
    exchange.bodyLength = -1;
    return (
      found.transferEncodings === 1 &&
      found.contentLength === null &&
      found.transferEncoding?.toLowerCase() === 'chunked' &&
      exchange.request.httpVersionMinor === 1
    );
  }
  if (found.contentLength === null) return true;
  exchange.bodyLength = Number(found.contentLength);
  return /^\d{1,15}$/.test(found.contentLength);
}

/** X-Forwarded-For wins: most proxies write that field, and pass on the Forwarded of a client untouched. */
function believeForwarded(exchange: Exchange, found: Found): void {
  const chain = readForwarded(found.forwarded, exchange.snapshot.isTrusted);
  found.forwarded = chain.field;
  if (found.forwardedFor !== '') return;
  found.forwardedFor = chain.addresses;
  if (found.forwardedProto === '' && /^https?$/i.test(chain.proto)) found.forwardedProto = chain.proto;
  if (found.forwardedHost === '' && isSoundAuthority(chain.host)) found.forwardedHost = chain.host;
}

/** Tells the upstream about this hop; what an untrusted peer said about earlier ones is dropped. */
function addForwarded(exchange: Exchange, found: Found, peer: string, trusted: boolean): void {
  const fields = exchange.upstreamFields;
  const proto = exchange.listener?.tls == null ? 'http' : 'https';
  const believed = (value: string, otherwise: string): string =>
    trusted && value !== '' ? value : otherwise;
  const original = believed(found.forwardedProto, proto);
  exchange.secure = original.toLowerCase() === 'https';
  fields.push(
    'X-Forwarded-For',
    trusted && found.forwardedFor !== '' ? `${found.forwardedFor}, ${peer}` : peer,
    'X-Forwarded-Proto',
    original,
    'X-Forwarded-Host',
    believed(found.forwardedHost, exchange.authority),
  );
  if (trusted && found.forwarded !== '') {
    fields.push('Forwarded', `${found.forwarded}, ${forwardedElement(peer, exchange.authority, proto)}`);
  }
}
