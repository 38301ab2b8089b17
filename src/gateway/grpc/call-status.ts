/**
 * How a gRPC call went: the status of the response says 200 whatever happened. Knows fields only.
 * @module
 */

import type { IncomingHttpHeaders } from 'node:http';
import {
  encodeGrpcMessage,
  GRPC_DEADLINE_EXCEEDED,
  grpcOfHttp,
  httpOfGrpc,
  parseGrpcStatus,
} from '../../core/policy/grpc/status.ts';

interface EndedCall {
  /** 200–599, of HTTP; becomes what the call came to in its terms. */
  status: number;
  readonly trailers: IncomingHttpHeaders | null;
  readonly pass: { settleStatus(status: number, nowMs: number): void } | null;
  readonly exchange: { grpcCode: number; readonly callDeadlineMs: number };
  field(name: string): string | undefined;
}

/**
 * Finds out what a call that has ended came to. False: it took longer than its caller gave it, which says nothing
 * about the version, or callers could make any version look bad.
 */
export function settleCall(call: EndedCall, nowMs: number): boolean {
  const { exchange, pass } = call;
  const code = codeOf(call);
  if (code !== null) {
    exchange.grpcCode = code;
    call.status = httpOfGrpc(code);
  }
  if (code === GRPC_DEADLINE_EXCEEDED && nowMs >= exchange.callDeadlineMs) return false;
  pass?.settleStatus(call.status, nowMs);
  return true;
}

/** Null when HTTP itself says how it went. */
function codeOf(call: EndedCall): number | null {
  if (call.status !== 200) return null;
  // Of a call without messages the outcome stands in the head.
  const text = call.trailers?.['grpc-status'] ?? call.field('grpc-status');
  return parseGrpcStatus(Array.isArray(text) ? text[0] : text);
}

/** What a call gets instead of a problem document of that status: a response of nothing but fields. */
export function callError(status: number, code: string, title: string, detail: string): readonly string[] {
  const text = `${code}: ${detail === '' ? title : `${title}. ${detail}`}`;
  return [
    'Content-Type',
    'application/grpc',
    'grpc-status',
    String(grpcOfHttp(status)),
    'grpc-message',
    encodeGrpcMessage(text),
  ];
}
