/**
 * `rollout status`: the picture of one rollout, at once or when it has got somewhere. Knows no protocol.
 * @module
 */

import type { Command } from 'commander';
import { SluiceError } from '../../core/domain/errors.ts';
import type { RolloutView } from '../../core/view/rollout-view.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { renderView } from '../render/view.ts';
import { resolveName } from '../rollout-name.ts';
import type { VerbContext } from '../verb-context.ts';
import { type RegisterVerb, ROLLOUT_ARGUMENT } from '../verb-runner.ts';
import { parseTimeout, type WaitGoal, waitFor, waitOption } from '../wait.ts';

interface StatusOptions {
  readonly wait?: WaitGoal;
  readonly timeout?: string;
}

export const registerStatus: RegisterVerb = (program, run) => {
  program
    .command('status')
    .argument(...ROLLOUT_ARGUMENT)
    .description('where it is, what its checks say, what happens next')
    .addOption(waitOption())
    .option('--timeout <duration>', 'how long to wait, such as 30m (exit code 8 when it is over)')
    .action((name: string | undefined, options: StatusOptions, command: Command) =>
      run(command, (context) => status(context, name, options)),
    );
};

async function status(
  context: VerbContext,
  name: string | undefined,
  options: StatusOptions,
): Promise<ExitCode> {
  const timeoutMs = parseTimeout(options.timeout);
  if (timeoutMs !== null && options.wait === undefined) {
    throw new SluiceError('USAGE', { detail: '--timeout is of no use without --wait' });
  }
  const client = await context.connect();
  const view = await client.view(await resolveName(context, client, name));
  if (options.wait === undefined) {
    printView(context, view);
    return EXIT.success;
  }
  const result = await waitFor(context, client, { from: view, goal: options.wait, timeoutMs });
  printView(context, result.view);
  return result.code;
}

function printView(context: VerbContext, view: RolloutView): void {
  if (context.json) context.dataJson(view);
  else context.data(renderView(view, context.render()));
}
