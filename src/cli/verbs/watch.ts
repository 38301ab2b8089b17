/**
 * `rollout watch`: the live picture on a terminal, one line for each transition elsewhere; ends with the run.
 * @module
 */

import type { Command } from 'commander';
import type { ControlClient } from '../client.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { followRollout } from '../follow-rollout.ts';
import { stampedEvent } from '../render/event-line.ts';
import { createStyle } from '../render/style.ts';
import { resolveName } from '../rollout-name.ts';
import { endOf } from '../run-phase.ts';
import type { VerbContext } from '../verb-context.ts';
import { type RegisterVerb, ROLLOUT_ARGUMENT } from '../verb-runner.ts';
import { WatchSession } from '../watch-session.ts';

export const registerWatch: RegisterVerb = (program, run) => {
  program
    .command('watch')
    .argument(...ROLLOUT_ARGUMENT)
    .description('follow it live until it is over')
    .action((name: string | undefined, _options: unknown, command: Command) =>
      run(command, async (context) => {
        const client = await context.connect();
        const rollout = await resolveName(context, client, name);
        const live = context.io.isTTY && !context.json;
        return live ? new WatchSession(context, client, rollout).run() : watchLines(context, client, rollout);
      }),
    );
};

async function watchLines(context: VerbContext, client: ControlClient, rollout: string): Promise<ExitCode> {
  const style = createStyle(context.render());
  const { signal } = context.io;
  let code: ExitCode | null = null;
  let first = true;
  for await (const sight of followRollout(client, rollout, { afterSequence: null, signal })) {
    switch (sight.kind) {
      case 'transition':
        if (context.json) context.dataJson(sight.event);
        else context.data(stampedEvent(sight.event, style));
        break;
      case 'lost':
        context.talk(`reconnecting (${sight.reason})`);
        break;
      case 'view':
        if (first) context.talk(`${rollout} ${sight.view.word}: ${sight.view.sentence}`);
        first = false;
        code = endOf(sight.view);
        if (code !== null) return code;
        break;
    }
  }
  signal.throwIfAborted();
  return EXIT.failure;
}
