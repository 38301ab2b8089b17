/**
 * Trailers of a request: which of them the upstream gets, what they are once the body has ended, and what became of each.
 * All others are dropped, because they could say what a field before the body would not be allowed to. Knows no connection.
 * @module
 */

import { isTrailerName } from '../config/policies/trailers.ts';
import type { ClientRequest } from './client.ts';
import type { Exchange } from './exchange.ts';
import { MAX_REQUEST_TRAILERS } from './limits.ts';
import type { TrailerOutcome } from './trailer-metrics.ts';
import { noteTrailers } from './trailer-outcomes.ts';
import type { RequestTrailers, TrailerFate } from './upstream/upstream-pool.ts';

/** Visible characters, blanks and what is beyond ASCII (RFC 9110 §5.5). */
const SOUND_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

class DeclaredTrailers implements RequestTrailers {
  readonly declared: string;
  readonly #request: ClientRequest;
  readonly #names: ReadonlySet<string>;
  fate: TrailerFate = 'unsent';

  constructor(request: ClientRequest, names: readonly string[]) {
    this.#request = request;
    this.declared = names.join(', ');
    this.#names = new Set(names.map((name) => name.toLowerCase()));
  }

  read(): [string, string][] {
    const all = fieldsAfter(this.#request);
    this.fate = all.length > MAX_REQUEST_TRAILERS ? 'too_many' : 'passed';
    if (this.fate === 'too_many') return [];
    return all.filter(([name, value]) => this.#names.has(name.toLowerCase()) && SOUND_VALUE.test(value));
  }
}

/** Those that the client declares and the service takes; null where there are none, or no place for them. */
export function requestTrailersOf({ request, route, bodyLength }: Exchange): RequestTrailers | null {
  const allowed = route?.service.requestTrailers ?? null;
  // A body of a known length has no place for them in HTTP/1.1.
  if (allowed === null || bodyLength >= 0) return null;
  const declared = declaredBy(request).filter((name) => {
    const lower = name.toLowerCase();
    return allowed.has(lower) && isTrailerName(lower);
  });
  return declared.length === 0 ? null : new DeclaredTrailers(request, declared);
}

/** When the request is over. Those of a body that did not come to its end are not known. */
export function noteRequestTrailers(exchange: Exchange): void {
  const { request, route } = exchange;
  if (request.rawTrailers.length === 0 || route === null) return;
  const allowed = route.service.requestTrailers;
  const declared = new Set(declaredBy(request).map((name) => name.toLowerCase()));
  const fate = commonFate(exchange);
  const outcomes = fieldsAfter(request).map(([name, value]): TrailerOutcome => {
    const lower = name.toLowerCase();
    if (!isTrailerName(lower)) return 'forbidden';
    if (allowed?.has(lower) !== true) return 'not_listed';
    if (!declared.has(lower)) return 'undeclared';
    return SOUND_VALUE.test(value) ? fate : 'malformed';
  });
  noteTrailers(exchange, 'request', outcomes);
}

/** Of all that may be passed on. */
function commonFate({ trailers, attempts, standIn, calls, bodyLength }: Exchange): TrailerOutcome {
  if (attempts === 0) return 'unsent';
  if (standIn !== null) return 'other_service';
  if (calls || bodyLength >= 0) return 'no_place';
  // There were some, and they were taken back.
  return trailers === null ? 'changed_body' : trailers.fate;
}

/** As the client spells them. */
function declaredBy({ headers }: ClientRequest): string[] {
  const names = (headers.trailer ?? '').split(',').map((name) => name.trim());
  return names.filter((name) => name !== '');
}

function fieldsAfter({ rawTrailers }: ClientRequest): [string, string][] {
  const fields: [string, string][] = [];
  for (let i = 0; i + 1 < rawTrailers.length; i += 2)
    fields.push([rawTrailers[i] ?? '', rawTrailers[i + 1] ?? '']);
  return fields;
}
