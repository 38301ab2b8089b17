/**
 * A channel that tells people or systems about rollout events. Adapters: Slack, generic webhook, log.
 * @module
 */

import type { RolloutEvent } from '../core/domain/rollout-event.ts';

export type Delivery =
  | { readonly kind: 'delivered' }
  /** Worth another try later, at the earliest after `retryAfterMs`. */
  | { readonly kind: 'retry'; readonly detail: string; readonly retryAfterMs: number | null }
  /** Will never succeed, such as a 404 or a revoked hook. */
  | { readonly kind: 'refused'; readonly detail: string };

export interface Notifier {
  /** Name by which plans refer to it in `notify`. */
  readonly name: string;
  /** One try. Never rejects but for a bug. */
  deliver(event: RolloutEvent, signal: AbortSignal): Promise<Delivery>;
}
