/**
 * `rollout history`: one row for each run of a rollout, newest first. Knows no protocol.
 * @module
 */

import type { Command } from 'commander';
import { EXIT } from '../exit-codes.ts';
import { renderHistory } from '../render/lists.ts';
import { resolveName } from '../rollout-name.ts';
import { type RegisterVerb, ROLLOUT_ARGUMENT } from '../verb-runner.ts';

export const registerHistory: RegisterVerb = (program, run) => {
  program
    .command('history')
    .argument(...ROLLOUT_ARGUMENT)
    .description('its runs: when, who, how each ended and why')
    .action((name: string | undefined, _options: unknown, command: Command) =>
      run(command, async (context) => {
        const client = await context.connect();
        const rollout = await resolveName(context, client, name);
        const runs = await client.runs(rollout);
        if (context.json) context.dataJson(runs);
        else if (runs.length > 0) context.data(renderHistory(runs, context.render()));
        else context.talk(`${rollout} has never been started.\nNext: rollout start ${rollout}`);
        return EXIT.success;
      }),
    );
};
