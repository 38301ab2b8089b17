/**
 * The outcome of a replay as text: the decisions, and where they part from the recorded ones. Decides nothing.
 * @module
 */

import { describeMove } from '../../core/domain/share.ts';
import type { Decided } from '../../core/rollout/replay.ts';
import type { Phase } from '../../core/rollout/state.ts';
import { createStyle, type Style } from './style.ts';
import { cut, formatCount, formatDateTime, padEnd, printable, type RenderOptions } from './text.ts';

export interface ReplayReport {
  readonly name: string;
  readonly rollout: string;
  readonly run: number;
  /** Decided by another plan than the recorded one. */
  readonly otherPlan: boolean;
  readonly looks: number;
  readonly seconds: number;
  readonly phase: Phase;
  readonly recorded: readonly Decided[];
  readonly decided: readonly Decided[];
  /** Texts of rules that the recording has no answers of Prometheus for. */
  readonly notJudged: readonly string[];
  /** Index of the first decision that differs; null: none does. */
  readonly difference: number | null;
}

export function renderReplay(report: ReplayReport, options: RenderOptions): readonly string[] {
  const style = createStyle(options);
  const { name, rollout, run, looks, seconds, difference, recorded, decided } = report;
  const size = `${formatCount(looks)} looks, ${formatCount(seconds)} seconds of traffic`;
  const head = `${style.bold(`${rollout} run ${run}`)}  ${printable(name)}  ${size}`;
  const lines = (list: readonly Decided[]): readonly string[] =>
    list.map((each) => lineOf(each, options, style));
  const end = [...report.notJudged.map(withoutAnswers), `  ${verdictOf(report)}`, ''];
  if (difference === null) return [head, ...lines(decided), ...end];
  return [
    head,
    ...lines(decided.slice(0, difference)),
    style.dim('  as it happened:'),
    ...lines(recorded.slice(difference)),
    style.dim(report.otherPlan ? '  by the other plan:' : '  decided now:'),
    ...lines(decided.slice(difference)),
    ...end,
  ];
}

function withoutAnswers(text: string): string {
  return `  not judged: "${printable(text)}" (the recording has no answers of Prometheus for it)`;
}

function verdictOf({ otherPlan, difference, phase, decided }: ReplayReport): string {
  if (!otherPlan) return difference === null ? 'Identical to what happened.' : 'Not what happened.';
  const last = decided.at(-1);
  const ended = last === undefined ? phase : `${phase} at step ${last.transition.step + 1}`;
  return difference === null ? `The other plan decides the same: ${ended}.` : `The other plan ends ${ended}.`;
}

function lineOf({ atMs, transition }: Decided, options: RenderOptions, style: Style): string {
  const { type, step, reason } = transition;
  const weights = describeMove(transition, style.arrow);
  const text = `  ${formatDateTime(atMs, options.timeZone)}  ${padEnd(type, 13)} step ${step + 1}  ${weights}  ${printable(reason)}`;
  return cut(text, options.columns, options.unicode);
}
