/**
 * The two ways to run Sluice that end-to-end tests compare: everything in one process, or two gateways and an
 * operator over a real Redis. Owns what it starts.
 * @module
 */

import { type RedisServer, startRedis } from './redis-server.ts';
import type { ControlClient } from './sluice-client.ts';
import { type ProjectOptions, type SluiceProcess, SluiceProject } from './sluice-process.ts';

export interface Deployment {
  readonly project: SluiceProject;
  readonly api: ControlClient;
  /** Base URLs of all gateways. */
  readonly origins: readonly string[];
  readonly gateways: readonly SluiceProcess[];
  /** The process that decides; embedded it is also the gateway. */
  readonly operator: SluiceProcess;
  close(): Promise<void>;
}

export interface OverRedis extends Deployment {
  readonly redis: RedisServer;
}

type DeployOptions = Omit<ProjectOptions, 'redisUrl'>;

export async function deployEmbedded(options: DeployOptions): Promise<Deployment> {
  const project = await SluiceProject.create({ ...options, redisUrl: null });
  const up = await project.startUp();
  return {
    project,
    api: up.api,
    origins: [up.url],
    gateways: [up],
    operator: up,
    close: () => project.close(),
  };
}

export async function deployOverRedis(
  options: DeployOptions & { readonly persistent?: boolean },
): Promise<OverRedis> {
  const { persistent = true, ...rest } = options;
  const redis = await startRedis({ persistent });
  const project = await SluiceProject.create({ ...rest, redisUrl: redis.url });
  const [a, b, operator] = await Promise.all([
    project.startGateway('gateway-a'),
    project.startGateway('gateway-b'),
    project.startOperator('operator-one'),
  ]);
  const gateways = [a, b];
  return {
    project,
    redis,
    api: operator.api,
    origins: gateways.map(({ url }) => url),
    gateways,
    operator,
    async close() {
      await project.close();
      await redis.stop();
    },
  };
}

export const backends: readonly {
  readonly name: string;
  readonly deploy: (options: DeployOptions) => Promise<Deployment>;
}[] = [
  { name: 'embedded', deploy: deployEmbedded },
  { name: 'over Redis', deploy: deployOverRedis },
];
