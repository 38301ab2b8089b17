/**
 * `rollout abort`: sends all traffic back to the baseline. Never asks, because the safe direction is instant.
 * @module
 */

import type { Command } from 'commander';
import { reportChange } from '../change.ts';
import { EXIT } from '../exit-codes.ts';
import { resolveName } from '../rollout-name.ts';
import { type RegisterVerb, ROLLOUT_ARGUMENT } from '../verb-runner.ts';

const DEFAULT_REASON = 'aborted by hand';

export const registerAbort: RegisterVerb = (program, run) => {
  program
    .command('abort')
    .argument(...ROLLOUT_ARGUMENT)
    .description('send all traffic back to the baseline, at once and without asking')
    .option('-r, --reason <text>', `why, for the record (default: ${DEFAULT_REASON})`)
    .action((name: string | undefined, options: { reason?: string }, command: Command) =>
      run(command, async (context) => {
        const client = await context.connect();
        const rollout = await resolveName(context, client, name);
        const view = await client.act(rollout, 'abort', { reason: options.reason ?? DEFAULT_REASON });
        reportChange(context, 'abort', view);
        return EXIT.success;
      }),
    );
};
