import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { keyFault } from '../../../src/core/policy/jwk-vetting.ts';

function jwkOf(pair: { publicKey: { export(options: { format: 'jwk' }): object } }): Record<string, unknown> {
  return { ...pair.publicKey.export({ format: 'jwk' }) };
}

const rsa = jwkOf(generateKeyPairSync('rsa', { modulusLength: 2048 }));
const ec = jwkOf(generateKeyPairSync('ec', { namedCurve: 'P-256' }));
const ed = jwkOf(generateKeyPairSync('ed25519'));

/** A product of numbers that are powers of 65537 modulo every small prime, as the flawed library made them. */
function rocaModulus(): string {
  const primorial = [
    2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103,
    107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
  ].reduce((product, prime) => product * BigInt(prime), 1n);
  const factor = (1n << 1030n) / primorial;
  const flawed = (power: bigint): bigint => factor * primorial + (65_537n ** power % primorial);
  const hex = (flawed(5n) * flawed(9n)).toString(16);
  return Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex').toString('base64url');
}

describe('keyFault', () => {
  it.each([
    ['RSA', rsa],
    ['EC', ec],
    ['Ed25519', ed],
    ['RSA for signatures', { ...rsa, use: 'sig', key_ops: ['verify'] }],
  ])('takes a sound key: %s', (_kind, key) => {
    expect(keyFault(key)).toBeNull();
  });

  it.each([
    ['for encryption', { ...rsa, use: 'enc' }, /use/],
    ['for other operations', { ...ec, key_ops: ['deriveKey'] }, /key_ops/],
    ['that is private', { ...ec, d: 'AAAA' }, /private/],
    ['that is symmetric', { kty: 'oct', k: 'AAAA' }, /type/],
    ['of an unknown type', {}, /type/],
    ['of a curve for other things', { ...ed, crv: 'X25519' }, /curve/],
    ['with the exponent 1', { ...rsa, e: 'AQ' }, /exponent/],
    ['with the exponent 3', { ...rsa, e: 'Aw' }, /exponent/],
    ['with an even exponent', { ...rsa, e: 'AQAC' }, /exponent/],
    [
      'with a modulus of 1024 bits',
      { ...rsa, n: jwkOf(generateKeyPairSync('rsa', { modulusLength: 1024 })).n },
      /1024/,
    ],
    ['with a huge modulus', { ...rsa, n: 'A'.repeat(100_000) }, /modulus/],
    ['with a modulus that is no text', { ...rsa, n: 7 }, /modulus/],
    ['with a modulus that gives its primes away', { ...rsa, n: rocaModulus() }, /weak/],
  ])('refuses a key %s', (_case, key, fault) => {
    expect(keyFault(key)).toMatch(fault);
  });
});
