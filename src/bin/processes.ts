/**
 * Runs Sluice: `up` (everything in one process), `gateway` and `operator`, each from its flags to its end.
 * Heavy to load, as it composes all other folders; verbs that only ask the control API never load it.
 * @module
 */

import { type LoadedProject, loadProject, type Project, type ProjectPaths } from '../config/load-project.ts';
import { placeOf } from '../config/place-of.ts';
import { listenAddress } from '../config/primitives.ts';
import { SluiceError } from '../core/domain/errors.ts';
import type { Backend } from '../ports/backend.ts';
import { createLogger, type Logger, type LogLevel } from '../telemetry/logger.ts';
import { openBackend, type RedisChoice, startOperatorWithApi } from './compose.ts';
import { type GatewayProcess, runGateway } from './gateway-process.ts';
import { type Lifetime, liveUntilStopped, type Own } from './lifetime.ts';
import type { GatewayFlags, OperatorFlags, ProcessIo, SharedFlags, UpFlags } from './process-flags.ts';

export async function up(flags: UpFlags, io: ProcessIo): Promise<void> {
  const logger = processLogger(flags.logLevel, 'sluice');
  const paths = pathsOf(flags);
  const { value: project } = checked(loadProject(paths));
  await liveUntilStopped(async (own, stopping) => {
    const backend = await openOwned(own, stopping, flags, io, logger);
    // Together: the gateway waits for the operator to confirm the weight of a canary. The operator is closed last:
    // while the gateway drains, the canary's weight is still renewed.
    const operatorStarting = startOperatorWithApi({
      ...operatorOptions(flags, project, paths, io),
      // One process for one machine, tried out in a minute: tokens are asked for once there are any.
      loopbackWithoutToken: project.operator.api.tokens.length === 0,
      backend,
      logger,
    });
    own(() => settled(operatorStarting));
    const starting = runGateway({
      ...gatewayOptions(flags, logger),
      name: null,
      zone: null,
      backend,
      stopping,
    });
    own(() => settled(starting));
    const [running, proxy] = await Promise.all([operatorStarting, starting]);
    sayGateway(proxy, io);
    io.say(`control API  ${running.api.url}`);
    io.say(`rollouts     ${Object.keys(project.plans).join(', ') || 'none declared'}`);
    io.say(`next         npx rollout start ${Object.keys(project.plans)[0] ?? '<name>'}`);
    return gatewayLife(proxy, io);
  });
}

export async function gateway(flags: GatewayFlags, io: ProcessIo): Promise<void> {
  const logger = processLogger(flags.logLevel, 'gateway');
  await liveUntilStopped(async (own, stopping) => {
    const backend = await openOwned(own, stopping, flags, io, logger);
    const { name = null, zone = null } = flags;
    const starting = runGateway({ ...gatewayOptions(flags, logger), name, zone, backend, stopping });
    own(() => settled(starting));
    const proxy = await starting;
    sayGateway(proxy, io);
    return gatewayLife(proxy, io);
  });
}

export async function operator(flags: OperatorFlags, io: ProcessIo): Promise<void> {
  const logger = processLogger(flags.logLevel, 'operator');
  const paths = pathsOf(flags);
  const { value: project } = checked(loadProject(paths));
  const loopbackWithoutToken = flags.openLoopback ?? false;
  if (!loopbackWithoutToken) needTokens(project);
  await liveUntilStopped(async (own, stopping) => {
    const backend = await openOwned(own, stopping, flags, io, logger);
    const starting = startOperatorWithApi({
      ...operatorOptions(flags, project, paths, io),
      loopbackWithoutToken,
      backend,
      logger,
    });
    own(() => settled(starting));
    io.say(`control API  ${(await starting).api.url}`);
    return { onHangUp: null, onStop: () => undefined };
  });
}

/** Closes what has started, whether or not its start was still under way; one that has failed has closed itself. */
async function settled(starting: Promise<{ close(): Promise<void> }>): Promise<void> {
  const [result] = await Promise.allSettled([starting]);
  if (result.status === 'fulfilled') await result.value.close();
}

