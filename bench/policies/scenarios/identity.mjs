/**
 * Scenarios of docs/policies/identity.md: who calls, and what they may do.
 * @module
 */

import { each, get, scenario } from '../scenario.mjs';
import { API_KEY, bearer, identityOf } from '../world.mjs';

const PAGE = 'identity.md';
const withAuth = (auth) => (world) => ({ top: { identity: identityOf(world) }, route: { auth } });
const known = get('/page', (world) => ({ authorization: bearer(world) }));

export const IDENTITY = [
  scenario({
    id: 'jwt-seen',
    label: 'JWT, seen before',
    doc: `${PAGE}#json-web-tokens`,
    on: withAuth({ jwt: 'main' }),
    ask: known,
  }),
  scenario({
    id: 'jwt-new',
    label: 'JWT (ES256), new each time',
    doc: `${PAGE}#json-web-tokens`,
    on: withAuth({ jwt: 'main' }),
    ask: each((world, n) => ({ path: '/page', headers: { authorization: bearer(world, n) } })),
  }),
  scenario({
    id: 'opaque-seen',
    label: 'opaque token, seen before',
    doc: `${PAGE}#opaque-tokens`,
    on: withAuth({ introspection: 'main' }),
    ask: get('/page', { authorization: 'Bearer opaque-1' }),
  }),
  scenario({
    id: 'opaque-new',
    label: 'opaque token, new each time',
    doc: `${PAGE}#opaque-tokens`,
    on: withAuth({ introspection: 'main' }),
    ask: each((_world, n) => ({ path: '/page', headers: { authorization: `Bearer opaque-${n}` } })),
  }),
  scenario({
    id: 'api-key',
    label: 'API key',
    doc: `${PAGE}#api-keys`,
    on: withAuth({ apiKey: 'partners' }),
    ask: get('/page', { 'x-api-key': API_KEY }),
  }),
  scenario({
    id: 'several-ways',
    label: 'API key, where a JWT would do too',
    doc: `${PAGE}#several-ways-to-be-known`,
    on: withAuth({ jwt: 'main', apiKey: 'partners' }),
    ask: get('/page', { 'x-api-key': API_KEY }),
  }),
  scenario({
    id: 'scopes',
    label: 'scopes and claims, over a JWT alone',
    doc: `${PAGE}#scopes-and-claims`,
    off: withAuth({ jwt: 'main' }),
    on: withAuth({
      jwt: 'main',
      scopes: { all: ['pages:read'], any: ['pages:write', 'admin'] },
      claims: { tenant_id: ['acme', 'globex'] },
    }),
    ask: known,
  }),
  scenario({
    id: 'forward',
    label: 'claims as headers, over a JWT alone',
    doc: `${PAGE}#identity-for-upstreams`,
    off: withAuth({ jwt: 'main' }),
    on: withAuth({ jwt: 'main', forward: { 'x-user-id': 'sub', 'x-tenant': 'tenant_id' } }),
    ask: known,
  }),
];
