/**
 * The part of a RolloutView that is about `steps: auto`: bounds, what the ramp was decided from, what is in its way.
 * Wording only.
 * @module
 */

import { boundsText } from '../analysis/ramp-text.ts';
import type { AutoBounds } from '../domain/plan.ts';
import type { RampState } from '../rollout/auto-ramp.ts';
import type { RampView } from './rollout-view.ts';

/** `state` null: never started. */
export function projectRamp(bounds: AutoBounds, state: RampState | null): RampView {
  return {
    budget: bounds.budget,
    bounds: boundsText(bounds),
    traffic: state?.latest?.inputs.traffic ?? null,
    worst: state?.latest?.ramp.worst ?? null,
    obstacle: state?.obstacle ?? null,
  };
}
