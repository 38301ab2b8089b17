/**
 * A ramp as text: proposed for a budget, as YAML to paste; or as `steps: auto` would run it, with what stands in its way.
 * Shows what `core/analysis/ramp.ts` decides; decides nothing.
 * @module
 */

import type { ProposedRamp } from '../../core/analysis/ramp.ts';
import { boundsText, costText, obstacleText } from '../../core/analysis/ramp-text.ts';
import { formatDuration } from '../../core/domain/duration.ts';
import type { AutoBounds } from '../../core/domain/plan.ts';
import type { Ramp } from '../../core/domain/ramp.ts';
import type { ServiceTraffic } from '../../core/domain/service-traffic.ts';
import { formatBp } from '../../core/domain/weight.ts';

/** As YAML to paste, with what the worst release costs. */
export function renderProposal(ramp: ProposedRamp | null, budget: number): readonly string[] {
  if (ramp === null) {
    return [
      '',
      `No ramp keeps a bad release to ${budget} failed requests: allow more, or give rules more traffic.`,
    ];
  }
  const { steps, durationMs, worst } = ramp;
  return [
    '',
    `# at most ${budget} failed requests, in ${whole(durationMs)}: ${costText(worst)}`,
    'steps:',
    ...steps.map(({ weightBp, holdMs }) => {
      const hold = holdMs > 0 ? `, hold: ${whole(holdMs)}` : '';
      return `  - { weight: ${formatBp(weightBp)}${hold} }`;
    }),
    `# or, following the traffic there is: steps: auto, auto: { budget: ${budget} failed requests }`,
  ];
}

/** The ramp that `steps: auto` would run with this traffic. */
export function renderAuto(bounds: AutoBounds, traffic: ServiceTraffic, ramp: Ramp): readonly string[] {
  const worst = ramp.worst.failures > 0 ? [`With this ramp ${costText(ramp.worst)}.`] : [];
  const obstacle =
    ramp.obstacle === null
      ? []
      : [`It does not keep its bounds: ${obstacleText(bounds, traffic, ramp.obstacle, ramp)}.`];
  return ['', `steps: auto, ${boundsText(bounds)}.`, ...worst, ...obstacle];
}

function whole(ms: number): string {
  return formatDuration(Math.ceil(ms / 1000) * 1000);
}
