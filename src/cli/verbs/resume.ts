/**
 * `rollout resume`: goes on from where a pause stopped. Knows no protocol.
 * @module
 */

import type { Command } from 'commander';
import { reportChange } from '../change.ts';
import { EXIT } from '../exit-codes.ts';
import { resolveName } from '../rollout-name.ts';
import { type RegisterVerb, ROLLOUT_ARGUMENT } from '../verb-runner.ts';

export const registerResume: RegisterVerb = (program, run) => {
  program
    .command('resume')
    .argument(...ROLLOUT_ARGUMENT)
    .description('go on after a pause')
    .action((name: string | undefined, _options: unknown, command: Command) =>
      run(command, async (context) => {
        const client = await context.connect();
        const rollout = await resolveName(context, client, name);
        reportChange(context, 'resume', await client.act(rollout, 'resume', {}));
        return EXIT.success;
      }),
    );
};
