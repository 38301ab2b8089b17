/**
 * Finds the route and holds the request to its size limit; tells caches what the choice depended on. Knows no versions.
 * @module
 */

import { hostName, otherReading } from '../../core/policy/request-target.ts';
import type { Exchange } from '../exchange.ts';
import { dropForged } from '../identity/forwarded-identity.ts';
import { replyProblem } from '../problem.ts';
import { allowUpgrade } from '../upgrade/upgrade-rules.ts';
import { answerPreflight } from './preflight.ts';

export function route(exchange: Exchange): boolean {
  if (exchange.method === 'OPTIONS' && answerPreflight(exchange)) return false;
  const { identityFields } = exchange.snapshot;
  // Before any condition of a route looks at them.
  if (identityFields !== null) dropForged(exchange, identityFields);
  const { method, authority, path, request } = exchange;
  const result = exchange.snapshot.find(method, hostName(authority), path, request);
  if (result.vary !== null) {
    exchange.addedFields ??= [];
    exchange.addedFields.push('Vary', result.vary.join(', '));
  }
  switch (result.kind) {
    case 'unknown':
      replyProblem(exchange, 'ROUTE_UNKNOWN', '');
      return false;
    case 'method-not-allowed':
      replyProblem(exchange, 'METHOD_NOT_ALLOWED', '', ['Allow', result.allow.join(', ')]);
      return false;
    case 'found':
      exchange.route = result.route;
  }
  const other = otherReading(path);
  if (other !== null) {
    const second = exchange.snapshot.find(method, hostName(authority), other, request);
    if (second.kind !== 'found' || second.route !== result.route) {
      exchange.route = null;
      replyProblem(exchange, 'BAD_PATH', `Servers may read it as ${other}, which is another route.`);
      return false;
    }
  }
  if (exchange.upgrade !== '' && !allowUpgrade(exchange)) return false;
  if (exchange.bodyLength > result.route.maxBodyBytes) {
    replyProblem(exchange, 'BODY_TOO_LARGE', `The limit is ${result.route.maxBodyBytes} bytes.`);
    return false;
  }
  return true;
}
