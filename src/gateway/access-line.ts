/**
 * One line of the access log: which requests get one, and what is in it. Never the query nor the path itself, only
 * the route's pattern: both may hold what nobody should keep. Knows exchanges, not where lines go.
 * @module
 */

import { lineWeight } from '../core/policy/log-sampling.ts';
import type { Exchange } from './exchange.ts';
import { isBrokenOff } from './gateway-errors.ts';
import { isoTime } from './iso-time.ts';
import { policyOutcomes, REDACTED } from './policy-outcomes.ts';
import { randomFraction } from './random-ids.ts';

/** Writes the line of an exchange that has ended, unless it is not among those to be logged. */
export function logExchange(exchange: Exchange, status: number, durationMs: number): void {
  const { accessLog } = exchange.runtime;
  if (!accessLog.enabled) return;
  const { logRules } = exchange.snapshot.config;
  const { errorCode } = exchange;
  const failed = status >= 500 || status === 0 || LEFT.has(errorCode) || isBrokenOff(errorCode);
  const weight = lineWeight(logRules, { failed, durationMs }, logRules.share < 1 ? randomFraction() : 0);
  if (weight === 0) accessLog.sampledOut += 1;
  else accessLog.write(accessLine(exchange, status, durationMs, logRules.redacted, weight));
}

const LEFT: ReadonlySet<string> = new Set(['CLIENT_ABORTED', 'CLIENT_TOO_SLOW']);

/** Only what a client can choose freely is escaped; ids, addresses and names have safe alphabets. */
function accessLine(
  exchange: Exchange,
  status: number,
  durationMs: number,
  redacted: ReadonlySet<string>,
  weight: number,
): string {
  const { route, version, attempt, runtime } = exchange;
  const shown = (name: string, value: string): string => (redacted.has(name) ? REDACTED : value);
  return (
    `{"time":"${isoTime(runtime.clock.nowMs())}","method":${quoted(exchange.method)}` +
    `,"route":${quoted(route?.name ?? '')},"path":${quoted(route?.pattern ?? '')},"status":${status}` +
    `,"duration_ms":${Math.round(durationMs * 1000) / 1000},"service":"${route?.service.name ?? ''}"` +
    `,"version":"${version?.name ?? ''}","forced":${exchange.forced}` +
    `,"endpoint":"${shown('endpoint', attempt?.target.endpoint.origin ?? '')}","attempts":${exchange.attempts}` +
    `,"sticky":${quoted(exchange.stickySource)},"request_id":"${shown('request_id', exchange.requestId)}"` +
    `,"trace_id":"${shown('trace_id', exchange.traceId)}","client_ip":"${shown('client_ip', exchange.clientIp)}"` +
    `,"bytes":${exchange.bytesOut}` +
    `${outcomeFields(exchange, redacted)}${weight === 1 ? '' : `,"stands_for":${weight}`}` +
    `,"error":"${exchange.errorCode}"}\n`
  );
}

function outcomeFields(exchange: Exchange, redacted: ReadonlySet<string>): string {
  let fields = '';
  for (const [name, value] of policyOutcomes(exchange, redacted)) fields += `,"${name}":${quoted(value)}`;
  return fields;
}

const SAFE_TEXT = /^[\w./:{}*@ -]*$/;

function quoted(text: string): string {
  return SAFE_TEXT.test(text) ? `"${text}"` : JSON.stringify(text);
}
