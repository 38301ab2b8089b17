/**
 * Following one rollout: the live stream boiled down to views, transitions without doubles, and losses.
 * Knows no verb and prints nothing.
 * @module
 */

import type { RolloutEvent } from '../core/domain/rollout-event.ts';
import type { RolloutView } from '../core/view/rollout-view.ts';
import type { ControlClient } from './client.ts';
import { followLive } from './live-stream.ts';

export type Sight =
  | { readonly kind: 'view'; readonly view: RolloutView }
  | { readonly kind: 'transition'; readonly event: RolloutEvent }
  | { readonly kind: 'lost'; readonly reason: string };

export interface FollowOptions {
  /** Transitions up to this sequence are known already; null: all that happened before the first view. */
  readonly afterSequence: number | null;
  readonly signal: AbortSignal;
}

/** Transitions come before the view that shows their result, also those missed while disconnected. */
export async function* followRollout(
  client: ControlClient,
  rollout: string,
  options: FollowOptions,
): AsyncGenerator<Sight> {
  let seen = options.afterSequence;
  const fresh = (events: readonly RolloutEvent[]): readonly RolloutEvent[] => {
    const after = seen ?? 0;
    const unseen = events.filter((event) => event.sequence > after);
    seen = unseen.at(-1)?.sequence ?? after;
    return unseen;
  };
  for await (const message of followLive(client, { rollouts: [rollout], signal: options.signal })) {
    switch (message.kind) {
      case 'snapshot': {
        const view = message.views.find((each) => each.rollout === rollout);
        if (!view) break;
        if (seen === null) seen = newestSequence(view);
        for (const event of fresh(view.events)) yield { kind: 'transition', event };
        yield { kind: 'view', view };
        break;
      }
      case 'view':
        if (message.view.rollout === rollout) yield message;
        break;
      case 'transition':
        if (message.event.rollout !== rollout) break;
        for (const event of fresh([message.event])) yield { kind: 'transition', event };
        break;
      case 'lost':
        yield message;
        break;
    }
  }
}

export function newestSequence(view: RolloutView): number {
  return view.events.at(-1)?.sequence ?? 0;
}
