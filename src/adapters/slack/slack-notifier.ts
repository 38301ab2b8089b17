/**
 * Slack by incoming webhook: one message per rollout event.
 * What a message looks like is in `slack-message.ts`; repeating and giving up are the operator's.
 * @module
 */

import type { Notifier } from '../../ports/notifier.ts';
import { deliveryOf, postOnce } from '../webhook/post-once.ts';
import { slackMessage } from './slack-message.ts';

export interface SlackOptions {
  readonly name: string;
  /** The address is the credential: it is never logged. */
  readonly webhookUrl: string;
  readonly timeoutMs: number;
}

/** Slack takes about one message a second per webhook and answers 429 with `Retry-After` beyond that. */
export function createSlackNotifier({ name, webhookUrl, timeoutMs }: SlackOptions): Notifier {
  return {
    name,
    async deliver(event, signal) {
      const body = JSON.stringify(slackMessage(event));
      const headers = { 'content-type': 'application/json; charset=utf-8', 'user-agent': 'sluice' };
      return deliveryOf(await postOnce({ url: webhookUrl, headers, body, timeoutMs }, signal));
    },
  };
}
