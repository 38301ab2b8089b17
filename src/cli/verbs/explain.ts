/**
 * `rollout explain`: why the last (or any) decision was what it was. Knows no protocol.
 * @module
 */

import type { Command } from 'commander';
import { SluiceError } from '../../core/domain/errors.ts';
import type { RolloutEvent } from '../../core/domain/rollout-event.ts';
import { explain } from '../../core/view/explanation.ts';
import type { ControlClient } from '../client.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { renderExplanation } from '../render/explanation.ts';
import { resolveName } from '../rollout-name.ts';
import type { VerbContext } from '../verb-context.ts';
import { type RegisterVerb, ROLLOUT_ARGUMENT } from '../verb-runner.ts';

const PAGE = 1000;

export const registerExplain: RegisterVerb = (program, run) => {
  program
    .command('explain')
    .argument(...ROLLOUT_ARGUMENT)
    .description('why the last decision was what it was: numbers, evidence, what would have turned it')
    .option('--event <n>', 'explain this event instead (see rollout events --json)')
    .action((name: string | undefined, options: { event?: string }, command: Command) =>
      run(command, (context) => explainVerb(context, name, options.event)),
    );
};

async function explainVerb(
  context: VerbContext,
  name: string | undefined,
  event: string | undefined,
): Promise<ExitCode> {
  const sequence = event === undefined ? null : Number(event);
  if (sequence !== null && !(Number.isInteger(sequence) && sequence > 0)) {
    throw new SluiceError('USAGE', { detail: `--event must be the number of an event, got "${event}"` });
  }
  const client = await context.connect();
  const rollout = await resolveName(context, client, name);
  const explanation = explain(await eventsOf(client, rollout, sequence), sequence);
  if (explanation === undefined) {
    throw new SluiceError('RUN_UNKNOWN', {
      detail:
        sequence === null ? `${rollout} has decided nothing yet` : `${rollout} has no event ${sequence}`,
      hint: `Look with \`rollout events ${rollout}\`.`,
    });
  }
  if (context.json) context.dataJson(explanation);
  else context.data(renderExplanation(explanation, context.render()));
  return EXIT.success;
}

/** All of them, or the one that is asked for. */
async function eventsOf(
  client: ControlClient,
  rollout: string,
  sequence: number | null,
): Promise<readonly RolloutEvent[]> {
  if (sequence !== null) return client.events(rollout, sequence - 1, 1);
  const events: RolloutEvent[] = [];
  for (let more = true; more; ) {
    const page = await client.events(rollout, events.at(-1)?.sequence ?? 0, PAGE);
    events.push(...page);
    more = page.length === PAGE;
  }
  return events;
}
