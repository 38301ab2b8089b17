/**
 * The deadline that the caller of gRPC brings along. Knows the request, not what happens when it is over.
 * @module
 */

import { parseGrpcTimeout } from '../../core/policy/grpc/status.ts';
import type { Exchange } from '../exchange.ts';

/** The time that the caller gives takes the place of the route's. */
export function setCallDeadline(exchange: Exchange, nowMs: number): void {
  const { 'grpc-timeout': given } = exchange.request.headers;
  const timeoutMs = parseGrpcTimeout(typeof given === 'string' ? given : undefined);
  if (timeoutMs === undefined) return;
  exchange.callDeadlineMs = nowMs + timeoutMs;
  exchange.totalDeadlineMs = exchange.callDeadlineMs;
}
