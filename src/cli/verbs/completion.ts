/**
 * `rollout completion`: the script that completes verbs, options and live rollout names in a shell.
 * @module
 */

import { Argument, type Command } from 'commander';
import { EXIT } from '../exit-codes.ts';
import { type CompletionVerb, renderCompletion, SHELLS, type Shell } from '../render/completion.ts';
import type { RegisterVerb } from '../verb-runner.ts';

export const registerCompletion: RegisterVerb = (program, run) => {
  program
    .command('completion')
    .addArgument(new Argument('<shell>', 'which').choices(SHELLS))
    .description('print a completion script, such as for `source <(rollout completion bash)`')
    .action((shell: Shell, _options: unknown, command: Command) =>
      run(command, async (context) => {
        context.io.stdout.write(renderCompletion(shell, verbsOf(program)));
        return EXIT.success;
      }),
    );
};

/** Also the verbs that bin adds: it is read when the script is made. */
function verbsOf(program: Command): readonly CompletionVerb[] {
  const flagsOf = (command: Command) => command.options.filter(({ hidden }) => !hidden).flatMap(namesOf);
  const everywhere = flagsOf(program);
  return program.commands.map((command) => ({
    name: command.name(),
    description: command.description(),
    flags: [...[command, ...command.commands].flatMap(flagsOf), ...everywhere],
    takesRollout: command.registeredArguments.some((argument) => argument.name() === 'rollout'),
  }));
}

function namesOf(option: { readonly long?: string | null | undefined }): readonly string[] {
  return option.long ? [option.long] : [];
}
