/**
 * What the cache lab compares: the shipped route pack, with parts of its catalog's cache taken away, and how updates
 * reach it. Knows how a variant is configured and started, not what is asked of it.
 * @module
 */

import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { startProcess } from '../rig/process-tree.mjs';
import { ROOT, startUp } from '../rig/sluice.mjs';
import { listPath } from './shop.mjs';

/**
 * `change` of the catalog route's `cache`; `updates`: `gateway` (the catalog-update route, which drops what is stored
 * under its URL) or `upstream` (behind the gateway's back); `onSuccess`: what that route drops besides, default nothing;
 * `purges`: whoever updates also purges by the product's tag.
 * `fresh`: after an update nobody may get what was before it.
 */
export const VARIANTS = [
  { id: 'no-cache', label: 'no cache', change: () => false, updates: 'gateway', purges: false, fresh: true },
  {
    id: 'raw-keys',
    label: 'query as sent, purges by tag',
    change: ({ query: _, ...cache }) => cache,
    updates: 'gateway',
    purges: true,
    fresh: true,
  },
  {
    id: 'no-purges',
    label: 'normalised keys, no purges',
    change: (cache) => cache,
    updates: 'upstream',
    purges: false,
    fresh: false,
  },
  {
    id: 'url-only',
    label: 'normalised keys, updates drop their URL',
    change: (cache) => cache,
    updates: 'gateway',
    purges: false,
    fresh: false,
  },
  {
    id: 'on-success',
    label: 'normalised keys, updates drop product and lists',
    change: (cache) => cache,
    updates: 'gateway',
    onSuccess: { paths: [`\${request.path}`, listPath()] },
    purges: false,
    fresh: true,
  },
  {
    id: 'tags',
    label: 'normalised keys, purges by tag',
    change: (cache) => cache,
    updates: 'gateway',
    purges: true,
    fresh: true,
  },
];

/**
 * The pack as a variant runs it: its own upstream, keys from a file, free ports, what updates drop; else as shipped.
 * `patience`, seconds: instead of the catalog's own timeouts; 0: those.
 */
export function packFor(variant, { upstreamPort, keysFile, patience = 0 }) {
  const pack = parse(readFileSync(join(ROOT, 'proxy', 'pack.yaml'), 'utf8'));
  pack.listeners = [{ address: '127.0.0.1:0' }];
  pack.admin = { address: '127.0.0.1:0' };
  pack.accessLog = 'off';
  pack.identity.jwt.shop.jwks = { file: keysFile };
  pack.services.catalog.versions.v1.endpoints = [`http://127.0.0.1:${upstreamPort}`];
  const route = pack.routes.find(({ name }) => name === 'catalog');
  route.cache = variant.change(route.cache);
  const updates = pack.routes.find(({ name }) => name === 'catalog-update');
  updates.purgeOnSuccess = variant.onSuccess ?? false;
  if (patience > 0) route.timeout = { response: `${patience}s`, total: `${patience}s` };
  return pack;
}

/** An upstream and a gateway for each variant, all at once. */
export async function startVariants({ dist, folder, products, renderMs, patience }) {
  const keysFile = join(folder, 'keys.json');
  const authorization = writeKeys(keysFile);
  return Promise.all(
    VARIANTS.map(async (variant) => {
      const upstream = startProcess(process.execPath, [
        join(ROOT, 'bench', 'cache', 'upstream.mjs'),
        String(products),
        String(renderMs),
      ]);
      const upstreamPort = Number((await upstream.matching(/^listening (\d+)$/))[1]);
      const configPath = join(folder, `${variant.id}.yaml`);
      writeFileSync(
        configPath,
        JSON.stringify(packFor(variant, { upstreamPort, keysFile, patience }), null, 2),
      );
      const rolloutsDir = join(folder, `${variant.id}-rollouts`);
      mkdirSync(rolloutsDir);
      const stateDir = join(folder, variant.id);
      const gateway = await startUp({ dist, configPath, rolloutsDir, stateDir });
      return { ...variant, upstream, upstreamPort, gateway, authorization };
    }),
  );
}

/** A key of the issuer that the pack names, and the token of an editor of the catalog by it. */
function writeKeys(file) {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'lab', alg: 'ES256', use: 'sig' };
  writeFileSync(file, JSON.stringify({ keys: [jwk] }));
  const claims = {
    iss: 'https://id.shop.example',
    aud: 'shop-api',
    sub: 'editor',
    scope: 'catalog:write',
    exp: Math.floor(Date.now() / 1000) + 86_400,
  };
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${part({ alg: 'ES256', kid: 'lab', typ: 'JWT' })}.${part(claims)}`;
  const signature = sign('sha256', Buffer.from(text), { key: privateKey, dsaEncoding: 'ieee-p1363' });
  return `Bearer ${text}.${signature.toString('base64url')}`;
}
