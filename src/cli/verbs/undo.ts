/**
 * `rollout undo`: takes a promoted rollout back to its baseline. Never asks: it is the safe direction.
 * @module
 */

import type { Command } from 'commander';
import { reportChange } from '../change.ts';
import { EXIT } from '../exit-codes.ts';
import { resolveName } from '../rollout-name.ts';
import { type RegisterVerb, ROLLOUT_ARGUMENT } from '../verb-runner.ts';

export const registerUndo: RegisterVerb = (program, run) => {
  program
    .command('undo')
    .argument(...ROLLOUT_ARGUMENT)
    .description('take a promoted rollout back to its baseline')
    .option('-r, --reason <text>', 'why, for the record')
    .action((name: string | undefined, options: { reason?: string }, command: Command) =>
      run(command, async (context) => {
        const client = await context.connect();
        const rollout = await resolveName(context, client, name);
        const view = await client.act(rollout, 'undo', { reason: options.reason ?? null });
        reportChange(context, 'undo', view);
        return EXIT.success;
      }),
    );
};
