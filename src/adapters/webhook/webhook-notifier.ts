/**
 * The generic webhook: each rollout event as a signed CloudEvent by POST.
 * One delivery is one try; repeating, order and giving up are the operator's.
 * @module
 */

import { eventId } from '../../core/domain/rollout-event.ts';
import type { Notifier } from '../../ports/notifier.ts';
import { deliveryOf, postOnce } from './post-once.ts';
import { rolloutCloudEvent } from './rollout-cloud-event.ts';
import { signature, signingKey } from './webhook-signature.ts';

export interface WebhookOptions {
  readonly name: string;
  readonly url: string;
  /** Standard Webhooks secret: `whsec_` and base64, or any other text. */
  readonly signingKey: string;
  readonly timeoutMs: number;
}

/** Throws CONFIG_INVALID when the signing key is empty or not base64. */
export function createWebhookNotifier(options: WebhookOptions): Notifier {
  const { name, url, timeoutMs } = options;
  const key = signingKey(options.signingKey);
  return {
    name,
    async deliver(event, signal) {
      const id = eventId(event);
      const body = JSON.stringify(rolloutCloudEvent(event));
      const timestampS = Math.floor(Date.now() / 1000);
      const headers = {
        'content-type': 'application/cloudevents+json; charset=utf-8',
        'user-agent': 'sluice',
        'webhook-id': id,
        'webhook-timestamp': String(timestampS),
        'webhook-signature': signature(key, { id, timestampS, body }),
      };
      return deliveryOf(await postOnce({ url, headers, body, timeoutMs }, signal));
    },
  };
}
