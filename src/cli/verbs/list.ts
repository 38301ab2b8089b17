/**
 * `rollout list`: one row for each rollout, those that need attention first. Knows no protocol.
 * @module
 */

import { type Command, Option } from 'commander';
import { EXIT } from '../exit-codes.ts';
import { renderList } from '../render/lists.ts';
import type { RegisterVerb } from '../verb-runner.ts';

export const registerList: RegisterVerb = (program, run) => {
  program
    .command('list')
    .description('all rollouts, those that need attention first')
    .addOption(new Option('--names', 'names only, one a line (for shell completion)').hideHelp())
    .action((options: { names?: boolean }, command: Command) =>
      run(command, async (context) => {
        const views = await (await context.connect()).list();
        if (options.names) {
          for (const view of views) context.data(view.rollout);
        } else if (context.json) context.dataJson(views);
        else if (views.length > 0) context.data(renderList(views, context.render()));
        else context.talk('No rollout is declared. Add one to rollouts/ and run `rollout lint`.');
        return EXIT.success;
      }),
    );
};
