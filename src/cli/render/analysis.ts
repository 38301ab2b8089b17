/**
 * What a plan would have made of the past, as text: per rule when its limit was broken and how evidence grew, and what
 * would have been decided. Shows what was found; judges nothing.
 * @module
 */

import { formatEvidence } from '../../core/analysis/assess.ts';
import type { RuleHindsight } from '../../core/analysis/hindsight.ts';
import { formatDuration } from '../../core/domain/duration.ts';
import { NO_GUARANTEE } from '../../core/view/rollout-view.ts';
import type { History } from '../history.ts';
import { sparkline } from './checks.ts';
import { createStyle, type Style } from './style.ts';
import { type Cell, renderTable } from './table.ts';
import { formatCount, formatDateTime, formatTime, printable, type RenderOptions, wrap } from './text.ts';

export interface AnalysisReport extends History {
  readonly rollout: string;
  readonly service: string;
  readonly baseline: string;
  readonly canary: string;
  readonly fromMs: number;
  readonly toMs: number;
  /** When the plan would have aborted first, and the rules to blame; null: never. */
  readonly aborted: { readonly atMs: number; readonly rules: readonly number[] } | null;
}

/** Points of the curve of evidence. */
const POINTS = 10;
/** Evidence below this share of its start is as good as none; the curve is logarithmic. */
const LEAST_EVIDENCE = 1e-3;
const MAX_LINES = 4;

export function renderAnalysis(report: AnalysisReport, options: RenderOptions): readonly string[] {
  const style = createStyle(options);
  const table = renderTable(
    [
      { title: 'RULE', flexible: true },
      { title: 'BROKEN', from: 60 },
      { title: 'EVIDENCE', align: 'right' },
      { title: 'AT', from: 72 },
      { title: 'OVER TIME', from: 90 },
      { title: 'WOULD' },
    ],
    report.rules.map((rule) => rowOf(rule, options, style)),
    { columns: options.columns, indent: 2, unicode: options.unicode, paintTitle: style.dim },
  );
  return [
    headLine(report, options, style),
    '',
    ...table,
    '',
    ...verdictLines(report, options),
    ...noteLines(report, options).map((line) => style.dim(line)),
  ];
}

function headLine(report: AnalysisReport, options: RenderOptions, style: Style): string {
  const { rollout, service, baseline, canary, fromMs, toMs, intervals, stepMs } = report;
  const { timeZone } = options;
  const span = `${formatDateTime(fromMs, timeZone)} to ${formatDateTime(toMs, timeZone)}`;
  const arms = `${service} ${baseline} ${style.arrow} ${canary}`;
  return `${style.bold(rollout)}: ${arms}, ${span}, ${formatCount(intervals)} intervals of ${formatDuration(stepMs)}`;
}

function rowOf(rule: RuleHindsight, { timeZone }: RenderOptions, style: Style): readonly Cell[] {
  const { peak, needed, brokenAtMs, abortedAtMs, gap } = rule;
  const bad = style.verdict('fail').paint;
  const at = (ms: number): string => formatTime(ms, timeZone);
  return [
    { text: printable(rule.text) },
    { text: brokenAtMs === null ? 'never' : at(brokenAtMs) },
    { text: peak === null || needed === null ? style.dash : `${formatEvidence(peak.evidence)}/${needed}` },
    { text: peak === null || gap !== null ? style.dash : at(peak.atMs), paint: style.dim },
    { text: sparkline(curveOf(rule), style.sparks), paint: style.dim },
    abortedAtMs === null
      ? { text: gap === null ? 'go on' : gap.cause, paint: style.dim }
      : { text: `abort ${at(abortedAtMs)}`, paint: bad },
  ];
}

/** The highest evidence of each tenth of the time, as a logarithm. */
function curveOf({ trail }: RuleHindsight): readonly number[] {
  const size = Math.max(1, Math.ceil(trail.length / POINTS));
  const points: number[] = [];
  for (let from = 0; from < trail.length; from += size) {
    const highest = Math.max(...trail.slice(from, from + size).map(({ evidence }) => evidence));
    points.push(Math.log10(Math.max(LEAST_EVIDENCE, highest)));
  }
  return points;
}

function verdictLines({ aborted, rules }: AnalysisReport, options: RenderOptions): readonly string[] {
  if (aborted === null) return ['This plan would not have aborted.'];
  const blamed = aborted.rules.flatMap((at) => rules[at] ?? []);
  const when = formatDateTime(aborted.atMs, options.timeZone);
  const names = blamed.map(({ text }) => `"${printable(text)}"`).join(' and ');
  return [
    `This plan would have aborted at ${when} by ${names}.`,
    ...blamed.flatMap(({ summary }) =>
      wrap(printable(summary), options.columns - 2, MAX_LINES).map((line) => `  ${line}`),
    ),
  ];
}

/** What the past does not tell, and how it was made up for. */
function noteLines({ rules, moved }: AnalysisReport, { timeZone }: RenderOptions): readonly string[] {
  const notes: string[] = [];
  for (const { text, gap, bets, intervals } of rules) {
    const name = `"${printable(text)}"`;
    if (gap !== null) notes.push(`${name} could not be judged: ${printable(gap.detail)}.`);
    else if (!bets) notes.push(`${name} is a threshold: ${NO_GUARANTEE}.`);
    if (gap === null && bets && intervals === 0) notes.push(`${name} saw no canary request.`);
  }
  if (rules.some(({ means, gap }) => means === 'buckets' && gap === null)) {
    notes.push(
      'Latencies are as fine as buckets: of the canary by their lower bounds, of the baseline by their upper ones.',
    );
  }
  if (moved > 0) {
    const intervals = moved === 1 ? 'one interval' : `${formatCount(moved)} intervals`;
    notes.push(`In ${intervals} the canary's share jumped: comparisons do not bet there.`);
  }
  return notes.length === 0 ? [] : ['', ...notes, `Times are of ${timeZone}.`];
}
