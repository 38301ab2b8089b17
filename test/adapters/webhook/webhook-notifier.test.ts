import { createHmac } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { parseRolloutEventData } from '../../../src/adapters/webhook/rollout-cloud-event.ts';
import { createWebhookNotifier } from '../../../src/adapters/webhook/webhook-notifier.ts';
import { verifyWebhook } from '../../../src/adapters/webhook/webhook-signature.ts';
import type { Delivery } from '../../../src/ports/notifier.ts';
import { ABORTED } from './events.ts';
import { type Receiver, startReceiver } from './receiver.ts';

const SECRET = `whsec_${Buffer.from('a secret of thirty-two bytes, ok').toString('base64')}`;
const NEVER = new AbortController().signal;

let open: Receiver | null = null;

afterEach(async () => {
  await open?.close();
  open = null;
});

async function receiver(answer: (response: ServerResponse) => void): Promise<Receiver> {
  open = await startReceiver(answer);
  return open;
}

function deliver(url: string, timeoutMs = 5000, signal = NEVER): Promise<Delivery> {
  return createWebhookNotifier({ name: 'hook', url, signingKey: SECRET, timeoutMs }).deliver(ABORTED, signal);
}

describe('createWebhookNotifier', () => {
  it('posts a signed CloudEvent that a receiver can verify from the specification alone', async () => {
    const { url, received } = await receiver((response) => response.writeHead(204).end());
    expect(await deliver(url)).toEqual({ kind: 'delivered' });
    const [message] = received;
    if (!message) throw new Error('nothing was received');
    expect(message).toMatchObject({ method: 'POST', path: '/hook?team=orders' });
    expect(message.headers['content-type']).toBe('application/cloudevents+json; charset=utf-8');
    const { data, ...attributes } = JSON.parse(message.body);
    expect(attributes).toEqual({
      specversion: '1.0',
      id: 'orders-v2/1/7',
      source: '/sluice/orders',
      type: 'dev.sluice.rollout.aborted.v1',
      subject: 'orders-v2',
      time: '2026-11-18T11:06:47.123Z',
      datacontenttype: 'application/json',
    });
    expect(parseRolloutEventData(data)).toMatchObject({ event: 'aborted', weightBeforeBp: 500 });

    const id = message.headers['webhook-id'];
    const timestamp = message.headers['webhook-timestamp'];
    expect(id).toBe('orders-v2/1/7');
    const mac = createHmac('sha256', 'a secret of thirty-two bytes, ok')
      .update(`${id}.${timestamp}.${message.body}`)
      .digest('base64');
    expect(message.headers['webhook-signature']).toBe(`v1,${mac}`);
    expect(verifyWebhook(SECRET, message.headers, message.body, Date.now())).toEqual({ ok: true, id });
  });

  it('sends the same id and body again on another try', async () => {
    const { url, received } = await receiver((response) => response.writeHead(503).end());
    await deliver(url);
    await deliver(url);
    expect(received).toHaveLength(2);
    expect(received[1]?.headers['webhook-id']).toBe(received[0]?.headers['webhook-id']);
    expect(received[1]?.body).toBe(received[0]?.body);
  });

  it.each([
    [200, 'delivered'],
    [202, 'delivered'],
    [302, 'refused'],
    [400, 'refused'],
    [401, 'refused'],
    [404, 'refused'],
    [410, 'refused'],
    [408, 'retry'],
    [425, 'retry'],
    [429, 'retry'],
    [500, 'retry'],
    [503, 'retry'],
  ])('takes HTTP %i as %s', async (status, kind) => {
    const { url } = await receiver((response) => response.writeHead(status).end('so it is'));
    const delivery = await deliver(url);
    expect(delivery.kind).toBe(kind);
    if (delivery.kind !== 'delivered') expect(delivery.detail).toBe(`HTTP ${status}: so it is`);
  });

  it.each([
    ['7', 7000],
    ['0', 0],
    ['999999999', 3_600_000],
    ['Thu, 01 Jan 1970 00:00:00 GMT', 0],
    ['soon', null],
  ])('waits as Retry-After: %s asks, within an hour', async (header, retryAfterMs) => {
    const { url } = await receiver((response) => response.writeHead(429, { 'retry-after': header }).end());
    expect(await deliver(url)).toEqual({ kind: 'retry', detail: 'HTTP 429', retryAfterMs });
  });

  it('does not follow a redirect', async () => {
    const other = await startReceiver((response) => response.end());
    try {
      const { url } = await receiver((response) => response.writeHead(307, { location: other.url }).end());
      expect(await deliver(url)).toMatchObject({ kind: 'refused' });
      expect(other.received).toHaveLength(0);
    } finally {
      await other.close();
    }
  });

  it('is worth another try when the receiver hangs, before or inside the answer', async () => {
    const silent = await receiver(() => undefined);
    expect(await deliver(silent.url, 150)).toEqual({
      kind: 'retry',
      detail: 'no answer within 150 ms',
      retryAfterMs: null,
    });
    await silent.close();
    const dripping = await receiver((response) => {
      response.writeHead(200);
      const timer = setInterval(() => response.write('.'), 20);
      response.on('close', () => clearInterval(timer));
    });
    expect(await deliver(dripping.url, 150)).toMatchObject({ kind: 'retry' });
  });

  it('is worth another try when nobody listens or the connection breaks, and keeps the URL to itself', async () => {
    const { url, close } = await receiver((response) => response.destroy());
    const broken = await deliver(url);
    expect(broken).toMatchObject({ kind: 'retry', detail: expect.stringContaining('connection failed') });
    await close();
    const refused = await deliver(url);
    expect(refused).toEqual({
      kind: 'retry',
      detail: 'the connection failed (ECONNREFUSED)',
      retryAfterMs: null,
    });
    expect(JSON.stringify([broken, refused])).not.toContain('/hook');
  });

  it('leaves no connection open after a delivery', async () => {
    const { url, connections } = await receiver((response) => response.writeHead(204).end());
    expect(await deliver(url)).toEqual({ kind: 'delivered' });
    // Well before either side would close an idle connection by itself.
    await expect.poll(connections, { timeout: 1500 }).toBe(0);
  });

  it('reads no more of an answer than it keeps', async () => {
    let closed = false;
    const { url, connections } = await receiver((response) => {
      const piece = 'x'.repeat(1000);
      const timer = setInterval(() => response.write(piece), 1);
      response.writeHead(400);
      response.on('close', () => {
        closed = true;
        clearInterval(timer);
      });
    });
    const delivery = await deliver(url);
    expect(delivery).toEqual({ kind: 'refused', detail: `HTTP 400: ${'x'.repeat(1024)}` });
    await expect.poll(() => closed, { timeout: 5000 }).toBe(true);
    await expect.poll(connections, { timeout: 5000 }).toBe(0);
  });

  it('ends at once when the caller cancels', async () => {
    const { url, received } = await receiver(() => undefined);
    const caller = new AbortController();
    const delivery = deliver(url, 60_000, caller.signal);
    await expect.poll(() => received.length, { timeout: 5000 }).toBe(1);
    caller.abort();
    expect(await delivery).toEqual({ kind: 'retry', detail: 'cancelled', retryAfterMs: null });
    expect(await deliver(url, 60_000, caller.signal)).toMatchObject({ kind: 'retry' });
    expect(received).toHaveLength(1);
  });

  it('refuses a signing key that cannot sign, without repeating it', () => {
    const create = (signingKey: string) => () =>
      createWebhookNotifier({ name: 'hook', url: 'http://127.0.0.1:1/', signingKey, timeoutMs: 1000 });
    expect(create('  ')).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
    expect(create('whsec_')).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
    expect(create('whsec_not base64!')).toThrow(/^(?!.*not base64!)/);
  });
});
