/**
 * Runs a gateway as part of a process: loads its file, reloads it on SIGHUP and on change, drains it at the end.
 * @module
 */

import { randomUUID } from 'node:crypto';
import { unwatchFile, watchFile } from 'node:fs';
import { join } from 'node:path';
import type { Diagnostic, LoadResult } from '../config/diagnostic.ts';
import { loadGatewayConfig } from '../config/gateway-config.ts';
import type { GatewayConfig } from '../config/gateway-model.ts';
import { readConfigFile } from '../config/read-config.ts';
import { SluiceError } from '../core/domain/errors.ts';
import { type Gateway, startGateway } from '../gateway/gateway.ts';
import type { Backend } from '../ports/backend.ts';
import type { Logger } from '../telemetry/logger.ts';
import { systemClock } from './compose.ts';

/** The file is looked at this often: polling also sees what a mounted volume swaps underneath. */
const WATCH_EVERY_MS = 1_000;

export interface GatewayProcess {
  readonly gateway: Gateway;
  /** Reads the file again; a bad one changes nothing and is logged. */
  reload(): Promise<void>;
  /** Lets requests in flight end, then stops. */
  close(): Promise<void>;
}

export interface GatewayProcessOptions {
  readonly path: string;
  /** Overrides the configured name. */
  readonly name: string | null;
  /** Overrides the configured zone: gateways in several zones share one file. */
  readonly zone: string | null;
  readonly backend: Backend;
  /** Ends what a start waits for; a gateway that has not started by then has nothing to drain. */
  readonly stopping: AbortSignal;
  /** Last good weights are kept below it. */
  readonly stateDir: string;
  readonly logger: Logger;
}

export async function runGateway(options: GatewayProcessOptions): Promise<GatewayProcess> {
  const { path, backend, logger } = options;
  const gateway = await startGateway({
    config: placed(loadOrThrow(path), options),
    channel: backend.channel,
    telemetry: backend.telemetry,
    shared: backend.shared,
    purges: backend.purges,
    tier: backend.tier,
    clock: systemClock,
    stateDir: join(options.stateDir, 'gateway'),
    logger,
    env: process.env,
    incarnation: randomUUID(),
    stopping: options.stopping,
  });
  const served = !options.stopping.aborted;

  let reloading: Promise<void> = Promise.resolve();
  const reloadOnce = async (): Promise<void> => {
    const result = load(path);
    if (!result.value) {
      logger.error(
        { diagnostics: result.diagnostics.map(place) },
        'configuration not reloaded: it has errors; the old one stays',
      );
      return;
    }
    const outcome = await gateway.reload(placed(result.value, options));
    if (outcome.ok) logger.info({ path }, 'configuration reloaded');
    else logger.error({ path, detail: outcome.detail }, 'configuration not reloaded; the old one stays');
  };
  const reload = (): Promise<void> => {
    reloading = reloading
      .then(reloadOnce)
      .catch((error) => logger.error({ err: error }, 'configuration not reloaded'));
    return reloading;
  };
  const onChange = (): void => void reload();
  watchFile(path, { interval: WATCH_EVERY_MS, persistent: false }, onChange);

  return {
    gateway,
    reload,
    async close() {
      unwatchFile(path, onChange);
      await reloading;
      if (served) await gateway.drain();
      await gateway.close();
    },
  };
}

function load(path: string): LoadResult<GatewayConfig> {
  const read = readConfigFile(path);
  return read.ok
    ? loadGatewayConfig(read.file, { namedFiles: true })
    : { value: null, diagnostics: [read.diagnostic], sources: {} };
}

function loadOrThrow(path: string): GatewayConfig {
  const { value, diagnostics, sources } = load(path);
  if (value) return value;
  throw new SluiceError('CONFIG_INVALID', { detail: path, data: { diagnostics, sources } });
}

function placed(
  config: GatewayConfig,
  { name, zone }: Pick<GatewayProcessOptions, 'name' | 'zone'>,
): GatewayConfig {
  return { ...config, name: name ?? config.name, zone: zone ?? config.zone };
}

function place({ file, line, column, message }: Diagnostic): string {
  return `${file}:${line}:${column} ${message}`;
}
