/**
 * What a strict upstream has received, whatever protocol it speaks, and what must hold for all of it. Knows the fields that
 * gateways may not pass on; reads no bytes.
 * @module
 */

export interface ReceivedRequest {
  readonly path: string;
  /** Names in lower case. */
  readonly fields: readonly (readonly [string, string])[];
  readonly body: Buffer;
  readonly trailers: readonly (readonly [string, string])[];
}

export interface StrictUpstream {
  readonly url: string;
  /** What was not sound, as it came. */
  readonly violations: string[];
  readonly requests: () => number;
  close(): Promise<void>;
}

/** Said of one connection only, or of framing that HTTP/2 does not have (RFC 9110 §7.6.1, RFC 9113 §8.2.2). */
const OF_CONNECTION = /^(?:keep-alive|proxy-connection|upgrade|http2-settings|te)$/;
/** Twins of fields with a meaning, as servers read them that take `_` for `-`. */
const TWIN = /^(?:transfer_encoding|content_length|x_forwarded_.*|client_cert)$/;

/**
 * What two recipients could read differently, or a rule of the route has let through; null: nothing. `secretFree`: routes whose
 * rules take `secret` out of JSON, and refuse what they cannot read. `trailers`: those that the service takes.
 */
export function problemOf(
  { path, fields, body, trailers }: ReceivedRequest,
  rules: { readonly secretFree: RegExp; readonly trailers: ReadonlySet<string> },
): string | null {
  const values = (name: string) => fields.filter(([each]) => each === name).map(([, value]) => value);
  const odd = fields.find(([name]) => TWIN.test(name) || (OF_CONNECTION.test(name) && !mayBe(name, fields)));
  if (odd !== undefined) return `passed on ${odd[0]}`;
  if (values('content-type').length > 1) return 'two content types';
  if (values('authorization').length > 1) return 'two authorizations';
  const stray = trailers.find(([name]) => !rules.trailers.has(name));
  if (stray !== undefined) return `passed on the trailer ${stray[0]}`;
  if (
    rules.secretFree.test(path) &&
    body.length > 0 &&
    /^application\/(?:.*\+)?json/.test(values('content-type')[0] ?? '')
  )
    return secretIn(body, values('content-encoding'));
  return null;
}

/** A tunnel is asked for hop by hop. */
function mayBe(name: string, fields: ReceivedRequest['fields']): boolean {
  return (
    name === 'upgrade' && fields.some(([each, value]) => each === 'connection' && /upgrade/i.test(value))
  );
}

function secretIn(body: Buffer, codings: readonly string[]): string | null {
  if (codings.some((coding) => coding !== 'identity' && coding !== ''))
    return 'a body that nobody could read';
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    return typeof value === 'object' && value !== null && Object.hasOwn(value, 'secret') ? 'a secret' : null;
  } catch {
    return 'a body that is no JSON';
  }
}
