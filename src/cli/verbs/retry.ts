/**
 * `rollout retry`: starts an aborted or undone rollout again from its first step. Knows no protocol.
 * @module
 */

import type { Command } from 'commander';
import { reportChange } from '../change.ts';
import { EXIT } from '../exit-codes.ts';
import { resolveName } from '../rollout-name.ts';
import { type RegisterVerb, ROLLOUT_ARGUMENT } from '../verb-runner.ts';

export const registerRetry: RegisterVerb = (program, run) => {
  program
    .command('retry')
    .argument(...ROLLOUT_ARGUMENT)
    .description('start an aborted or undone rollout again, with its plan as declared now')
    .option('-m, --message <text>', 'what is different this time')
    .action((name: string | undefined, options: { message?: string }, command: Command) =>
      run(command, async (context) => {
        const client = await context.connect();
        const rollout = await resolveName(context, client, name);
        const view = await client.act(rollout, 'retry', { message: options.message ?? null });
        reportChange(context, 'retry', view);
        return EXIT.success;
      }),
    );
};
