/**
 * Makes certificate authorities and certificates for tests, without any tool: X.509 v3 with P-256 keys (RFC 5280),
 * valid for a day.
 * @module
 */

import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { isIPv4 } from 'node:net';

/** PEM texts. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

export interface Authority extends Certificate {
  /** For names and IPv4 addresses; `daysAgo` starts (and so ends) its validity that much earlier. */
  issue(names: readonly string[], daysAgo?: number): Certificate;
}

export function createAuthority(name = 'Test Authority'): Authority {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const issuer = { name, key: keys.privateKey };
  return {
    ...certificate(issuer, name, keys, [], true, 0),
    issue: (names, daysAgo = 0) =>
      certificate(
        issuer,
        names[0] ?? '',
        generateKeyPairSync('ec', { namedCurve: 'P-256' }),
        names,
        false,
        daysAgo,
      ),
  };
}

const DAY_MS = 86_400_000;

function certificate(
  issuer: { readonly name: string; readonly key: KeyObject },
  subject: string,
  keys: { readonly publicKey: KeyObject; readonly privateKey: KeyObject },
  names: readonly string[],
  authority: boolean,
  daysAgo: number,
): Certificate {
  const algorithm = sequence(oid(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02));
  const startMs = Date.now() - daysAgo * DAY_MS - 3_600_000;
  const body = sequence(
    tagged(0xa0, integer(Buffer.from([2]))),
    integer(Buffer.concat([Buffer.from([1]), randomBytes(15)])),
    algorithm,
    nameOf(issuer.name),
    sequence(time(startMs), time(startMs + DAY_MS)),
    nameOf(subject),
    keys.publicKey.export({ type: 'spki', format: 'der' }),
    tagged(0xa3, sequence(...extensions(keys.publicKey, names, authority))),
  );
  const signature = tagged(0x03, Buffer.from([0]), sign('sha256', body, issuer.key));
  const text = sequence(body, algorithm, signature).toString('base64').replace(/.{64}/g, '$&\n').trim();
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n`,
    key: keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

function extensions(key: KeyObject, names: readonly string[], authority: boolean): Buffer[] {
  const constraints = extension(0x13, authority ? sequence(tagged(0x01, Buffer.from([0xff]))) : sequence());
  const id = createHash('sha1')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest();
  const keyId = extension(0x0e, tagged(0x04, id));
  if (names.length === 0) return [constraints, keyId];
  const alternatives = names.map((name) =>
    isIPv4(name)
      ? tagged(0x87, Buffer.from(name.split('.').map(Number)))
      : tagged(0x82, Buffer.from(name, 'latin1')),
  );
  return [constraints, keyId, extension(0x11, sequence(...alternatives))];
}

/** `id` is the last arc of 2.5.29. */
function extension(id: number, value: Buffer): Buffer {
  return sequence(oid(0x55, 0x1d, id), tagged(0x04, value));
}

function nameOf(name: string): Buffer {
  return sequence(tagged(0x31, sequence(oid(0x55, 0x04, 0x03), tagged(0x0c, Buffer.from(name)))));
}

/** UTCTime. */
function time(ms: number): Buffer {
  const text = new Date(ms).toISOString().replace(/[-:T]/g, '').slice(2, 14);
  return tagged(0x17, Buffer.from(`${text}Z`));
}

function oid(...bytes: number[]): Buffer {
  return tagged(0x06, Buffer.from(bytes));
}

function integer(bytes: Buffer): Buffer {
  return tagged(0x02, bytes);
}

function sequence(...parts: Buffer[]): Buffer {
  return tagged(0x30, ...parts);
}

function tagged(tag: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}
