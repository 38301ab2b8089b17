import type { RequestListener, ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { MirrorPolicy } from '../../src/config/policies/mirror.ts';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { WaitingCopies, type WaitingCopy } from '../../src/gateway/mirror/waiting-copies.ts';
import { gatewayConfigOf, routeOf, serviceOf } from '../support/gateway-config.ts';
import {
  admin,
  call,
  eventually,
  GatewayHarness,
  portOf,
  type Upstream,
} from '../support/gateway-harness.ts';

let harness: GatewayHarness;
const clients: Socket[] = [];

beforeEach(async () => {
  harness = await GatewayHarness.open();
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  await harness.close();
});

/** Sends a first piece of 600 bytes for `/held…`, and leaves the rest to the test; all of the large answer for `/large`. */
class HeldAnswers {
  readonly byPath = new Map<string, ServerResponse>();

  readonly listen: RequestListener = (request, response) => {
    const path = request.url ?? '';
    if (path === '/large') response.end(Buffer.alloc(16 * 1_048_576));
    else if (path.startsWith('/held')) {
      response.write('x'.repeat(600));
      this.byPath.set(path, response);
    } else response.end('y'.repeat(600));
  };
}

/** What is held is held by the test alone. */
const PATIENT = { connectMs: 60_000, responseMs: 60_000, idleMs: 600_000, totalMs: 600_000 };

interface Mirrored {
  readonly gateway: Gateway;
  readonly second: Upstream;
  readonly held: HeldAnswers;
}

async function mirrored(changes: Partial<MirrorPolicy>): Promise<Mirrored> {
  const held = new HeldAnswers();
  const first = await harness.upstream(held.listen);
  const second = await harness.upstream((_request, response) => response.end('y'.repeat(600)));
  const mirror: MirrorPolicy = {
    service: null,
    version: 'v2',
    share: 1,
    by: 'random',
    noise: 0,
    methods: ['GET'],
    maxBytes: 1_000,
    timeoutMs: 60_000,
    max: 1,
    rules: { fields: [], ignore: [] },
    ...changes,
  };
  const config = gatewayConfigOf([serviceOf('orders', { v1: [first.url], v2: [second.url] })], {
    routes: [routeOf('orders', { name: 'orders', mirror, timeout: PATIENT })],
  });
  return { gateway: await harness.gateway(config), second, held };
}

/** A client that has the beginning of its answer, and reads on only if told to. */
async function begin(gateway: Gateway, path: string): Promise<Socket> {
  const socket = connect(portOf(gateway), '127.0.0.1');
  clients.push(socket);
  socket.on('error', () => undefined);
  socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
  await new Promise((resolve) => socket.once('readable', resolve));
  return socket;
}

async function outcomes(gateway: Gateway): Promise<Record<string, number>> {
  const { body } = await admin(gateway, '/mirror.json');
  const [report] = JSON.parse(body) as { outcomes: { candidate: Record<string, number> } }[]; // Our own report.
  return report?.outcomes.candidate ?? {};
}

const pathsOf = (upstream: Upstream): unknown[] => upstream.seen.map(({ url }) => url);

async function settled(gateway: Gateway, outcome: string, count: number): Promise<void> {
  const deadlineMs = performance.now() + 60_000;
  for (;;) {
    const found = await outcomes(gateway);
    if (found[outcome] === count) return;
    if (performance.now() > deadlineMs) throw new Error(`not in time: ${JSON.stringify(found)}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

describe('answers that a mirror waits for', () => {
  it('leave nobody out, however many clients take theirs slowly or as a stream', async () => {
    const { gateway, second } = await mirrored({ max: 4 });
    for (let i = 0; i < 4; i += 1) await begin(gateway, '/large');
    for (let i = 0; i < 3; i += 1) await begin(gateway, `/held/${i}`);
    for (let i = 1; i <= 5; i += 1) {
      await call(gateway, `/quick/${i}`);
      await settled(gateway, 'match', i);
    }
    expect(await outcomes(gateway)).toMatchObject({ match: 5, 'left-out': 0 });
    expect(pathsOf(second)).toEqual([1, 2, 3, 4, 5].map((i) => `/quick/${i}`));
  });

  it('are kept within max times maxBytes: who finds no room is left out, and no more than max are asked', async () => {
    const { gateway, second, held } = await mirrored({});
    const reader = await begin(gateway, '/held');
    expect((await call(gateway, '/no-room')).body).toHaveLength(600);
    await settled(gateway, 'left-out', 1);
    const ended = new Promise((resolve) => reader.resume().once('end', resolve));
    held.byPath.get('/held')?.end();
    await ended;
    await eventually(() => second.seen.length === 1);
    await settled(gateway, 'differs', 1);
    await call(gateway, '/room');
    await settled(gateway, 'match', 1);
    expect(pathsOf(second)).toEqual(['/held', '/room']);
  });

  it('make way for others when they take longer than a second answer may', async () => {
    const { gateway, second, held } = await mirrored({ timeoutMs: 200 });
    const reader = await begin(gateway, '/held');
    const deadlineMs = performance.now() + 60_000;
    while (second.seen.length === 0 && performance.now() < deadlineMs) await call(gateway, '/quick');
    const ended = new Promise((resolve) => reader.resume().once('end', resolve));
    held.byPath.get('/held')?.end();
    await ended;
    expect(new Set(pathsOf(second))).toEqual(new Set(['/quick']));
  });
});

class Copy implements WaitingCopy {
  readonly sinceMs: number;
  lost = 0;

  constructor(sinceMs: number) {
    this.sinceMs = sinceMs;
  }

  lose(): void {
    this.lost += 1;
  }
}

describe('the room for answers that wait', () => {
  const ROOM = { max: 2, maxBytes: 1_000, timeoutMs: 100 };

  it('holds max copies of full length, and gives back what they cost', () => {
    const copies = new WaitingCopies();
    const [one, two, three] = [new Copy(0), new Copy(0), new Copy(0)];
    expect(copies.grow(one, 1_000, ROOM, 0)).toBe(true);
    expect(copies.grow(two, 999, ROOM, 0)).toBe(true);
    expect(copies.grow(two, 1, ROOM, 0)).toBe(true);
    expect(copies.grow(three, 1, ROOM, 100)).toBe(false);
    expect([one.lost, two.lost, three.lost]).toEqual([0, 0, 0]);
    copies.drop(one);
    copies.drop(one);
    expect(copies.grow(three, 1, ROOM, 100)).toBe(true);
    copies.drop(two);
    copies.drop(three);
    expect(copies.bytes).toBe(0);
  });

  it('takes it from the oldest first, and from no copy that is young or itself in need', () => {
    const copies = new WaitingCopies();
    const [oldest, old, young, next] = [new Copy(0), new Copy(1), new Copy(90), new Copy(200)];
    for (const copy of [oldest, old]) copies.grow(copy, 1_000, ROOM, copy.sinceMs);
    expect(copies.grow(young, 1, ROOM, 101)).toBe(true);
    expect([oldest.lost, old.lost]).toEqual([1, 0]);
    expect(copies.grow(next, 1, ROOM, 102)).toBe(true);
    expect([old.lost, young.lost]).toEqual([1, 0]);
    expect(copies.grow(young, 5_000, ROOM, 1_000)).toBe(false);
    expect([young.lost, next.lost]).toEqual([0, 0]);
    copies.drop(next);
    expect(copies.bytes).toBe(0);
  });
});
