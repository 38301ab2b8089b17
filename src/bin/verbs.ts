/**
 * The verbs that run Sluice: `up` (everything in one process), `gateway` and `operator`. They compose all
 * other folders, so they live here and not with the verbs that only talk to the control API.
 * @module
 */

import type { Command } from 'commander';
import { type LoadedProject, loadProject, type Project, type ProjectPaths } from '../config/load-project.ts';
import { listenAddress } from '../config/primitives.ts';
import { SluiceError } from '../core/domain/errors.ts';
import { createLogger, type Logger, type LogLevel } from '../telemetry/logger.ts';
import { openBackend, startOperatorWithApi } from './compose.ts';
import { runGateway } from './gateway-process.ts';
import { untilStopped } from './process-signals.ts';

interface SharedFlags {
  readonly gateway: string;
  readonly rollouts: string;
  readonly redis?: string;
  readonly stateDir: string;
  readonly logLevel: LogLevel;
}

interface GatewayFlags extends Omit<SharedFlags, 'rollouts'> {
  readonly name?: string;
}

interface OperatorFlags extends SharedFlags {
  readonly api?: string;
  readonly advertiseUrl?: string;
  readonly openLoopback?: boolean;
}

type UpFlags = Omit<OperatorFlags, 'openLoopback'>;

/** Where people's lines go; data never comes from these verbs. */
export interface ProcessIo {
  readonly env: Readonly<Record<string, string | undefined>>;
  say(line: string): void;
}

export function registerProcessVerbs(program: Command, io: ProcessIo): void {
  withOperatorFlags(withSharedFlags(program.command('up')))
    .description('run gateway, operator and control API in one process')
    .action((flags: UpFlags) => up(flags, io));
  withSharedFlags(program.command('gateway'))
    .description('run a gateway (several share their work over Redis)')
    .option('--name <name>', 'unique name of this gateway')
    .action((flags: GatewayFlags) => gateway(flags, io));
  withOperatorFlags(withSharedFlags(program.command('operator')))
    .description('run an operator with its control API')
    .option('--open-loopback', 'accept clients on this machine without a token')
    .action((flags: OperatorFlags) => operator(flags, io));
}

function withSharedFlags(command: Command): Command {
  return command
    .option('--gateway <file>', 'gateway configuration', 'proxy/gateway.yaml')
    .option('--rollouts <dir>', 'folder of rollouts', 'rollouts')
    .option(
      '--redis <url>',
      'share state over Redis: redis://, rediss://, redis+sentinel://, redis+cluster://',
    )
    .option('--state-dir <dir>', 'where state is kept', '.sluice')
    .option('--log-level <level>', 'debug, info, warn, error or silent', 'warn');
}

function withOperatorFlags(command: Command): Command {
  return command
    .option('--api <address>', 'address of the control API, such as 127.0.0.1:7070')
    .option('--advertise-url <url>', 'base URL of the control API for other operators');
}

async function up(flags: UpFlags, io: ProcessIo): Promise<void> {
  const logger = processLogger(flags.logLevel, 'sluice');
  const paths = pathsOf(flags);
  const { value: project } = checked(loadProject(paths));
  const backend = await openBackend({ redisUrl: redisUrl(flags, io), stateDir: flags.stateDir }, logger);
  // Together: the gateway waits for the operator to confirm the weight of a canary.
  const starting = runGateway({
    path: flags.gateway,
    name: null,
    backend,
    stateDir: flags.stateDir,
    logger,
  });
  const operatorStarting = startOperatorWithApi({
    ...operatorOptions(flags, project, paths, io),
    // One process for one machine, tried out in a minute: tokens are asked for once there are any.
    loopbackWithoutToken: project.operator.api.tokens.length === 0,
    backend,
    logger,
  });
  const [proxy, running] = await Promise.all([starting, operatorStarting]).catch(async (error: unknown) => {
    // What did start must not keep the process from ending.
    await Promise.allSettled([
      starting.then((started) => started.close()),
      operatorStarting.then((started) => started.close()),
    ]);
    await backend.close();
    throw error;
  });
  sayGateway(proxy, io);
  io.say(`control API  ${running.api.url}`);
  io.say(`rollouts     ${Object.keys(project.plans).join(', ') || 'none declared'}`);
  io.say(`next         rollout start ${Object.keys(project.plans)[0] ?? '<name>'}`);
  await untilStopped({ onHangUp: () => proxy.reload() });
  io.say('stopping: requests in flight are let through');
  await proxy.close();
  await running.close();
  await backend.close();
}

async function gateway(flags: GatewayFlags, io: ProcessIo): Promise<void> {
  const logger = processLogger(flags.logLevel, 'gateway');
  const backend = await openBackend({ redisUrl: redisUrl(flags, io), stateDir: flags.stateDir }, logger);
  const proxy = await runGateway({
    path: flags.gateway,
    name: flags.name ?? null,
    backend,
    stateDir: flags.stateDir,
    logger,
  });
  sayGateway(proxy, io);
  await untilStopped({ onHangUp: () => proxy.reload() });
  io.say('stopping: requests in flight are let through');
  await proxy.close();
  await backend.close();
}

async function operator(flags: OperatorFlags, io: ProcessIo): Promise<void> {
  const logger = processLogger(flags.logLevel, 'operator');
  const paths = pathsOf(flags);
  const { value: project } = checked(loadProject(paths));
  const loopbackWithoutToken = flags.openLoopback ?? false;
  if (!loopbackWithoutToken) needTokens(project);
  const backend = await openBackend({ redisUrl: redisUrl(flags, io), stateDir: flags.stateDir }, logger);
  const running = await startOperatorWithApi({
    ...operatorOptions(flags, project, paths, io),
    loopbackWithoutToken,
    backend,
    logger,
  });
  io.say(`control API  ${running.api.url}`);
  await untilStopped({ onHangUp: null });
  await running.close();
  await backend.close();
}

/** Behind a proxy on its own machine everyone comes from loopback, so nobody is let in by that unasked. */
function needTokens({ operator: { path, api } }: Project): void {
  if (api.tokens.length > 0) return;
  throw new SluiceError('CONFIG_INVALID', {
    detail: `${path} declares no operator.api.tokens, so nobody could use the control API`,
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
  };
}

function pathsOf(flags: SharedFlags): ProjectPaths {
  return { gatewayPath: flags.gateway, rolloutsDir: flags.rollouts };
}

/** The environment variable keeps a password out of the process list. */
function redisUrl(flags: { readonly redis?: string }, io: ProcessIo): string | null {
  return flags.redis ?? io.env.SLUICE_REDIS ?? null;
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

function sayGateway(proxy: Awaited<ReturnType<typeof runGateway>>, io: ProcessIo): void {
  const { addresses, adminAddress } = proxy.gateway;
  for (const { host, port } of addresses) io.say(`gateway      ${url(host, port)}`);
  io.say(`metrics      ${url(adminAddress.host, adminAddress.port)}/metrics`);
}

function url(host: string, port: number): string {
  const shown = host === '::' || host === '0.0.0.0' ? 'localhost' : host.includes(':') ? `[${host}]` : host;
  return `http://${shown}:${port}`;
}
