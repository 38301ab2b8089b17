/**
 * The proxies under test, each started in a process of its own. Knows how each is started and what it was told
 * to do; measures nothing.
 * @module
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { startProcess } from '../rig/process-tree.mjs';
import { gatewayYaml, load, ROOT, splitDocument, startSluice } from '../rig/sluice.mjs';

const PROXIES = join(ROOT, 'bench', 'gateway', 'proxies');

/** Share of v2, basis points. */
const CANARY_BP = 3000;

/** All proxies, started and listening; `sluice` first. */
export async function startContenders({ dist, upstream, core, folder, nodeFlags }) {
  const other = async (name, file, label) => {
    const handle = startProcess(process.execPath, [join(PROXIES, file), String(upstream.v1)], { core });
    const [, port] = await handle.matching(/^listening (\d+)$/);
    return { ...handle, name, label, port: Number(port), sticky: false };
  };
  return [
    await startSluiceWithSplit({ dist, upstream, core, folder, nodeFlags }),
    await other('fast-gateway', 'fast-gateway.mjs', `fast-gateway ${versionOf('fast-gateway')}`),
    await other(
      '@fastify/http-proxy',
      'fastify-http-proxy.mjs',
      `@fastify/http-proxy ${versionOf('@fastify/http-proxy')} on fastify ${versionOf('fastify')}`,
    ),
    await other('node:http + pipe', 'bare-node.mjs', `node:http and pipe, Node ${process.versions.node}`),
  ];
}

/** With everything on: split over two versions from stored state, access log in a file, telemetry, retries. */
async function startSluiceWithSplit({ dist, upstream, core, folder, nodeFlags }) {
  const stateDir = join(folder, 'state');
  const { openEmbedded } = await load(dist, 'adapters/embedded/open-embedded.js');
  const backend = await openEmbedded({ dir: stateDir, clock: { nowMs: () => Date.now() } });
  await backend.channel.write(splitDocument({ revision: 1, canaryBp: CANARY_BP }));
  await backend.close();
  const configPath = join(folder, 'gateway.yaml');
  const logPath = join(folder, 'access.log');
  writeFileSync(configPath, gatewayYaml({ upstream, listen: '127.0.0.1:0', logPath }));
  const handle = await startSluice({ dist, configPath, stateDir, name: 'bench', core, nodeFlags });
  const label =
    'Sluice, full chain: route, sticky split 70/30, request id, traceparent, retry, access log, telemetry';
  return { ...handle, name: 'sluice', label, sticky: true, logPath };
}

function versionOf(name) {
  const require = createRequire(join(PROXIES, 'x.mjs'));
  const main = require.resolve(name);
  const folder = main.slice(
    0,
    main.lastIndexOf(join('node_modules', name)) + join('node_modules', name).length,
  );
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).version;
}
