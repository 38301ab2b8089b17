/**
 * Which keys of a JSON Web Key Set may verify tokens: libraries take keys that are weak, or that are there for
 * something else. Pure; imports no key.
 * @module
 */

/** A key as published (RFC 7517); nothing about it is certain. */
export type UncheckedKey = Readonly<Record<string, unknown>>;

const MIN_RSA_BITS = 2048;
/** Larger ones only cost time: a way to keep the gateway busy. */
const MAX_RSA_BITS = 8192;
const MIN_RSA_EXPONENT = 65_537n;
const MAX_RSA_EXPONENT_BITS = 256;
const CURVES: ReadonlySet<unknown> = new Set(['P-256', 'P-384', 'P-521', 'Ed25519']);
const BASE64URL = /^[\w-]+$/;

/** Why a key verifies nothing, in a few words; null: it may. */
export function keyFault(key: UncheckedKey): string | null {
  if (key.use !== undefined && key.use !== 'sig') return 'its use is not sig';
  if (key.key_ops !== undefined && !(Array.isArray(key.key_ops) && key.key_ops.includes('verify')))
    return 'its key_ops lack verify';
  if (key.d !== undefined) return 'it is a private key';
  switch (key.kty) {
    case 'RSA':
      return rsaFault(key.n, key.e);
    case 'EC':
    case 'OKP':
      return CURVES.has(key.crv) ? null : 'its curve is not supported';
    default:
      return 'its type is not supported';
  }
}

function rsaFault(n: unknown, e: unknown): string | null {
  // Lengths first: numbers are made of what is short enough.
  if (typeof n !== 'string' || n.length > MAX_RSA_BITS / 5 || !BASE64URL.test(n))
    return 'its modulus is not sound';
  if (typeof e !== 'string' || e.length > MAX_RSA_EXPONENT_BITS / 5 || !BASE64URL.test(e)) {
    return 'its exponent is not sound';
  }
  const modulus = numberOf(n);
  const bits = modulus.toString(2).length;
  if (bits < MIN_RSA_BITS || bits > MAX_RSA_BITS) return `its modulus has ${bits} bits`;
  const exponent = numberOf(e);
  if (exponent < MIN_RSA_EXPONENT || exponent % 2n === 0n) return 'its exponent is weak';
  if (modulus % 2n === 0n || hasRocaFingerprint(modulus)) return 'its modulus is weak';
  return null;
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** Base64url without padding; bits that fill no byte are dropped. */
function numberOf(text: string): bigint {
  let value = 0n;
  for (const character of text) value = (value << 6n) | BigInt(ALPHABET.indexOf(character));
  return value >> BigInt((text.length * 6) % 8);
}

/** Odd primes below 168, by which the keys of CVE-2017-15361 give themselves away. */
const PRIMES = [
  3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107,
  109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
];

/** Moduli made by that flaw are powers of 65537 modulo every small prime; others so by chance, 1 in 10⁸. */
function hasRocaFingerprint(modulus: bigint): boolean {
  return PRIMES.every((prime) => {
    const rest = Number(modulus % BigInt(prime));
    let power = 1;
    do {
      if (power === rest) return true;
      power = (power * 65_537) % prime;
    } while (power !== 1);
    return false;
  });
}
