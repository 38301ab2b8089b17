import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { webhookGates } from '../../../src/adapters/webhook/webhook-gate.ts';
import type { WebhookGate } from '../../../src/ports/gate-caller.ts';

const SUBJECT = {
  rollout: 'orders-v2',
  service: 'orders',
  run: 1,
  step: 2,
  weightBp: 500,
  baseline: 'v1',
  canary: 'v2',
};
const servers: Server[] = [];

/** A real receiver that answers with a status; null: never. */
async function gateAt(status: number | null, body = ''): Promise<{ gate: WebhookGate; asked: unknown[] }> {
  const asked: unknown[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    asked.push(JSON.parse(Buffer.concat(chunks).toString()));
    if (status !== null) response.writeHead(status).end(body);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    gate: { kind: 'webhook', url: `http://127.0.0.1:${port}/gate`, intervalMs: 1000, timeoutMs: 300 },
    asked,
  };
}

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

describe('webhookGates', () => {
  it.each([
    [200, 'go'],
    [204, 'go'],
    [403, 'stop'],
    [301, 'wait'],
    [404, 'wait'],
    [500, 'wait'],
  ] as const)('reads status %i as %s', async (status, answer) => {
    const { gate, asked } = await gateAt(status);
    expect(await webhookGates.ask(gate, SUBJECT, new AbortController().signal)).toMatchObject({ answer });
    expect(asked).toEqual([SUBJECT]);
  });

  it('says in its detail what the gate said', async () => {
    const { gate } = await gateAt(403, 'change board says no');
    const answer = await webhookGates.ask(gate, SUBJECT, new AbortController().signal);
    expect(answer.detail).toBe('HTTP 403: change board says no');
  });

  it('waits when the gate does not answer in time or is not there', async () => {
    const { gate } = await gateAt(null);
    expect(await webhookGates.ask(gate, SUBJECT, new AbortController().signal)).toMatchObject({
      answer: 'wait',
    });
    const gone = { ...gate, url: 'http://127.0.0.1:1/' };
    expect(await webhookGates.ask(gone, SUBJECT, new AbortController().signal)).toMatchObject({
      answer: 'wait',
    });
  });
});
