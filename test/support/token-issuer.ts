/**
 * Signs tokens for tests of the data plane and writes the key file that a gateway verifies them by.
 * @module
 */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import type { JwtProvider } from '../../src/config/policies/identity.ts';

export interface TokenIssuer {
  readonly provider: JwtProvider;
  /** An Authorization field whose token has these claims. */
  bearer(claims: Readonly<Record<string, unknown>>): Promise<string>;
  close(): Promise<void>;
}

export async function openTokenIssuer(): Promise<TokenIssuer> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-issuer-'));
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  const file = join(folder, 'jwks.json');
  const jwk = { ...(await exportJWK(publicKey)), kid: 'k1', alg: 'ES256', use: 'sig' };
  await writeFile(file, JSON.stringify({ keys: [jwk] }));
  return {
    provider: {
      issuer: 'https://issuer.test',
      audience: 'shop',
      algorithms: ['ES256'],
      jwks: { file },
      clockToleranceMs: 5_000,
    },
    async bearer(claims) {
      const token = await new SignJWT({ ...claims })
        .setProtectedHeader({ alg: 'ES256', kid: 'k1' })
        .setIssuer('https://issuer.test')
        .setAudience('shop')
        .setIssuedAt()
        .setExpirationTime('5m')
        .sign(privateKey);
      return `Bearer ${token}`;
    },
    close: () => rm(folder, { recursive: true, force: true }),
  };
}
