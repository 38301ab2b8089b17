/**
 * The tables of `list` and `history`. Pure; know no request.
 * @module
 */

import { formatDuration } from '../../core/domain/duration.ts';
import type { Verdict } from '../../core/domain/rule.ts';
import { formatBp } from '../../core/domain/weight.ts';
import type { RolloutView, Severity } from '../../core/view/rollout-view.ts';
import type { RunSummary } from '../../core/view/run-summary.ts';
import { renderStepBar } from './step-bar.ts';
import { createStyle, type Style } from './style.ts';
import { type Cell, renderTable } from './table.ts';
import { formatDateTime, printable, type RenderOptions } from './text.ts';

const NEEDS_ATTENTION_FIRST: readonly Severity[] = ['attention', 'active', 'bad', 'good', 'idle'];
const WORST_FIRST: readonly Verdict[] = ['fail', 'no-evidence', 'undecided', 'pass'];

/** Those that need a person first, then by name. */
export function renderList(views: readonly RolloutView[], options: RenderOptions): readonly string[] {
  const style = createStyle(options);
  const rank = (view: RolloutView) => NEEDS_ATTENTION_FIRST.indexOf(view.severity);
  const sorted = [...views].sort((a, b) => rank(a) - rank(b) || (a.rollout < b.rollout ? -1 : 1));
  return renderTable(
    [
      { title: 'ROLLOUT', flexible: true },
      { title: 'STATUS' },
      { title: 'CANARY', align: 'right' },
      { title: 'STEPS', from: 72 },
      { title: 'WORST CHECK', from: 100 },
      { title: 'SINCE', align: 'right' },
    ],
    sorted.map((view) => listRow(view, options, style)),
    { columns: options.columns, indent: 0, unicode: options.unicode, paintTitle: style.dim },
  );
}

function listRow(view: RolloutView, options: RenderOptions, style: Style): readonly Cell[] {
  const { glyph, paint } = style.severity(view.severity);
  const worst = [...view.checks].sort(
    (a, b) => WORST_FIRST.indexOf(a.verdict) - WORST_FIRST.indexOf(b.verdict),
  )[0];
  // The rail is painted per step elsewhere; inside a cell it must stay plain to be measured.
  const rail = renderStepBar(view, createStyle({ color: false, unicode: options.unicode }), 40);
  const active = view.phase !== 'ready' && worst !== undefined;
  return [
    { text: view.rollout, paint: style.bold },
    { text: `${glyph} ${view.word}`, paint },
    { text: view.mirror ? `mirror ${formatBp(view.mirror.shareBp)}` : formatBp(view.weight.setBp) },
    { text: rail },
    { text: active ? `${printable(worst.text)}: ${worst.verdict}` : style.dash },
    { text: view.sinceMs === null ? style.dash : formatDuration(Math.max(1000, view.nowMs - view.sinceMs)) },
  ];
}

/** Newest first, as given. */
export function renderHistory(runs: readonly RunSummary[], options: RenderOptions): readonly string[] {
  const style = createStyle(options);
  const outcomes = {
    running: style.severity('active'),
    promoted: style.severity('good'),
    aborted: style.severity('bad'),
    undone: style.severity('bad'),
  } as const;
  const rows = runs.map((run): readonly Cell[] => {
    const { glyph, paint } = outcomes[run.outcome];
    const tookMs = run.endedAtMs === null ? null : run.endedAtMs - run.startedAtMs;
    return [
      { text: String(run.run) },
      { text: formatDateTime(run.startedAtMs, options.timeZone) },
      { text: tookMs === null ? style.dash : formatDuration(tookMs) },
      { text: `${glyph} ${run.outcome}`, paint },
      { text: printable(run.startedBy.name) },
      { text: printable(run.endedBy?.name ?? style.dash) },
      { text: printable(run.reason ?? run.message) },
    ];
  });
  return renderTable(
    [
      { title: 'RUN', align: 'right' },
      { title: 'STARTED' },
      { title: 'TOOK', align: 'right', from: 72 },
      { title: 'OUTCOME' },
      { title: 'BY' },
      { title: 'ENDED BY', from: 100 },
      { title: 'WHY', flexible: true, from: 72 },
    ],
    rows,
    { columns: options.columns, indent: 0, unicode: options.unicode, paintTitle: style.dim },
  );
}
