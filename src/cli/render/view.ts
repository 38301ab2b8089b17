/**
 * The picture of one rollout: what `status` prints once and `watch` redraws. A pure function of the view; the
 * words and the verdicts are the operator's.
 * @module
 */

import { formatDuration } from '../../core/domain/duration.ts';
import { formatBp } from '../../core/domain/weight.ts';
import type { GatewayView, RolloutView } from '../../core/view/rollout-view.ts';
import { isActiveView } from '../run-phase.ts';
import { renderChecks } from './checks.ts';
import { describeEvent } from './event-line.ts';
import { renderStepBar } from './step-bar.ts';
import { createStyle, type Style } from './style.ts';
import {
  cut,
  formatCount,
  formatRate,
  formatTime,
  joinFitting,
  printable,
  type RenderOptions,
  widthOf,
  wrap,
} from './text.ts';

const MAX_EVENTS = 5;
const MAX_LATE_GATEWAYS = 3;

/** Lines without line ends, none wider than `columns`. Works from 40 columns on. */
export function renderView(view: RolloutView, options: RenderOptions): readonly string[] {
  const style = createStyle(options);
  const blocks: readonly (readonly string[])[] = [
    [titleLine(view, options, style), statusLine(view, options, style)],
    [
      `  ${renderStepBar(view, style, options.columns - 2)}`,
      ...(view.phase === 'ready' ? [] : weightLines(view, options, style)),
      ...evidenceLines(view, options, style),
      ...rampLines(view, options),
    ],
    renderChecks(view, options, style),
    wrap(printable(view.sentence), options.columns - 4, 3).map((line) => `  ${line}`),
    eventLines(view, options, style),
  ];
  return blocks
    .filter((block) => block.length > 0)
    .flatMap((block, index) => (index > 0 ? ['', ...block] : block));
}

function titleLine(view: RolloutView, options: RenderOptions, style: Style): string {
  const left = `${view.rollout}   ${view.baseline} ${style.arrow} ${view.canary}`;
  const run = view.run > 0 ? `run ${view.run}` : 'never started';
  const room = options.columns - 1 - widthOf(left) - 3 - widthOf(run);
  const quoted = view.message === null ? '' : `"${printable(view.message)}"`;
  const note = room > 14 ? cut(quoted, room - 2, options.unicode) : '';
  const right = note === '' ? run : `${note}  ${run}`;
  const gap = Math.max(3, options.columns - 1 - widthOf(left) - widthOf(right));
  const name = `${style.bold(view.rollout)}   ${view.baseline} ${style.arrow} ${view.canary}`;
  return ` ${name}${' '.repeat(gap)}${style.dim(right)}`;
}

function statusLine(view: RolloutView, options: RenderOptions, style: Style): string {
  const { glyph, paint } = style.severity(view.severity);
  const elapsedMs = view.sinceMs === null ? null : view.nowMs - view.sinceMs;
  const least = view.remainingMs === null ? null : whole(view.remainingMs);
  const parts =
    view.phase === 'ready'
      ? [`${view.steps.length} steps`, ...(least === null ? [] : [`takes at least ${least}`])]
      : [
          `step ${view.step + 1} of ${view.steps.length}`,
          view.mirror
            ? `mirroring ${formatBp(view.mirror.shareBp)}`
            : `canary ${formatBp(view.weight.setBp)}`,
          ...(elapsedMs === null ? [] : [sinceText(view, elapsedMs)]),
          ...(least === null ? [] : [`at least ${least} left`]),
        ];
  const head = `${glyph} ${view.word}`;
  const rest = joinFitting(parts, style.dot, options.columns - 3 - widthOf(head));
  return ` ${style.bold(paint(head))}  ${rest}`;
}

function sinceText(view: RolloutView, elapsedMs: number): string {
  return isActiveView(view) ? `${whole(elapsedMs)} so far` : `${whole(elapsedMs)} ago`;
}

/** Durations that tick are shown in whole seconds. */
function whole(ms: number): string {
  return formatDuration(Math.max(0, Math.round(ms / 1000)) * 1000).replace(/^0ms$/, '0s');
}

