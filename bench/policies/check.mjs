/**
 * Checks scenarios without measuring: both files must load without a finding, and gateways by them must answer a few
 * requests as expected. In this process, so that all of them take seconds.
 * @module
 */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { load } from '../rig/sluice.mjs';
import { Driver } from './driver.mjs';
import { gatewayFile } from './world.mjs';

/** One after another on one connection: the first may be a miss, the last may not. */
const REQUESTS = 3;

/** `flawsOf(scenario)` gives sentences, none when all is well. `redisUrl`: null leaves scenarios over it unasked. */
export async function openCheck({ world, dist, redisUrl }) {
  const [
    { loadGatewayConfig },
    { readConfigFile },
    { openEmbedded },
    { openRedis },
    { runGateway },
    { createLogger },
  ] = await Promise.all(
    [
      'config/gateway-config.js',
      'config/read-config.js',
      'adapters/embedded/open-embedded.js',
      'adapters/redis/open-redis.js',
      'bin/gateway-process.js',
      'telemetry/logger.js',
    ].map((module) => load(dist, module)),
  );
  const logger = createLogger({ level: 'silent', component: 'gateway', destination: process.stderr });

  const answersOf = async (scenario, side, path, stateDir) => {
    const clock = { nowMs: () => Date.now() };
    const backend = await (scenario.redis
      ? openRedis({ url: redisUrl })
      : openEmbedded({ dir: stateDir, clock }));
    try {
      const running = await runGateway({
        path,
        name: null,
        zone: null,
        backend,
        stateDir,
        logger,
        stopping: new AbortController().signal,
      });
      const [{ port }] = running.gateway.addresses;
      const driver = new Driver({ scenario, side, world, port, connections: 1 });
      try {
        return (await driver.run(REQUESTS)).examples;
      } finally {
        driver.close();
        await running.close();
      }
    } finally {
      await backend.close();
    }
  };

  const flawsOfSide = async (scenario, side) => {
    const path = join(world.folder, `check-${scenario.id}-${side}.yaml`);
    writeFileSync(path, JSON.stringify(gatewayFile(world, scenario[side](world)), null, 2));
    const read = readConfigFile(path);
    if (!read.ok) return [read.diagnostic.message];
    const { diagnostics } = loadGatewayConfig(read.file, { certificateFiles: true });
    if (diagnostics.length > 0) {
      return diagnostics.map(
        ({ line, column, message, hint }) =>
          `${line}:${column} ${message}${hint === undefined ? '' : `; ${hint}`}`,
      );
    }
    if (scenario.redis && redisUrl === null) return [];
    const stateDir = join(world.folder, `check-${scenario.id}-${side}`);
    mkdirSync(stateDir, { recursive: true });
    return answersOf(scenario, side, path, stateDir).catch((error) => [String(error)]);
  };

  return async (scenario) => {
    const flaws = [];
    for (const side of ['off', 'on']) {
      for (const flaw of await flawsOfSide(scenario, side)) flaws.push(`${scenario.id}, ${side}: ${flaw}`);
    }
    return flaws;
  };
}
