/**
 * An issuer on loopback for tests: publishes keys that can be changed, slowed down or broken while a gateway runs,
 * and signs tokens by any of them.
 * @module
 */

import type { ServerResponse } from 'node:http';
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import type { JwtProvider } from '../../src/config/policies/identity.ts';
import type { GatewayHarness, Upstream } from './gateway-harness.ts';

export interface SigningKey {
  readonly privateKey: CryptoKey;
  readonly jwk: JWK;
}

export async function signingKey(kid: string): Promise<SigningKey> {
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  return { privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg: 'ES256', use: 'sig' } };
}

export class KeyServer {
  readonly upstream: Upstream;
  answer: (response: ServerResponse) => void = () => {};

  private constructor(upstream: Upstream) {
    this.upstream = upstream;
  }

  static async open(harness: GatewayHarness, keys: readonly JWK[]): Promise<KeyServer> {
    const server = new KeyServer(await harness.upstream((_request, response) => server.answer(response)));
    server.publish(keys);
    return server;
  }

  publish(keys: readonly unknown[]): void {
    this.answer = (response) => response.end(JSON.stringify({ keys }));
  }

  get fetches(): number {
    return this.upstream.seen.length;
  }

  provider(changes: Partial<JwtProvider> = {}): JwtProvider {
    return {
      issuer: 'https://issuer.test',
      audience: 'orders',
      algorithms: ['ES256'],
      jwks: { url: `${this.upstream.url}/jwks` },
      clockToleranceMs: 5_000,
      ...changes,
    };
  }
}

/** `nowMs`: what the gateway takes for the present. */
export function tokenOf(
  { privateKey, jwk }: SigningKey,
  claims: Readonly<Record<string, unknown>> = {},
  nowMs: number = Date.now(),
  named = true,
): Promise<string> {
  const nowS = Math.floor(nowMs / 1000);
  return new SignJWT({ sub: 'ann', iss: 'https://issuer.test', aud: 'orders', exp: nowS + 600, ...claims })
    .setProtectedHeader({ alg: 'ES256', ...(named && { kid: jwk.kid ?? '' }) })
    .sign(privateKey);
}
