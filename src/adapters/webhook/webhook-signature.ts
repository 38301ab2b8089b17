/**
 * Signatures of webhooks by the Standard Webhooks convention: HMAC-SHA256 over id, timestamp and raw body.
 * Both sides are here, so that receivers can verify with the code that signs; knows nothing of the content.
 * @module
 */

import { createHmac, timingSafeEqual } from 'node:crypto';
import { SluiceError } from '../../core/domain/errors.ts';

const PREFIX = 'whsec_';
const SIGNATURE = /^v1,[A-Za-z0-9+/]{43}=$/;
/** Receivers refuse what was signed longer ago, or further ahead, than this. */
const TOLERANCE_MS = 300_000;

export interface Signed {
  /** Unique per message and the same on each delivery of it. */
  readonly id: string;
  /** Epoch seconds of this delivery. */
  readonly timestampS: number;
  /** Exactly the bytes sent. */
  readonly body: string;
}

export type Verification =
  | { readonly ok: true; readonly id: string }
  | {
      readonly ok: false;
      readonly cause: 'missing-header' | 'bad-timestamp' | 'too-old' | 'too-new' | 'bad-signature';
    };

/**
 * The bytes of a signing secret: `whsec_` and base64, or any other text as it is.
 * Throws CONFIG_INVALID when there are none; the message does not repeat the secret.
 */
export function signingKey(secret: string): Buffer {
  const text = secret.trim();
  const encoded = text.startsWith(PREFIX) ? text.slice(PREFIX.length) : null;
  if (encoded !== null && !/^[A-Za-z0-9+/]+={0,2}$/.test(encoded)) {
    throw new SluiceError('CONFIG_INVALID', { detail: 'the signing key is not base64 after whsec_' });
  }
  const key = encoded === null ? Buffer.from(text, 'utf8') : Buffer.from(encoded, 'base64');
  if (key.length === 0) throw new SluiceError('CONFIG_INVALID', { detail: 'the signing key is empty' });
  return key;
}

/**
 * The value of `webhook-signature`. No other split of the signed text into its three parts is possible: an event
 * id has a slash after its last full stop, so nothing of it can pass for a timestamp, and bodies start with `{`.
 */
export function signature(key: Buffer, { id, timestampS, body }: Signed): string {
  const mac = createHmac('sha256', key).update(`${id}.${timestampS}.${body}`);
  return `v1,${mac.digest('base64')}`;
}

/**
 * Checks a received webhook. `headers` have lower-case names; `body` is the raw text, before any JSON parser.
 * Several signatures, separated by spaces, are allowed, so that a key can be replaced: one good one suffices.
 */
export function verifyWebhook(
  secret: string,
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
  body: string,
  nowMs: number,
): Verification {
  const id = headers['webhook-id'];
  const timestamp = headers['webhook-timestamp'];
  const given = headers['webhook-signature'];
  if (typeof id !== 'string' || typeof timestamp !== 'string' || typeof given !== 'string') {
    return { ok: false, cause: 'missing-header' };
  }
  if (!/^\d{1,12}$/.test(timestamp)) return { ok: false, cause: 'bad-timestamp' };
  const timestampS = Number(timestamp);
  const ageMs = nowMs - timestampS * 1000;
  if (ageMs > TOLERANCE_MS) return { ok: false, cause: 'too-old' };
  if (ageMs < -TOLERANCE_MS) return { ok: false, cause: 'too-new' };
  const expected = Buffer.from(signature(signingKey(secret), { id, timestampS, body }));
  const good = given
    .split(' ')
    .filter((candidate) => SIGNATURE.test(candidate))
    .some((candidate) => timingSafeEqual(Buffer.from(candidate), expected));
  return good ? { ok: true, id } : { ok: false, cause: 'bad-signature' };
}