async function openOwned(
  own: Own,
  stopping: AbortSignal,
  flags: { readonly redis?: string; readonly stateDir: string },
  io: ProcessIo,
  logger: Logger,
): Promise<Backend> {
  const opening = openBackend({ redis: redisOf(flags, io), stateDir: flags.stateDir }, logger, stopping);
  own(() => settled(opening));
  const backend = await opening;
  // What is out of reach cannot be told goodbye: everything else then ends without waiting for it.
  stopping.addEventListener('abort', () => {
    if (!backend.connected()) void backend.close();
  });
  return backend;
}

function gatewayOptions({ gateway, stateDir }: Omit<GatewayFlags, 'name'>, logger: Logger) {
  return { path: gateway, stateDir, logger };
}

function gatewayLife(proxy: GatewayProcess, io: ProcessIo): Lifetime {
  return {
    onHangUp: () => proxy.reload(),
    onStop: () => io.say('stopping: requests in flight are let through'),
  };
}

/** Behind a proxy on its own machine everyone comes from loopback, so nobody is let in by that unasked. */
function needTokens({ operator: { path, api } }: Project): void {
  if (api.tokens.length > 0) return;
  throw new SluiceError('CONFIG_INVALID', {
    detail: `${placeOf(path, ['operator', 'api', 'tokens'])} declares no operator.api.tokens, so nobody could use the control API`,
    hint: 'Add one, such as { name: ci, role: operator, token: { env: SLUICE_CI_TOKEN } }, or start with --open-loopback: clients on this machine then need none.',
  });
}

function operatorOptions(flags: UpFlags, project: Project, paths: ProjectPaths, io: ProcessIo) {
  return {
    config: project.operator,
    paths,
    address: flags.api === undefined ? null : parseAddress(flags.api),
    advertiseUrl: flags.advertiseUrl ?? null,
    env: io.env,
    stateDir: flags.stateDir,
  };
}

function pathsOf(flags: SharedFlags): ProjectPaths {
  return { gatewayPath: flags.gateway, rolloutsDir: flags.rollouts };
}

/** The environment variable keeps a password out of the process list; an empty one is as good as none. */
function redisOf(flags: { readonly redis?: string }, io: ProcessIo): RedisChoice | null {
  if (flags.redis !== undefined) return { url: flags.redis, from: '--redis' };
  return io.env.SLUICE_REDIS ? { url: io.env.SLUICE_REDIS, from: 'SLUICE_REDIS' } : null;
}

function parseAddress(text: string) {
  const result = listenAddress.safeParse(text);
  if (result.success) return result.data;
  throw new SluiceError('BAD_REQUEST', { detail: `--api: ${result.error.issues[0]?.message ?? text}` });
}

/** A process starts only on a project without errors; while it runs, a broken file only blocks itself. */
function checked(loaded: LoadedProject): { value: Project } {
  const { value, diagnostics, sources } = loaded;
  if (value) return { value };
  throw new SluiceError('CONFIG_INVALID', {
    detail: 'the project has errors',
    data: { diagnostics, sources },
  });
}

function processLogger(level: LogLevel, component: string): Logger {
  return createLogger({ level, component, destination: process.stderr });
}

function sayGateway(proxy: GatewayProcess, io: ProcessIo): void {
  const { addresses, adminAddress } = proxy.gateway;
  for (const { host, port, secure } of addresses)
    io.say(`gateway      ${url(host, port, secure ? 'https' : 'http')}`);
  io.say(`metrics      ${url(adminAddress.host, adminAddress.port)}/metrics`);
}

function url(host: string, port: number, scheme = 'http'): string {
  const shown = host === '::' || host === '0.0.0.0' ? 'localhost' : host.includes(':') ? `[${host}]` : host;
  return `${scheme}://${shown}:${port}`;
}
