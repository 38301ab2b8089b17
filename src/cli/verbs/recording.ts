/**
 * `rollout recording`: the recording of a run on stdout, for a file, a colleague or a test. Knows no protocol.
 * @module
 */

import type { Command } from 'commander';
import { SluiceError } from '../../core/domain/errors.ts';
import { EXIT } from '../exit-codes.ts';
import { resolveName } from '../rollout-name.ts';
import { type RegisterVerb, ROLLOUT_ARGUMENT } from '../verb-runner.ts';

export const registerRecording: RegisterVerb = (program, run) => {
  program
    .command('recording')
    .argument(...ROLLOUT_ARGUMENT)
    .description('print the recording of a run: all that its decisions were made from')
    .option('--run <n>', 'of this run instead of the newest')
    .action((name: string | undefined, options: { run?: string }, command: Command) =>
      run(command, async (context) => {
        const number = runNumber(options.run);
        const client = await context.connect();
        const rollout = await resolveName(context, client, name);
        context.io.stdout.write(await client.recording(rollout, number));
        return EXIT.success;
      }),
    );
};

function runNumber(text: string | undefined): number | null {
  if (text === undefined) return null;
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new SluiceError('USAGE', { detail: `--run must be the number of a run, got "${text}"` });
}
