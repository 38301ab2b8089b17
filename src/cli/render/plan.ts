/**
 * The plan as `start` shows it before anything happens: steps, rules, least duration. A pure function of the
 * view of a rollout that has not begun.
 * @module
 */

import { formatDuration } from '../../core/domain/duration.ts';
import { formatBp } from '../../core/domain/weight.ts';
import { NO_GUARANTEE, type RampView, type RolloutView } from '../../core/view/rollout-view.ts';
import { createStyle } from './style.ts';
import { renderTable } from './table.ts';
import { cut, formatCount, printable, type RenderOptions, wrap } from './text.ts';

export function renderPlan(view: RolloutView, options: RenderOptions): readonly string[] {
  const style = createStyle(options);
  const rows = view.steps.map((step, index) => [
    { text: String(index + 1) },
    { text: step.mirrorBp === undefined ? formatBp(step.weightBp) : `mirror ${formatBp(step.mirrorBp)}` },
    { text: step.holdMs > 0 ? formatDuration(step.holdMs) : style.dash },
    { text: step.requestsNeeded > 0 ? formatCount(step.requestsNeeded) : style.dash },
    { text: step.gate === null ? '' : `${step.gate} gate` },
  ]);
  const table = renderTable(
    [
      { title: 'STEP', align: 'right' },
      { title: 'CANARY', align: 'right' },
      { title: 'HOLD', align: 'right' },
      { title: 'REQUESTS', align: 'right' },
      { title: 'THEN' },
    ],
    rows,
    { columns: options.columns, indent: 2, unicode: options.unicode, paintTitle: style.dim },
  );
  const rules = view.checks.map(({ text, threshold }) => {
    const label = threshold === true ? `  ${NO_GUARANTEE}` : '';
    const rule = cut(`  ${printable(text)}`, options.columns - label.length, options.unicode);
    return `${rule}${style.dim(label)}`;
  });
  return [
    `${style.bold(view.rollout)}: ${view.service} ${view.baseline} ${style.arrow} ${view.canary}`,
    '',
    ...table,
    ...(view.ramp ? wrap(autoText(view.ramp), options.columns, 3) : []),
    '',
    ...(rules.length > 0 ? ['Aborts when', ...rules] : ['No rule aborts this rollout.']),
    '',
    leastDuration(view),
  ];
}

function autoText({ bounds }: RampView): string {
  return `steps: auto, ${bounds}. All but the first are proposals, made anew at every look.`;
}

/** Gates and missing evidence can only add to it. */
function leastDuration(view: RolloutView): string {
  const totalMs = view.steps.reduce((sum, step) => sum + step.holdMs, 0);
  const gates = view.steps.filter((step) => step.gate !== null).length;
  const waits = gates > 0 ? `, plus the wait at ${gates} gate${gates === 1 ? '' : 's'}` : '';
  return `Takes at least ${formatDuration(totalMs)}${waits}.`;
}
