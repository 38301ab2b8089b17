/**
 * `rollout events`: the record of one rollout, and with -f what happens next. Knows no protocol.
 * @module
 */

import type { Command } from 'commander';
import { SluiceError } from '../../core/domain/errors.ts';
import type { RolloutEvent } from '../../core/domain/rollout-event.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { followRollout, newestSequence } from '../follow-rollout.ts';
import { stampedEvent } from '../render/event-line.ts';
import { createStyle } from '../render/style.ts';
import { resolveName } from '../rollout-name.ts';
import type { VerbContext } from '../verb-context.ts';
import { type RegisterVerb, ROLLOUT_ARGUMENT } from '../verb-runner.ts';

interface EventsOptions {
  readonly follow?: boolean;
  readonly limit: string;
}

const PAGE = 1000;
const MAX_LIMIT = 100_000;

export const registerEvents: RegisterVerb = (program, run) => {
  program
    .command('events')
    .argument(...ROLLOUT_ARGUMENT)
    .description('its transitions, oldest first: what, when, who, why')
    .option('-f, --follow', 'go on until interrupted')
    .option('-n, --limit <n>', 'how many of the newest to begin with', '50')
    .action((name: string | undefined, options: EventsOptions, command: Command) =>
      run(command, (context) => events(context, name, options)),
    );
};

async function events(
  context: VerbContext,
  name: string | undefined,
  options: EventsOptions,
): Promise<ExitCode> {
  const limit = Number(options.limit);
  if (!Number.isInteger(limit) || limit < 0 || limit > MAX_LIMIT) {
    throw new SluiceError('USAGE', {
      detail: `--limit must be a number from 0 to ${MAX_LIMIT}, got "${options.limit}"`,
    });
  }
  const client = await context.connect();
  const rollout = await resolveName(context, client, name);
  const style = createStyle(context.render());
  const print = (event: RolloutEvent) => {
    if (context.json) context.dataJson(event);
    else context.data(stampedEvent(event, style));
  };
  // Sequences have no gaps, so the newest `limit` begin right here.
  const view = await client.view(rollout);
  const newest = newestSequence(view);
  let after = Math.max(0, newest - limit);
  while (after < newest) {
    const page = await client.events(rollout, after, PAGE);
    for (const event of page) print(event);
    const last = page.at(-1);
    if (!last) break;
    after = last.sequence;
  }
  if (!options.follow) return EXIT.success;
  // Between transitions there may be hours in which nothing is printed.
  context.talk(`${rollout} ${view.word}: ${view.sentence}`);
  for await (const sight of followRollout(client, rollout, {
    afterSequence: after,
    signal: context.io.signal,
  })) {
    if (sight.kind === 'transition') print(sight.event);
    if (sight.kind === 'lost') context.talk(`reconnecting (${sight.reason})`);
  }
  return EXIT.interrupted;
}
