/**
 * Notifications end to end: every transition reaches a real receiver, signed and in order, over outages of the
 * receiver and of the operator.
 * @module
 */

import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { verifyWebhook } from '../../src/adapters/webhook/webhook-signature.ts';
import { eventId } from '../../src/core/domain/rollout-event.ts';
import { eventually } from '../support/eventually.ts';
import { SluiceProject } from '../support/sluice-process.ts';
import { startTraffic, type Traffic } from '../support/sluice-traffic.ts';

const KEY = 'whsec_c2x1aWNlLWVuZC10by1lbmQtdGVzdHM=';

describe('notifications', { timeout: 300_000 }, () => {
  let project: SluiceProject | undefined;
  let traffic: Traffic | undefined;
  let receiver: Receiver | undefined;

  afterEach(async () => {
    await traffic?.stop();
    await project?.close();
    await receiver?.close();
  });

  it('reach the receiver once each and in order, even when it was down and the operator restarted', async () => {
    receiver = await startReceiver();
    project = await SluiceProject.create({ services: ['orders'], redisUrl: null });
    await writeFile(join(project.dir, 'rollouts/signing.key'), KEY);
    await project.configureOperator({
      notifiers: { hook: { webhook: { url: receiver.url, signingKey: { file: 'signing.key' } } } },
    });
    await project.declare({
      rollout: 'orders-v2',
      service: 'orders',
      steps: [
        { weight: '20%', hold: '1s' },
        { weight: '50%', hold: '1s', gate: 'manual' },
        { weight: '100%' },
      ],
      notify: ['hook'],
    });
    const up = await project.startUp();
    traffic = startTraffic({ origins: [up.url], service: 'orders', requestsPerSecond: 100, users: 100 });
    const { api } = up;
    await api.act('orders-v2', 'start');
    const [first] = await untilReceived(receiver, 1);
    expect(first).toBe('orders-v2/1/1');

    await receiver.close();
    await api.untilWord('orders-v2', 'WAITING');
    await api.act('orders-v2', 'promote');
    await api.untilWord('orders-v2', 'PROMOTED');
    await eventually(() => up.output.includes('notification not delivered'), 60_000);
    await up.restart('SIGKILL');
    await receiver.open();
    const events = await api.events('orders-v2');
    const expected = events.map(eventId);
    expect(expected.length).toBeGreaterThan(4);
    await untilReceived(receiver, expected.length);
    expect(receiver.ids).toEqual(expected);
    expect(receiver.forged).toEqual([]);
  });
});

interface Receiver {
  readonly url: string;
  /** Ids in the order of their arrival. */
  readonly ids: readonly string[];
  /** What did not verify. */
  readonly forged: readonly string[];
  /** Listens again, on the same port. */
  open(): Promise<void>;
  close(): Promise<void>;
}

async function untilReceived(receiver: Receiver, count: number): Promise<readonly string[]> {
  await eventually(() => receiver.ids.length >= count, 60_000);
  return receiver.ids;
}

async function startReceiver(): Promise<Receiver> {
  const ids: string[] = [];
  const forged: string[] = [];
  let server: Server = newServer();
  function newServer(): Server {
    return createServer(async (request, response) => {
      let body = '';
      for await (const chunk of request.setEncoding('utf8')) body += chunk;
      const verified = verifyWebhook(KEY, request.headers, body, Date.now());
      if (verified.ok) ids.push(verified.id);
      else forged.push(`${verified.cause}: ${body}`);
      response.writeHead(204).end();
    });
  }
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/hook`,
    ids,
    forged,
    async open() {
      server = newServer();
      server.listen(port, '127.0.0.1');
      await once(server, 'listening');
    },
    async close() {
      if (!server.listening) return;
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
