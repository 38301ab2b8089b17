/**
 * `rollout start`: shows the plan, starts it, and with --wait stays until it is over. Knows no protocol.
 * @module
 */

import type { Command } from 'commander';
import { SluiceError } from '../../core/domain/errors.ts';
import type { RolloutView } from '../../core/view/rollout-view.ts';
import { reportChange } from '../change.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { renderPlan } from '../render/plan.ts';
import { renderStepSummary } from '../render/step-summary.ts';
import { readText, type VerbContext } from '../verb-context.ts';
import type { RegisterVerb } from '../verb-runner.ts';
import { parseTimeout, type WaitGoal, waitFor, waitOption } from '../wait.ts';

interface StartOptions {
  readonly file?: string;
  readonly message?: string;
  readonly dryRun?: boolean;
  readonly wait?: WaitGoal;
  readonly timeout?: string;
}

export const registerStart: RegisterVerb = (program, run) => {
  program
    .command('start')
    .argument('[rollout]', 'its name; may be left out with --file')
    .description('show the plan of a rollout and start it')
    .option('-f, --file <path>', 'use this plan instead of the declared one')
    .option('-m, --message <text>', 'what is released, for the record')
    .option('--dry-run', 'check and show the plan, change nothing')
    .addOption(waitOption())
    .option('--timeout <duration>', 'how long to wait, such as 45m (exit code 8 when it is over)')
    .action((name: string | undefined, options: StartOptions, command: Command) =>
      run(command, (context) => start(context, name, options)),
    );
};

async function start(
  context: VerbContext,
  name: string | undefined,
  options: StartOptions,
): Promise<ExitCode> {
  const timeoutMs = parseTimeout(options.timeout);
  if (timeoutMs !== null && !options.wait) {
    throw new SluiceError('USAGE', { detail: '--timeout is of no use without --wait' });
  }
  const source = options.file === undefined ? null : await sourceOf(context, options.file);
  const rollout = name ?? (source ? nameIn(source.text) : null);
  if (rollout === null) {
    throw new SluiceError('USAGE', {
      detail: source ? `${source.file} names no rollout` : 'say which rollout to start',
      hint: 'rollout list shows those that are declared.',
    });
  }
  const client = await context.connect();
  const body = { source, message: options.message ?? null };
  const plan = await client.act(rollout, 'start', { ...body, dryRun: true });
  if (options.dryRun) {
    if (context.json) context.dataJson(plan);
    else context.data(renderPlan(plan, context.render()));
    context.talk(`Nothing was changed.\nNext: rollout start ${rollout}`);
    return EXIT.success;
  }
  context.talk([...renderPlan(plan, context.render()), '']);
  const view = await client.act(rollout, 'start', body);
  if (!options.wait) {
    reportChange(context, 'start', view);
    return EXIT.success;
  }
  context.talk(`Started ${rollout} (run ${view.run}); waiting until it is ${goalText(options.wait)}.`);
  const result = await waitFor(context, client, { from: view, goal: options.wait, timeoutMs });
  await reportEnd(context, result.view, result.code);
  return result.code;
}

async function sourceOf(context: VerbContext, file: string): Promise<{ file: string; text: string }> {
  return { file, text: await readText(context.io, file === '-' ? '/dev/stdin' : file) };
}

/** Good enough to address the request; the server checks that plan and address agree. */
function nameIn(text: string): string | null {
  return /^rollout:\s*["']?([a-z0-9][a-z0-9._-]*)/m.exec(text)?.[1] ?? null;
}

function goalText(goal: WaitGoal): string {
  return goal === 'step' ? 'at its next step' : goal;
}

async function reportEnd(context: VerbContext, view: RolloutView, code: ExitCode): Promise<void> {
  const { env } = context.io;
  if (context.json) context.dataJson(view);
  else context.data(`${view.rollout} ${view.word}: ${view.sentence}`);
  if (code === EXIT.running)
    context.talk(`The rollout goes on.\nNext: rollout status ${view.rollout} --wait`);
  if (code === EXIT.approval) context.talk(`Next: rollout promote ${view.rollout} --step ${view.step + 1}`);
  if (env.GITHUB_ACTIONS && env.GITHUB_STEP_SUMMARY) {
    await context.io.appendFile(env.GITHUB_STEP_SUMMARY, renderStepSummary(view));
  }
}
