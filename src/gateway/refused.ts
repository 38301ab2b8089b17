/**
 * Records what was refused before it became a request: a line in the access log and a count, as for any other.
 * Knows what little there is to tell.
 * @module
 */

import { lineWeight } from '../core/policy/log-sampling.ts';
import type { Runtime } from './exchange.ts';
import { GATEWAY_ERRORS, type GatewayErrorCode } from './gateway-errors.ts';
import { isoTime } from './iso-time.ts';
import { REDACTED } from './policy-outcomes.ts';
import { randomFraction } from './random-ids.ts';

export interface Refusal {
  /** Upper case; empty when there was none to be read. */
  readonly method: string;
  readonly clientIp: string;
  readonly requestId: string;
  readonly code: GatewayErrorCode;
  /** False: the connection was closed without a response. */
  readonly answered: boolean;
}

export function recordRefusal({ snapshot, accessLog, clock }: Runtime, refusal: Refusal): void {
  const { method, clientIp, requestId, code } = refusal;
  const status = refusal.answered ? GATEWAY_ERRORS[code].status : 0;
  snapshot.unrouted.observe('', method, status, code, 0);
  if (!accessLog.enabled) return;
  const { logRules } = snapshot.config;
  const failed = status === 0;
  const weight = lineWeight(logRules, { failed, durationMs: 0 }, logRules.share < 1 ? randomFraction() : 0);
  if (weight === 0) {
    accessLog.sampledOut += 1;
    return;
  }
  const shown = (name: string, value: string): string => (logRules.redacted.has(name) ? REDACTED : value);
  accessLog.write(
    `{"time":"${isoTime(clock.nowMs())}","method":"${method}","route":"","path":"","status":${status}` +
      `,"duration_ms":0,"service":"","version":"","forced":false,"endpoint":"","attempts":0,"sticky":""` +
      `,"request_id":"${shown('request_id', requestId)}","trace_id":"","client_ip":"${shown('client_ip', clientIp)}"` +
      `,"bytes":0${weight === 1 ? '' : `,"stands_for":${weight}`},"error":"${code}"}\n`,
  );
}
