/**
 * Declares the verbs that run Sluice: `up`, `gateway` and `operator`. They live here and not with the verbs that
 * only talk to the control API, and load what they run when they run it.
 * @module
 */

import type { Command } from 'commander';
import type { GatewayFlags, OperatorFlags, ProcessIo, UpFlags } from './process-flags.ts';

const processes = () => import('./processes.ts');

export function registerProcessVerbs(program: Command, io: ProcessIo): void {
  withOperatorFlags(withSharedFlags(program.command('up')))
    .description('run gateway, operator and control API in one process')
    .action(async (flags: UpFlags) => leave((await processes()).up(flags, io)));
  withSharedFlags(program.command('gateway'))
    .description('run a gateway (several share their work over Redis)')
    .option('--name <name>', 'unique name of this gateway')
    .option('--zone <zone>', 'where this gateway runs: endpoints in the same zone are preferred')
    .action(async (flags: GatewayFlags) => leave((await processes()).gateway(flags, io)));
  withOperatorFlags(withSharedFlags(program.command('operator')))
    .description('run an operator with its control API')
    .option('--open-loopback', 'accept clients on this machine without a token')
    .action(async (flags: OperatorFlags) => leave((await processes()).operator(flags, io)));
}

/** Everything is closed by then; timers of the Redis client would hold the process for two seconds more. */
async function leave(run: Promise<void>): Promise<void> {
  await run;
  process.exit();
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
