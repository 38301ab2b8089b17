/**
 * Fields that tell upstreams who calls: what clients send under their names is dropped, validated claims take their
 * place. Knows no tokens.
 * @module
 */

import type { GatewayConfig } from '../../config/gateway-model.ts';
import type { Claims } from '../../core/policy/authorisation.ts';
import { plainName } from '../../core/policy/cache/caller-fields.ts';
import type { Exchange } from '../exchange.ts';

const MAX_VALUE_LENGTH = 1_024;
/** No control characters, and nothing that servers decode in different ways. */
const PLAIN = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/;

/** Names, lower case with `-` for `_`, that any route fills from claims; null: none does. */
export function identityFields(config: GatewayConfig): ReadonlySet<string> | null {
  const names = config.routes.flatMap(({ auth }) => Object.keys(auth?.forward ?? {}));
  return names.length === 0 ? null : new Set(names.map((name) => plainName(name.toLowerCase())));
}

/** Drops what the client sent, for upstreams and for the gateway's own stages. */
export function dropForged(exchange: Exchange, names: ReadonlySet<string>): void {
  const fields = exchange.upstreamFields;
  let kept: string[] | null = null;
  const { traceparentAt } = exchange;
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i] as string;
    if (names.has(plainName(name.toLowerCase()))) {
      kept ??= fields.slice(0, i);
      if (i < traceparentAt) exchange.traceparentAt -= 2;
    } else kept?.push(name, fields[i + 1] as string);
  }
  if (kept === null) return;
  exchange.upstreamFields = kept;
  const { headers } = exchange.request;
  for (const name of Object.keys(headers)) if (names.has(plainName(name.toLowerCase()))) delete headers[name];
}

/** Claims that cannot be written as a field are left out. */
export function addIdentity(
  exchange: Exchange,
  forward: readonly (readonly [field: string, claim: string])[],
  claims: Claims,
): void {
  for (const [field, claim] of forward) {
    const value = fieldValue(Object.hasOwn(claims, claim) ? claims[claim] : undefined);
    if (value === undefined) continue;
    exchange.upstreamFields.push(field, value);
    exchange.request.headers[field] = value;
  }
}

function fieldValue(value: unknown): string | undefined {
  if (Array.isArray(value)) {
    const parts = value.map(fieldValue);
    const sound = parts.every((part) => part !== undefined && !part.includes(','));
    return sound && parts.length > 0 ? bounded(parts.join(',')) : undefined;
  }
  switch (typeof value) {
    case 'string':
      return PLAIN.test(value) ? bounded(value) : undefined;
    case 'number':
    case 'boolean':
      return String(value);
    default:
      return undefined;
  }
}

function bounded(text: string): string | undefined {
  return text.length <= MAX_VALUE_LENGTH ? text : undefined;
}
