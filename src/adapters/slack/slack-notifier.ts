/**
 * Slack by incoming webhook: one message per rollout event.
 * What a message looks like is in `slack-message.ts`; repeating and giving up are the operator's.
 * @module
 */

import { SluiceError } from '../../core/domain/errors.ts';
import type { Notifier } from '../../ports/notifier.ts';
import { deliveryOf, postOnce } from '../webhook/post-once.ts';
import { slackMessage } from './slack-message.ts';

export interface SlackOptions {
  readonly name: string;
  /** The address is the credential: it is never logged. */
  readonly webhookUrl: string;
  readonly timeoutMs: number;
}

/**
 * Throws CONFIG_INVALID when the address is no http(s) URL. Slack takes about one message a second per webhook and answers 429 with
 * `Retry-After` beyond that.
 */
export function createSlackNotifier({ name, webhookUrl, timeoutMs }: SlackOptions): Notifier {
  const url = webhookUrl.trim();
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw new SluiceError('CONFIG_INVALID', {
      detail: `the webhook URL of the notifier ${name} is not an http(s) URL`,
      hint: 'Copy it from the app’s Incoming Webhooks page into the file or variable that webhookUrl names.',
    });
  }
  return {
    name,
    async deliver(event, signal) {
      const body = JSON.stringify(slackMessage(event));
      const headers = { 'content-type': 'application/json; charset=utf-8', 'user-agent': 'sluice' };
      return deliveryOf(await postOnce({ url, headers, body, timeoutMs }, signal));
    },
  };
}
