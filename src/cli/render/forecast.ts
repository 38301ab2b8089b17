/**
 * A forecast as a table: per step and rule how long a regression stays unseen and what it costs, and how long a healthy
 * release takes. Shows what `core/analysis/forecast.ts` computes; computes nothing.
 * @module
 */

import { LOG_SPREAD } from '../../core/analysis/drift.ts';
import { type Forecast, isForeseen, type Sight, type StepForecast } from '../../core/analysis/forecast.ts';
import { bets } from '../../core/analysis/rule-bets.ts';
import { formatDuration } from '../../core/domain/duration.ts';
import type { Plan } from '../../core/domain/plan.ts';
import type { ServiceTraffic } from '../../core/domain/service-traffic.ts';
import { formatBp } from '../../core/domain/weight.ts';
import { NO_GUARANTEE } from '../../core/view/rollout-view.ts';
import { createStyle, type Style } from './style.ts';
import { type Cell, renderTable } from './table.ts';
import { formatCount, formatRate, printable, type RenderOptions } from './text.ts';

const MIRROR_NOTE = ' Of a mirror all requests are taken to be comparable, half of them asked of the canary.';

export function renderForecast(
  plan: Plan,
  traffic: ServiceTraffic,
  { steps, durationMs }: Forecast,
  options: RenderOptions,
): readonly string[] {
  const style = createStyle(options);
  const rows = steps.flatMap((step) => rowsOf(plan, step, style));
  const mirrors = steps.some(({ mirrorBp }) => mirrorBp !== undefined);
  const table = renderTable(
    [
      { title: 'STEP', align: 'right' },
      { title: 'CANARY', align: 'right' },
      { title: 'HOLD', align: 'right' },
      { title: 'RULE', flexible: true },
      { title: 'SIZE', align: 'right' },
      { title: 'SEEN IN', align: 'right' },
      { title: '9 OF 10', align: 'right', from: 72 },
      { title: 'FAILED', align: 'right', from: 84 },
      { title: 'SEES FROM', align: 'right' },
    ],
    rows,
    { columns: options.columns, indent: 2, unicode: options.unicode, paintTitle: style.dim },
  );
  const per = `${formatCount(traffic.requestsPerSecond)} requests/s, ${formatRate(traffic.errorRate)} errors`;
  return [
    `${style.bold(plan.rollout)}: ${plan.service} ${plan.baseline} ${style.arrow} ${plan.canary}, at ${per}`,
    '',
    ...table,
    '',
    durationLine(plan, durationMs),
    // Evidence adds up over steps, and a ramp of `auto` goes by the sum.
    ...(plan.auto ? [] : blindLines(plan, steps)),
    ...unforeseenLines(plan),
    style.dim(
      `SEEN IN: median time until a regression of SIZE is proven; FAILED: canary requests that fail until then. Latencies are assumed lognormal (${LOG_SPREAD}).${mirrors ? MIRROR_NOTE : ''}`,
    ),
  ];
}

function rowsOf(plan: Plan, step: StepForecast, style: Style): readonly (readonly Cell[])[] {
  const head = [
    { text: String(step.step + 1) },
    { text: step.mirrorBp === undefined ? formatBp(step.weightBp) : `mirror ${formatBp(step.mirrorBp)}` },
    { text: step.holdMs > 0 ? formatDuration(step.holdMs) : style.dash },
  ];
  if (step.sights.length === 0) {
    const none = [{ text: style.dash }, { text: style.dash }, { text: style.dash }];
    return [
      [
        ...head,
        { text: 'no rule looks here', paint: style.dim },
        ...none,
        { text: style.dash },
        { text: style.dash },
      ],
    ];
  }
  return step.sights.map((sight, index) => [
    ...(index === 0 ? head : head.map(() => ({ text: '' }))),
    ...sightCells(plan, step, sight, style),
  ]);
}

function sightCells(plan: Plan, step: StepForecast, sight: Sight, style: Style): readonly Cell[] {
  const blind = isBlind(step, sight);
  const attention = style.severity('attention').paint;
  const paint = blind ? { paint: attention } : {};
  return [
    { text: printable(plan.abort[sight.rule]?.text ?? '') },
    { text: `${trim(sight.size)}x` },
    { text: secondsText(sight.seconds.median, style), ...paint },
    { text: secondsText(sight.seconds.p90, style) },
    {
      text:
        sight.failures === null || !Number.isFinite(sight.failures)
          ? style.dash
          : formatCount(sight.failures),
    },
    { text: smallestText(step, sight, style), ...paint },
  ];
}

/** Within its hold the step proves a regression of the rule's own size less often than not. */
function isBlind(step: StepForecast, { seconds }: Sight): boolean {
  return step.holdMs > 0 && seconds.median * 1000 > step.holdMs;
}

function smallestText({ holdMs }: StepForecast, { smallest }: Sight, style: Style): string {
  if (holdMs === 0) return style.dash;
  return smallest === null ? 'blind' : `${trim(smallest)}x`;
}

function secondsText(seconds: number, style: Style): string {
  if (!Number.isFinite(seconds)) return style.dash;
  return formatDuration(Math.max(1, Math.round(seconds)) * 1000);
}

function durationLine(plan: Plan, { best, likely, worst }: Forecast['durationMs']): string {
  const gates = plan.steps.filter(({ gate }) => gate !== null).length;
  const waits = gates > 0 ? `, plus the wait at ${gates} gate${gates === 1 ? '' : 's'}` : '';
  const text = (ms: number): string => formatDuration(Math.round(ms / 1000) * 1000);
  if (best === worst) return `A healthy release takes ${text(worst)}${waits}.`;
  return `A healthy release takes ${text(likely)}, at best ${text(best)}, at worst ${text(worst)}${waits}.`;
}

/** Rules that the table lacks, and why. */
function unforeseenLines(plan: Plan): readonly string[] {
  return plan.abort
    .filter((rule) => !isForeseen(rule))
    .map((rule) => {
      const why = bets(rule)
        ? 'bets on counters of its own: this traffic does not say what they will show'
        : `is a threshold: ${NO_GUARANTEE}, and nothing to forecast`;
      return `"${printable(rule.text)}" ${why}.`;
    });
}

/** What to change where a step sees nothing of a rule. */
function blindLines(plan: Plan, steps: readonly StepForecast[]): readonly string[] {
  return steps.flatMap((step) =>
    step.sights
      .filter((sight) => isBlind(step, sight))
      .map((sight) => {
        const rule = printable(plan.abort[sight.rule]?.text ?? '');
        const need = Number.isFinite(sight.seconds.median)
          ? `hold it for ${formatDuration(Math.ceil(sight.seconds.median) * 1000)}, or ${step.mirrorBp === undefined ? 'give it more weight' : 'mirror more'}`
          : 'no hold is long enough';
        return `Step ${step.step + 1} is blind to ${trim(sight.size)}x by "${rule}": ${need}.`;
      }),
  );
}

function trim(value: number): string {
  return String(Number(value.toPrecision(2)));
}
