/**
 * Answers CORS preflights: by the policy of the route that the request to come would take, before authentication,
 * because browsers send no credentials with them. Knows fields, not which origins are allowed.
 * @module
 */

import { hostName } from '../../core/policy/request-target.ts';
import { preflightFields } from '../../core/policy/transform/cors.ts';
import type { Exchange } from '../exchange.ts';

const VARY = 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers';

/** True: it was a preflight for a route with a `cors` policy, and is answered. */
export function answerPreflight(exchange: Exchange): boolean {
  const { headers } = exchange.request;
  const { origin } = headers;
  const method = headers['access-control-request-method'];
  if (origin === undefined || method === undefined || method === '') return false;
  const found = exchange.snapshot.find(method, hostName(exchange.authority), exchange.path, null);
  const cors = found.kind === 'found' ? found.route.transform?.cors : undefined;
  if (found.kind !== 'found' || cors == null) return false;
  exchange.route = found.route;
  const asked = { origin, method, headers: headers['access-control-request-headers'] ?? '' };
  const permitted = preflightFields(cors, asked);
  exchange.note('cors', permitted === null ? 'refused' : 'preflight');
  const { response } = exchange;
  if (exchange.runtime.draining || exchange.bodyLength !== 0) response.shouldKeepAlive = false;
  // A refusal is the same answer without permission: the browser tells its user why.
  response.writeHead(204, 'No Content', [
    'X-Request-ID',
    exchange.requestId,
    'Vary',
    VARY,
    ...(permitted ?? []),
  ]);
  response.end();
  return true;
}
