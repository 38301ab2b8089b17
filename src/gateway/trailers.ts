/**
 * Response trailers: passes on what the service allows, and of a gRPC call its outcome and metadata, after a body that
 * the client gets in chunks. All others are dropped, because they could say what a field before the body would not be allowed to.
 * @module
 */

import type { IncomingHttpHeaders } from 'node:http';
import { isTrailerName } from '../config/policies/trailers.ts';
import type { Exchange } from './exchange.ts';
import type { TrailerOutcome } from './trailer-metrics.ts';
import { noteTrailers } from './trailer-outcomes.ts';

/** What a call came to is told by `grpc_status`. */
const OF_THE_CALL: ReadonlySet<string> = new Set(['grpc-status', 'grpc-message', 'grpc-status-details-bin']);

/** Before the end of the response, once. */
export function addTrailers(exchange: Exchange, received: IncomingHttpHeaders | null): void {
  const { route, response, grpc } = exchange;
  const fields = Object.entries(received ?? {});
  if (fields.length === 0 || route === null) return;
  const fate = commonFate(exchange);
  const passed: [string, string][] = [];
  const outcomes: TrailerOutcome[] = [];
  for (const [name, value] of fields) {
    const values = [value ?? []].flat();
    const outcome = outcomeOf(name.toLowerCase(), route.service.trailers, grpc) ?? fate;
    if (outcome === 'passed') passed.push(...values.map((each): [string, string] => [name, each]));
    if (!grpc || !OF_THE_CALL.has(name)) outcomes.push(...values.map(() => outcome));
  }
  noteTrailers(
    exchange,
    'response',
    passed.length > 0 && !send(response, passed) ? outcomes.map(refused) : outcomes,
  );
}

/** Null: nothing speaks against this one. */
function outcomeOf(name: string, allowed: ReadonlySet<string> | null, grpc: boolean): TrailerOutcome | null {
  if (!isTrailerName(name)) return 'forbidden';
  return grpc || allowed?.has(name) === true ? null : 'not_listed';
}

/** Of all that may be passed on. */
function commonFate({ response, outgoing, route, grpc }: Exchange): TrailerOutcome {
  if (response.writableEnded || outgoing?.holdsBack === true || !response.takesTrailers) return 'no_place';
  // A digest of the body that came is none of a body that rules have reshaped.
  return !grpc && route?.transform?.responseBody != null ? 'changed_body' : 'passed';
}

/** False: Node refuses to send one of them. */
function send(response: Exchange['response'], trailers: [string, string][]): boolean {
  try {
    response.addTrailers(trailers);
    return true;
  } catch {
    return false;
  }
}

function refused(outcome: TrailerOutcome): TrailerOutcome {
  return outcome === 'passed' ? 'malformed' : outcome;
}
