/**
 * Sentences about a ramp of `steps: auto`: what stands in its way, and what it is expected to cost. One wording for the
 * view, events, errors and the command line; decides nothing.
 * @module
 */

import { formatDuration } from '../domain/duration.ts';
import type { AutoBounds } from '../domain/plan.ts';
import type { Cost, Ramp, RampObstacle } from '../domain/ramp.ts';
import type { ServiceTraffic } from '../domain/service-traffic.ts';
import { FULL_BP, formatBp } from '../domain/weight.ts';

/** Such as `from 1%, at most 3x at once, each held for 1m to 30m, within 6h; …`. */
export function boundsText(bounds: AutoBounds): string {
  const { fromBp, maxFactor, minHoldMs, maxHoldMs, maxDurationMs, budget, regression } = bounds;
  const holds = `each held for ${formatDuration(minHoldMs)} to ${formatDuration(maxHoldMs)}`;
  const steps = `from ${formatBp(fromBp)}, at most ${maxFactor}x at once, ${holds}, within ${formatDuration(maxDurationMs)}`;
  return `${steps}; ${regression}x the errors may cost ${budget} failed requests`;
}

/** Without a full stop. */
export function obstacleText(
  bounds: AutoBounds,
  traffic: ServiceTraffic,
  obstacle: RampObstacle,
  { worst }: Pick<Ramp, 'worst'>,
): string {
  const at = `${formatBp(obstacle.atBp)} of ${number(traffic.requestsPerSecond)} requests/s`;
  switch (obstacle.kind) {
    case 'budget':
      return `at ${at} ${costText(worst)}, more than the budget of ${bounds.budget}`;
    case 'slow': {
      const longest = `the longest hold is ${formatDuration(bounds.maxHoldMs)}`;
      const next = formatBp(obstacle.nextBp);
      if (obstacle.waitMs === null) return `at ${at} ${next} is never affordable`;
      return `at ${at} it takes another ${roughly(obstacle.waitMs)} until ${next} is affordable, and ${longest}`;
    }
    case 'proof':
      return `${formatBp(FULL_BP)} waits for the proof that the canary keeps its comparison of error rates`;
  }
}

/** What the dearest bad release costs: a clause with its verb. */
export function costText({ failures, rate }: Cost): string {
  return `a release that fails ${number(rate * 100)}% of its requests is expected to fail ${Math.ceil(failures)} before it is aborted`;
}

function roughly(ms: number): string {
  return formatDuration(Math.ceil(ms / 1000) * 1000);
}

function number(value: number): string {
  return value >= 1000 ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
}
