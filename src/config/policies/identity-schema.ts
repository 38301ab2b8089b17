/**
 * The shape of identity as written in YAML: who vouches for callers, and what a route asks of them.
 * Merging, defaults and relations are in `identity.ts`.
 * @module
 */

import * as z from 'zod';
import { duration, headerName, httpUrl, name, secret } from '../primitives.ts';

const SECOND = 1000;
const HOUR = 3_600_000;

const cookieName = z
  .string()
  .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$/, { error: 'expected a cookie name' });

/** Where a token comes from. Never the query: it ends up in logs and histories. */
const tokenPlace = z
  .union(
    [
      z.strictObject({
        header: headerName,
        scheme: z
          .string()
          .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{0,32}$/, { error: 'expected a word such as Bearer, or ""' })
          .optional()
          .meta({ description: 'Word before the token. Default: Bearer for Authorization, else none.' }),
      }),
      z.strictObject({ cookie: cookieName }),
    ],
    { error: 'expected { header: … } or { cookie: … }' },
  )
  .optional();

const jwtProvider = z.strictObject({
  issuer: z.string().min(1),
  audience: z.string().min(1),
  algorithms: z
    .array(z.enum(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA']))
    .min(1)
    .default(['RS256', 'ES256']),
  jwks: z.union([z.strictObject({ url: httpUrl }), z.strictObject({ file: z.string().min(1) })], {
    error: 'expected { url: … } or { file: … }',
  }),
  clockTolerance: duration(0, 300 * SECOND)
    .optional()
    .meta({ description: 'Default 5s.' }),
  token: tokenPlace.meta({ description: 'Where the token is. Default: Authorization: Bearer.' }),
});

const introspectionProvider = z.strictObject({
  url: httpUrl.meta({ description: 'Introspection endpoint (RFC 7662).' }),
  clientId: z.string().min(1).max(256),
  clientSecret: secret,
  issuer: z.string().min(1).optional().meta({ description: 'What iss must be. Default: anything.' }),
  audience: z.string().min(1).optional().meta({ description: 'What aud must have. Default: anything.' }),
  timeout: duration(1, 30 * SECOND)
    .optional()
    .meta({ description: 'For one question. Default 2s.' }),
  cache: duration(0, HOUR).optional().meta({
    description: 'An active token is not asked about again for this long, or until it expires. Default 60s.',
  }),
  negativeCache: duration(0, HOUR)
    .optional()
    .meta({ description: 'The same for a token that is not active. Default 10s.' }),
  stale: duration(0, HOUR).optional().meta({
    description: 'Beyond cache, an active token stays good for this long while nobody answers. Default 0s.',
  }),
  token: tokenPlace.meta({ description: 'Where the token is. Default: Authorization: Bearer.' }),
});

const apiKeyProvider = z.strictObject({
  file: z
    .string()
    .min(1)
    .meta({ description: 'File with the hashes of the keys; read again when it changes.' }),
  token: tokenPlace.meta({ description: 'Where the key is. Default: the header X-API-Key.' }),
});

export const identityField = z
  .strictObject({
    jwt: z.record(name, jwtProvider).optional(),
    introspection: z.record(name, introspectionProvider).optional(),
    apiKeys: z.record(name, apiKeyProvider).optional(),
    tenantClaim: z.string().min(1).max(64).optional().meta({
      description: 'Claim that the access log calls tenant. Default tenant_id.',
    }),
  })
  .optional();

const scopeWord = z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/, {
  error: 'expected a scope: printable characters without space, quote or backslash (RFC 6749 §3.3)',
});
const scopeList = z.array(scopeWord).min(1).max(32).optional();
const claimValue = z.union([z.string(), z.number(), z.boolean()]);

const auth = z.strictObject({
  jwt: name.optional().meta({ description: 'Name of an entry of identity.jwt.' }),
  introspection: name.optional().meta({ description: 'Name of an entry of identity.introspection.' }),
  apiKey: name.optional().meta({ description: 'Name of an entry of identity.apiKeys.' }),
  optional: z
    .boolean()
    .optional()
    .meta({ description: 'Let requests without a token pass; a bad token is still refused.' }),
  realm: z
    .string()
    .regex(/^[\x20\x21\x23-\x5b\x5d-\x7e]{1,64}$/, {
      error: 'expected printable text without quotes and backslashes',
    })
    .optional()
    .meta({ description: 'Realm in WWW-Authenticate. Default: the name of the service.' }),
  scopes: z.strictObject({ all: scopeList, any: scopeList }).optional().meta({
    description: 'Scopes that a token must have: each of all, and one of any. Otherwise 403.',
  }),
  claims: z
    .record(z.string().min(1).max(64), z.union([claimValue, z.array(claimValue).min(1).max(64)]))
    .optional()
    .meta({
      description:
        'Values that claims must have: one, one of a list, or the word exists for any. A claim that is a list ' +
        'needs one of them. Otherwise 403.',
    }),
  forward: z
    .record(headerName, z.string().min(1).max(64))
    .optional()
    .meta({
      description:
        'Request headers for the upstream, each with the claim that it carries. What clients send under these ' +
        'names is dropped on every route.',
    }),
});

export const authField = z
  .union([auth, z.literal(false)])
  .optional()
  .meta({ description: 'Who may call; false for everybody.' });

export type IdentityYaml = NonNullable<z.output<typeof identityField>>;
export type AuthYaml = z.output<typeof auth>;
export type TokenPlace = NonNullable<z.output<typeof tokenPlace>>;
