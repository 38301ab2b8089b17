/**
 * Where a run is in its life, as verbs need to tell it apart. Knows no verb.
 * @module
 */

import type { RolloutView } from '../core/view/rollout-view.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';

export function isActiveView(view: RolloutView): boolean {
  return view.phase === 'holding' || view.phase === 'awaiting-gate' || view.phase === 'paused';
}

/** The exit code of a run that is over; null while it runs, and before the first one, which may still begin. */
export function endOf(view: RolloutView): ExitCode | null {
  if (view.phase === 'ready' || isActiveView(view)) return null;
  return view.phase === 'promoted' ? EXIT.success : EXIT.aborted;
}
