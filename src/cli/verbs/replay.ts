/**
 * `rollout replay`: decides recorded runs again, by their own plan or by another one, and says what would have been
 * different. Works on files and folders without an operator, so that CI can hold a plan against a past.
 * @module
 */

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { Command } from 'commander';
import { SluiceError } from '../../core/domain/errors.ts';
import type { Plan } from '../../core/domain/plan.ts';
import { readFrame, readHead } from '../../core/rollout/recording.ts';
import { firstDifference, Replay } from '../../core/rollout/replay.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { planIn } from '../plan-file.ts';
import { type ReplayReport, renderReplay } from '../render/replay.ts';
import type { VerbContext } from '../verb-context.ts';
import type { RegisterVerb } from '../verb-runner.ts';

interface ReplayOptions {
  readonly plan?: string;
}

export const registerReplay: RegisterVerb = (program, run) => {
  program
    .command('replay')
    .argument('<recordings...>', 'files, folders of them, or the name of a rollout')
    .description('decide recorded runs again, by their own plan or another one')
    .option('--plan <file>', 'a rollout file whose rules and steps are used instead')
    .action((sources: string[], options: ReplayOptions, command: Command) =>
      run(command, (context) => replay(context, sources, options)),
    );
};

/** Exit code 1 when a recording does not lead to its own decisions again. */
async function replay(
  context: VerbContext,
  sources: readonly string[],
  options: ReplayOptions,
): Promise<ExitCode> {
  const plan = options.plan === undefined ? null : await planIn(options.plan);
  const reports: ReplayReport[] = [];
  for (const { name, text } of await recordingsOf(context, sources)) {
    reports.push(replayText(name, text(), plan));
  }
  if (context.json) for (const report of reports) context.dataJson(report);
  else context.data(reports.flatMap((report) => renderReplay(report, context.render())));
  const astray = plan === null && reports.some(({ difference }) => difference !== null);
  return astray ? EXIT.failure : EXIT.success;
}

function replayText(name: string, text: string, plan: Plan | null): ReplayReport {
  const lines = text.split('\n').filter((line) => line !== '');
  let at = 1;
  try {
    const head = readHead(lines[0] ?? '');
    const again = new Replay(head, plan);
    for (const line of lines.slice(1)) {
      at += 1;
      again.add(readFrame(line));
    }
    const { recorded, decided, looks, seconds, state, notJudged } = again;
    return {
      name,
      rollout: head.rollout,
      run: head.run,
      otherPlan: plan !== null,
      looks,
      seconds,
      phase: state.phase,
      recorded,
      decided,
      notJudged,
      difference: firstDifference(recorded, decided),
    };
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    throw new SluiceError('USAGE', { detail: `${name}:${at}: ${detail}`, cause: error });
  }
}

interface Source {
  readonly name: string;
  readonly text: () => string;
}

async function recordingsOf(context: VerbContext, sources: readonly string[]): Promise<readonly Source[]> {
  const found: Source[] = [];
  for (const source of sources) {
    const files = filesAt(source);
    if (files !== null) {
      found.push(...files.map((path) => ({ name: path, text: () => readText(path) })));
      continue;
    }
    const client = await context.connect();
    const text = await client.recording(source, null);
    found.push({ name: source, text: () => text });
  }
  if (found.length > 0) return found;
  throw new SluiceError('USAGE', {
    detail: `there is no recording (*.jsonl, *.jsonl.gz) in ${sources.join(', ')}`,
  });
}

/** Null: nothing of that name is on disk, so that it names a rollout. */
function filesAt(path: string): readonly string[] | null {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return null;
  if (!stats.isDirectory()) return [path];
  return readdirSync(path)
    .filter((name) => /\.jsonl(?:\.gz)?$/.test(name))
    .sort()
    .map((name) => join(path, name));
}

function readText(path: string): string {
  const bytes = readFileSync(path);
  return (path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8');
}
