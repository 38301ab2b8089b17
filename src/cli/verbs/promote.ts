/**
 * `rollout promote`: ends the current hold or gate, or with --full the whole rollout. Acts on the step that
 * it has looked at, so a rollout that has moved meanwhile refuses.
 * @module
 */

import type { Command } from 'commander';
import { formatDuration } from '../../core/domain/duration.ts';
import { SluiceError } from '../../core/domain/errors.ts';
import { describeShare } from '../../core/domain/share.ts';
import type { RolloutView } from '../../core/view/rollout-view.ts';
import { reportChange } from '../change.ts';
import { confirm } from '../confirm.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { resolveName } from '../rollout-name.ts';
import type { VerbContext } from '../verb-context.ts';
import { type RegisterVerb, ROLLOUT_ARGUMENT } from '../verb-runner.ts';

interface PromoteOptions {
  readonly step?: string;
  readonly full?: boolean;
  readonly reason?: string;
}

export const registerPromote: RegisterVerb = (program, run) => {
  program
    .command('promote')
    .argument(...ROLLOUT_ARGUMENT)
    .description('end the current hold or gate and go on to the next step')
    .option('--step <n>', 'refuse unless it is at this step, counted from 1 (default: the step it is at now)')
    .option('--full', 'skip all further steps; asks first')
    .option('-r, --reason <text>', 'why, for the record')
    .action((name: string | undefined, options: PromoteOptions, command: Command) =>
      run(command, (context) => promote(context, name, options)),
    );
};

async function promote(
  context: VerbContext,
  name: string | undefined,
  options: PromoteOptions,
): Promise<ExitCode> {
  const named = options.step === undefined ? null : stepIndex(options.step);
  const client = await context.connect();
  const rollout = await resolveName(context, client, name);
  const view = await client.view(rollout);
  if (named !== null && named >= view.steps.length) {
    throw new SluiceError('USAGE', {
      detail: `${rollout} has ${view.steps.length} steps, so --step is 1 to ${view.steps.length}, got ${named + 1}`,
    });
  }
  const expectStep = named ?? view.step;
  if (view.phase === 'paused') context.talk('It was paused; promoting ends the pause as well.');
  const full = options.full ?? false;
  if (full && !(await confirmFull(context, view))) {
    context.talk('Nothing was changed.');
    return EXIT.failure;
  }
  const body = { expectStep, expectRun: view.run, full, reason: options.reason ?? null };
  reportChange(context, 'promote', await client.act(rollout, 'promote', body));
  return EXIT.success;
}

function stepIndex(text: string): number {
  if (/^[1-9]\d?$|^100$/.test(text)) return Number(text) - 1;
  throw new SluiceError('USAGE', { detail: `--step must be a number from 1 to 100, got "${text}"` });
}

async function confirmFull(context: VerbContext, view: RolloutView): Promise<boolean> {
  const skipped = view.steps
    .map((step, index) => ({ step, index }))
    .filter(({ index }) => index >= view.step && index < view.steps.length - 1)
    .map(({ step, index }) => {
      const hold = step.holdMs > 0 ? `, hold ${formatDuration(step.holdMs)}` : '';
      const gate = step.gate === null ? '' : `, ${step.gate} gate`;
      const rest = index === view.step ? 'the rest of step' : 'step';
      return `  ${rest} ${index + 1}: ${describeShare(step)}${hold}${gate}`;
    });
  if (skipped.length > 0) context.talk(['This skips', ...skipped]);
  return confirm(context, `Send all traffic of ${view.service} to ${view.canary} now?`);
}
