import { afterEach, describe, expect, it } from 'vitest';
import { slackMessage } from '../../../src/adapters/slack/slack-message.ts';
import { createSlackNotifier } from '../../../src/adapters/slack/slack-notifier.ts';
import { ABORTED } from '../webhook/events.ts';
import { type Receiver, startReceiver } from '../webhook/receiver.ts';

const NEVER = new AbortController().signal;
let slack: Receiver | null = null;

afterEach(async () => {
  await slack?.close();
  slack = null;
});

async function deliver(status: number, text: string, headers: Record<string, string> = {}) {
  slack = await startReceiver((response) => response.writeHead(status, headers).end(text));
  const notifier = createSlackNotifier({ name: 'ops', webhookUrl: `${slack.url}\n`, timeoutMs: 5000 });
  return notifier.deliver(ABORTED, NEVER);
}

describe('createSlackNotifier', () => {
  it('posts the message as JSON to the webhook', async () => {
    expect(await deliver(200, 'ok')).toEqual({ kind: 'delivered' });
    expect(slack?.received).toHaveLength(1);
    expect(slack?.received[0]).toMatchObject({ method: 'POST', path: '/hook?team=orders' });
    expect(slack?.received[0]?.headers['content-type']).toMatch(/^application\/json/);
    expect(JSON.parse(slack?.received[0]?.body ?? '')).toEqual(slackMessage(ABORTED));
  });

  it('waits as long as Slack asks when it sends too much', async () => {
    expect(await deliver(429, 'rate_limited', { 'retry-after': '30' })).toEqual({
      kind: 'retry',
      detail: 'HTTP 429: rate_limited',
      retryAfterMs: 30_000,
    });
  });

  it.each([
    [400, 'invalid_payload'],
    [403, 'action_prohibited'],
    [404, 'no_service'],
    [410, 'channel_is_archived'],
  ])('gives up on HTTP %i and passes on what Slack said', async (status, said) => {
    expect(await deliver(status, said)).toEqual({ kind: 'refused', detail: `HTTP ${status}: ${said}` });
  });

  it('tries again later when Slack is out of order', async () => {
    expect(await deliver(500, 'rollup_error')).toMatchObject({ kind: 'retry' });
  });

  it('refuses a webhook address that is none, without repeating it', () => {
    const create = () => createSlackNotifier({ name: 'ops', webhookUrl: 'T00/B00/hush', timeoutMs: 1000 });
    expect(create).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
    expect(create).toThrow(/^(?!.*hush)/);
  });
});
