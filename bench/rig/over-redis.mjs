/**
 * Gateways over a Redis of their own, with the upstream and the load generator: what every benchmark of the grown-up
 * form stands on. Knows how they belong together, not what is measured.
 * @module
 */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gatewayYaml, scratchFolder, startLoad, startRedis, startSluice, startUpstream } from './sluice.mjs';

const BYTES = 1024;

/** Starts everything. `durable`: Redis writes to disk before it answers, as operators of rollouts should have it. */
export async function startOverRedis({ dist, names, durable = false }) {
  const folder = scratchFolder();
  const redis = await startRedis(folder, durable);
  const upstream = await startUpstream(BYTES, null);
  const generator = startLoad(null);
  const configPath = (name) => join(folder, `${name}.yaml`);

  /** Writes or rewrites a gateway's file; `changes` as `gatewayYaml` knows them. */
  const configure = (name, changes = {}) =>
    writeFileSync(
      configPath(name),
      gatewayYaml({ upstream, listen: '127.0.0.1:0', logPath: join(folder, `${name}.log`), ...changes }),
    );
  const start = (name) =>
    startSluice({
      dist,
      configPath: configPath(name),
      stateDir: join(folder, name),
      name,
      redisUrl: redis.url,
    });
  for (const name of names) configure(name);
  const gateways = await Promise.all(names.map(start));

  return {
    folder,
    redis,
    upstream,
    generator,
    /** In the order of `names`; whoever restarts one puts the new handle in its place. */
    gateways,
    configPath,
    configure,
    start,
    /** What the load generator has to know to send to all gateways. */
    load: (options) => ({
      targets: gateways.map(({ port }) => ({ host: '127.0.0.1', port })),
      bytes: BYTES,
      answersPerConnection: null,
      sticky: false,
      ...options,
    }),
    /** Ends everything in order; resolves with the exit codes of the gateways. */
    async stop() {
      const codes = await Promise.all(gateways.map(({ stop }) => stop()));
      await Promise.all([upstream.stop(), redis.stop()]);
      generator.child.disconnect();
      await generator.exited;
      return codes;
    },
  };
}
