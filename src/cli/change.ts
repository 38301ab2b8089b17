/**
 * How a change is reported: what is different now, and the command that comes next. Knows no request.
 * @module
 */

import { formatDuration } from '../core/domain/duration.ts';
import { formatBp } from '../core/domain/weight.ts';
import type { RolloutView } from '../core/view/rollout-view.ts';
import type { ActionVerb } from './client.ts';
import type { VerbContext } from './verb-context.ts';

/** A phase that began this long ago was not begun by the answer to this request. */
const JUST_NOW_MS = 2000;

/** With --json the view on stdout; otherwise talk only. */
export function reportChange(context: VerbContext, verb: ActionVerb, view: RolloutView): void {
  if (context.json) context.dataJson(view);
  const { changed, next } = describeChange(verb, view);
  context.talk([changed, `Next: ${next}`]);
}

export function describeChange(
  verb: ActionVerb,
  view: RolloutView,
): { readonly changed: string; readonly next: string } {
  const { rollout, service, baseline, canary } = view;
  const step = `step ${view.step + 1} of ${view.steps.length}`;
  const has = shareText(view);
  const watch = `rollout watch ${rollout}`;
  switch (verb) {
    case 'start':
      return {
        changed: `Started ${rollout} (run ${view.run}): ${canary} ${has.gets} of ${service}.`,
        next: watch,
      };
    case 'retry':
      return {
        changed: `Started ${rollout} again (run ${view.run}): ${canary} ${has.gets} of ${service}.`,
        next: watch,
      };
    case 'pause':
      return {
        changed: `Paused ${rollout} at ${step}: ${canary} ${has.keeps}, abort rules still watch.`,
        next: `rollout resume ${rollout}`,
      };
    case 'resume':
      return { changed: `Resumed ${rollout} at ${step}: ${canary} ${has.gets}.`, next: watch };
    case 'promote':
      return view.phase === 'promoted'
        ? {
            changed: `Promoted ${rollout}: ${canary} serves all traffic of ${service}.`,
            next: `rollout undo ${rollout} (takes it back)`,
          }
        : { changed: `Moved ${rollout} on to ${step}: ${canary} ${has.gets}.`, next: watch };
    case 'abort':
      return {
        changed: `${aborted(view)}: ${baseline} serves all traffic of ${service}.`,
        next: `rollout retry ${rollout} (once it is fixed)`,
      };
    case 'undo':
      return {
        changed: `Undid ${rollout}: ${service} is back on ${baseline}.`,
        next: `rollout retry ${rollout} (once it is fixed)`,
      };
  }
}

function shareText({ weight, mirror }: RolloutView): { readonly gets: string; readonly keeps: string } {
  const share = formatBp(mirror?.shareBp ?? weight.setBp);
  if (mirror === undefined) return { gets: `gets ${share}`, keeps: `keeps ${share}` };
  return { gets: `is asked beside ${share}`, keeps: `goes on being asked beside ${share}` };
}

/** An abort of what was aborted before is a success that changes nothing, and says so. */
function aborted({ rollout, sinceMs, nowMs }: RolloutView): string {
  const agoMs = sinceMs === null ? 0 : nowMs - sinceMs;
  if (agoMs <= JUST_NOW_MS) return `Aborted ${rollout}`;
  return `${rollout} was aborted ${formatDuration(Math.floor(agoMs / 1000) * 1000)} ago already`;
}
