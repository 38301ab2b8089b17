/**
 * What the scenarios of the policy bench refer to: keys, tokens, certificates and files in a scratch folder, and the
 * ports of the upstream. Plain data, so that the load generator's process gets the same. Starts nothing but openssl.
 * @module
 */

import { spawnSync } from 'node:child_process';
import { createHash, createPrivateKey, generateKeyPairSync, sign } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROTO } from './pages.mjs';

export const ISSUER = 'https://id.bench.example';
export const AUDIENCE = 'bench';
export const API_KEY = 'b0a7'.repeat(16);

/** Writes everything that files of gateways name. `certificate` is null where there is no openssl. */
export function writeFiles(folder) {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'bench', alg: 'ES256', use: 'sig' };
  const write = (name, content) => {
    const path = join(folder, name);
    writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
    return path;
  };
  const sha256 = createHash('sha256').update(API_KEY).digest('hex');
  return {
    folder,
    keysFile: write('keys.json', { keys: [jwk] }),
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    partnersFile: write('partners.yaml', { keys: [{ name: 'bench', sha256, scopes: ['pages:read'] }] }),
    secretFile: write('secret', 'not-a-secret'),
    protoFile: write('pages.proto', PROTO),
    certificate: certificateIn(folder),
  };
}

/** A certificate for 127.0.0.1 that is its own authority. */
function certificateIn(folder) {
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const made = spawnSync(
    'openssl',
    [
      ...[
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:prime256v1',
        '-nodes',
        '-days',
        '2',
      ],
      ...['-subj', '/CN=bench', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert],
    ],
    { stdio: 'ignore' },
  );
  return made.status === 0 ? { cert, key } : null;
}

let signingKey = null;

/** An Authorization field with a token of the world's issuer; `id` makes it another one. */
export function bearer(world, id = 0) {
  signingKey ??= createPrivateKey(world.privateKey);
  const claims = {
    iss: ISSUER,
    aud: AUDIENCE,
    sub: 'ann',
    tenant_id: 'acme',
    scope: 'pages:read pages:write',
    exp: 4_000_000_000,
    jti: String(id),
  };
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${part({ alg: 'ES256', kid: 'bench', typ: 'JWT' })}.${part(claims)}`;
  const signature = sign('sha256', Buffer.from(text), { key: signingKey, dsaEncoding: 'ieee-p1363' });
  return `Bearer ${text}.${signature.toString('base64url')}`;
}

/** `identity` of a file: tokens, introspection and API keys of the world. */
export function identityOf(world) {
  return {
    jwt: {
      main: { issuer: ISSUER, audience: AUDIENCE, algorithms: ['ES256'], jwks: { file: world.keysFile } },
    },
    introspection: {
      main: {
        url: `http://127.0.0.1:${world.ports.services}/introspect`,
        clientId: 'gateway',
        clientSecret: { file: world.secretFile },
      },
    },
    apiKeys: { partners: { file: world.partnersFile } },
  };
}

/** A listener's or endpoint's address on loopback. */
export function endpoint(port, scheme = 'http') {
  return `${scheme}://127.0.0.1:${port}`;
}

/**
 * A gateway's file with one route to one version, and nothing else on; `patch` puts in `top`, `listener`, `service`,
 * `version` and `route` keys, or replaces all `routes`.
 */
export function gatewayFile(world, { top, listener, service, version, route, routes } = {}) {
  // A machine that is busy with other things for a moment is no failure.
  const timeout = { connect: '10s' };
  const plain = { name: 'pages', match: { prefix: '/' }, service: 'pages', retry: false, timeout };
  return {
    listeners: [{ address: '127.0.0.1:0', ...listener }],
    admin: { address: '127.0.0.1:0' },
    accessLog: 'off',
    drain: '0s',
    services: {
      pages: {
        versions: { v1: { endpoints: [endpoint(world.ports.first)], ...version } },
        sticky: ['ip'],
        ...service,
      },
    },
    routes: routes ?? [{ ...plain, ...route }],
    ...top,
  };
}