function weightLines(view: RolloutView, options: RenderOptions, style: Style): readonly string[] {
  const { weight, mirror, gateways } = view;
  const current = gateways.filter((gateway) => gateway.current).length;
  const served = weight.servedBp === null ? 'share not known yet' : `${formatBp(weight.servedBp)} served`;
  const asked = mirror
    ? [`mirror  ${formatBp(mirror.shareBp)} set`, served]
    : [`weight  ${formatBp(weight.setBp)} set`, served];
  const counted = mirror
    ? `${formatCount(mirror.compared)} answers compared/min`
    : `${formatCount(weight.canaryRequests)} canary requests/min`;
  const parts = [...asked, `${current}/${gateways.length} gateways on rev ${weight.revision}`, counted];
  const late = gateways.filter((gateway) => !gateway.current);
  const lines = [`  ${joinFitting(parts, '   ', options.columns - 2)}`];
  for (const gateway of late.slice(0, MAX_LATE_GATEWAYS)) {
    lines.push(attentionLine(lateText(gateway, style), options, style));
  }
  if (late.length > MAX_LATE_GATEWAYS) lines.push(`          and ${late.length - MAX_LATE_GATEWAYS} more`);
  return lines;
}

function attentionLine(text: string, options: RenderOptions, style: Style): string {
  return style.severity('attention').paint(cut(`          ${text}`, options.columns, options.unicode));
}

function lateText(gateway: GatewayView, style: Style): string {
  const heard = `heard ${whole(gateway.ageMs)} ago`;
  const does =
    gateway.state === 'lease-expired'
      ? 'lease expired, serves the baseline'
      : `still on rev ${gateway.revision}`;
  return `${printable(gateway.name)} ${does}${style.dot}${heard}`;
}

function evidenceLines(view: RolloutView, options: RenderOptions, style: Style): readonly string[] {
  if (!isActiveView(view)) return [];
  const step = view.steps[view.step];
  if (!step) return [];
  const { evidenceMs, requests } = view.progress;
  const needed = step.requestsNeeded > 0 ? ` of ${formatCount(step.requestsNeeded)}` : '';
  const parts = [
    `hold    ${whole(evidenceMs)} of ${whole(step.holdMs)}`,
    `${formatCount(requests)}${needed} ${view.mirror ? 'answers compared' : 'canary requests judged'}`,
    ...(step.gate === null ? [] : [`then the ${step.gate} gate`]),
  ];
  const lines = [`  ${joinFitting(parts, '   ', options.columns - 2)}`];
  if (!view.evidence.flowing && view.evidence.cause !== null) {
    const since = view.evidence.sinceMs === null ? '' : ` for ${whole(view.nowMs - view.evidence.sinceMs)}`;
    lines.push(attentionLine(`no evidence${since}: ${view.evidence.cause}`, options, style));
  }
  for (const [dimension, attempts] of Object.entries(view.leftOut ?? {})) {
    const text = `too many values of ${printable(dimension)} to tell apart: ${formatCount(attempts)} attempts/min left out`;
    lines.push(attentionLine(text, options, style));
  }
  return lines;
}

function rampLines({ ramp }: RolloutView, options: RenderOptions): readonly string[] {
  if (!ramp) return [];
  const parts =
    ramp.traffic === null || ramp.worst === null
      ? [`ramp    ${ramp.bounds}`]
      : [
          `ramp    a bad release may cost ${Math.ceil(ramp.worst.failures)} of ${formatCount(ramp.budget)} failed requests`,
          `at ${formatCount(ramp.traffic.requestsPerSecond)} requests/s, ${formatRate(ramp.traffic.errorRate)} errors`,
        ];
  return [`  ${cut(joinFitting(parts, '   ', options.columns - 2), options.columns - 2, options.unicode)}`];
}

function eventLines(view: RolloutView, options: RenderOptions, style: Style): readonly string[] {
  return view.events
    .slice(-MAX_EVENTS)
    .reverse()
    .map((event) => {
      const time = formatTime(event.atMs, options.timeZone);
      const text = cut(describeEvent(event, style), options.columns - 12, options.unicode);
      return `  ${style.dim(time)}  ${text}`;
    });
}
