/**
 * The command line: global options, the list of verbs, and how each ends. Process verbs (`up`, `gateway`,
 * `operator`) are added by bin; this knows only those that talk to the control API or work offline.
 * @module
 */

import { Command, CommanderError } from 'commander';
import type { CliIo } from './cli-io.ts';
import { EXIT } from './exit-codes.ts';
import { reportError } from './report-error.ts';
import { createVerbContext, type GlobalOptions } from './verb-context.ts';
import type { VerbRunner } from './verb-runner.ts';
import { registerAbort } from './verbs/abort.ts';
import { registerAnalyze } from './verbs/analyze.ts';
import { registerCache } from './verbs/cache.ts';
import { registerCompletion } from './verbs/completion.ts';
import { registerEvents } from './verbs/events.ts';
import { registerExplain } from './verbs/explain.ts';
import { registerHistory } from './verbs/history.ts';
import { registerLint } from './verbs/lint.ts';
import { registerList } from './verbs/list.ts';
import { registerPause } from './verbs/pause.ts';
import { registerPlan } from './verbs/plan.ts';
import { registerPromote } from './verbs/promote.ts';
import { registerRecording } from './verbs/recording.ts';
import { registerReplay } from './verbs/replay.ts';
import { registerResume } from './verbs/resume.ts';
import { registerRetry } from './verbs/retry.ts';
import { registerSchema } from './verbs/schema.ts';
import { registerStart } from './verbs/start.ts';
import { registerStatus } from './verbs/status.ts';
import { registerUndo } from './verbs/undo.ts';
import { registerWatch } from './verbs/watch.ts';
import { WAIT_GOALS } from './wait.ts';

/** Further verbs may be registered on it before {@link runProgram}. */
export function createProgram(io: CliIo): Command {
  const program = new Command('rollout')
    .description('Releases new versions in small safe steps, and takes them back when they are worse.')
    .version(io.version)
    .option('--server <url>', 'control API (env SLUICE_SERVER; default http://127.0.0.1:7070)')
    .option('--token-file <path>', 'file with the bearer token (or env SLUICE_TOKEN)')
    .option('--json', 'machine-readable output on stdout')
    .option('-q, --quiet', 'say nothing but errors on stderr')
    .option('--no-color', 'no colours (also env NO_COLOR)')
    .option('-y, --yes', 'answer yes to questions')
    .option('--no-input', 'never ask')
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => void io.stdout.write(text),
      writeErr: (text) => void io.stderr.write(text),
      getOutHelpWidth: () => io.columns(),
      getErrHelpWidth: () => io.columns(),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .showHelpAfterError('(add --help for the options)')
    .exitOverride();

  const run: VerbRunner = async (command, verb) => {
    const context = createVerbContext(io, command.optsWithGlobals<GlobalOptions>());
    try {
      io.setExitCode(await verb(context));
    } catch (error) {
      io.setExitCode(reportError(context, error));
    }
  };

  program.commandsGroup('Rollouts:');
  for (const register of [registerPlan, registerStart, registerStatus, registerWatch, registerList])
    register(program, run);
  for (const register of [registerPromote, registerPause, registerResume, registerAbort]) {
    register(program, run);
  }
  for (const register of [
    registerRetry,
    registerUndo,
    registerHistory,
    registerEvents,
    registerExplain,
    registerRecording,
  ]) {
    register(program, run);
  }
  program.commandsGroup('Gateways:');
  registerCache(program, run);
  program.commandsGroup('Offline:');
  for (const register of [
    registerAnalyze,
    registerReplay,
    registerLint,
    registerSchema,
    registerCompletion,
  ]) {
    register(program, run);
  }
  return program;
}

/** Parses and runs; every outcome ends in `io.setExitCode`. `argv` is without node and script. */
export async function runProgram(program: Command, io: CliIo, argv: readonly string[]): Promise<void> {
  try {
    await program.parseAsync(withWaitGoals(withoutStrayHelp(program, argv)), { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) {
      io.setExitCode(error.exitCode === 0 ? EXIT.success : EXIT.usage);
      return;
    }
    io.setExitCode(reportError(createVerbContext(io, program.opts<GlobalOptions>()), error));
  }
}

/** Asked for help on a verb that does not exist, Commander would explain the whole program and call it a success. */
function withoutStrayHelp(program: Command, argv: readonly string[]): readonly string[] {
  const takesValue = (option: string | undefined): boolean =>
    option === '--server' || option === '--token-file';
  const verb = argv.find((argument, index) => !argument.startsWith('-') && !takesValue(argv[index - 1]));
  if (verb === undefined || verb === 'help' || program.commands.some((command) => command.name() === verb)) {
    return argv;
  }
  return argv.filter((argument) => argument !== '--help' && argument !== '-h');
}

/** `--wait orders-v2` means `--wait=done orders-v2`: Commander would take the name for the goal. */
function withWaitGoals(argv: readonly string[]): string[] {
  const goals: readonly string[] = WAIT_GOALS;
  return argv.map((argument, index) => {
    const next = argv[index + 1];
    return argument === '--wait' && (next === undefined || !goals.includes(next)) ? '--wait=done' : argument;
  });
}
