/**
 * `rollout pause`: stops at the current weight until somebody resumes. Knows no protocol.
 * @module
 */

import type { Command } from 'commander';
import { reportChange } from '../change.ts';
import { EXIT } from '../exit-codes.ts';
import { resolveName } from '../rollout-name.ts';
import { type RegisterVerb, ROLLOUT_ARGUMENT } from '../verb-runner.ts';

export const registerPause: RegisterVerb = (program, run) => {
  program
    .command('pause')
    .argument(...ROLLOUT_ARGUMENT)
    .description('stop at the current weight; abort rules go on watching')
    .option('-r, --reason <text>', 'why, for the record')
    .action((name: string | undefined, options: { reason?: string }, command: Command) =>
      run(command, async (context) => {
        const client = await context.connect();
        const rollout = await resolveName(context, client, name);
        const view = await client.act(rollout, 'pause', { reason: options.reason ?? null });
        reportChange(context, 'pause', view);
        return EXIT.success;
      }),
    );
};
