import type { ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CachePolicy, Route } from '../../src/config/gateway-model.ts';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { cached, status } from '../support/caching-gateway.ts';
import { admin, call, eventually, GatewayHarness, portOf, type Reply } from '../support/gateway-harness.ts';
import { MovedTime } from '../support/moved-time.ts';

let harness: GatewayHarness;

beforeEach(async () => {
  harness = await GatewayHarness.open();
});

afterEach(() => harness.close());

const KEPT = { 'cache-control': 'max-age=60' };
const BAD = { retry: null };

interface Asked {
  readonly gateway: Gateway;
  /** Stands still, so that nothing is late because the machine is slow. */
  readonly time: MovedTime;
  /** Moves the clock that ages go by, milliseconds. */
  readonly age: (ms: number) => void;
  readonly calls: () => number;
  /** The next request at the upstream that has no answer yet. */
  readonly next: () => Promise<ServerResponse>;
  /** Requests at the upstream at the same time, at most. */
  readonly most: () => number;
}

/** A gateway before an upstream that answers when told. */
async function slow(policy: Partial<CachePolicy> = {}, route: Partial<Route> = {}): Promise<Asked> {
  const waiting: ServerResponse[] = [];
  let open = 0;
  let most = 0;
  const made = await cached(
    harness,
    (_request, response) => {
      open += 1;
      most = Math.max(most, open);
      response.on('close', () => {
        open -= 1;
      });
      waiting.push(response);
    },
    policy,
    route,
  );
  const time = new MovedTime();
  let aheadMs = 0;
  const nowMs = () => Date.now() + aheadMs;
  const gateway = await harness.gateway(made.config, { monotonicMs: time.read, nowMs });
  const age = (ms: number) => {
    aheadMs += ms;
  };
  const next = () => eventually(() => waiting.shift());
  return { gateway, calls: made.calls, next, most: () => most, time, age };
}

async function underWay(gateway: Gateway, count: number): Promise<void> {
  const line = new RegExp(`^sluice_requests_in_flight ${count}$`, 'm');
  while (!line.test((await admin(gateway, '/metrics')).body));
}

const ask = (gateway: Gateway, headers: Record<string, string> = {}): Promise<Reply> =>
  call(gateway, '/', { headers: { host: 'a', ...headers } });

/** `count` requests that wait, beside `others` that are under way. */
async function followers(
  gateway: Gateway,
  count: number,
  others = 1,
): Promise<{ replies: Promise<Reply[]> }> {
  const replies = Promise.all(Array.from({ length: count }, () => ask(gateway)));
  await underWay(gateway, count + others);
  return { replies };
}

/** A request whose client reads nothing until told, and can go away. */
async function client(gateway: Gateway): Promise<Socket> {
  const socket = connect(portOf(gateway), '127.0.0.1');
  socket.pause();
  socket.on('error', () => undefined);
  harness.onClose(async () => void socket.destroy());
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  return socket;
}

const bodies = (replies: readonly Reply[]): string[] => [...new Set(replies.map(({ body }) => body))];

describe('requests that wait for another one', () => {
  it('get what it fetches, and say so', async () => {
    const { gateway, calls, next } = await slow();
    const leader = ask(gateway);
    const response = await next();
    const { replies } = await followers(gateway, 20);
    response.writeHead(200, KEPT).end('one');
    expect(bodies([await leader, ...(await replies)])).toEqual(['one']);
    expect((await replies).filter((reply) => status(reply).includes('collapsed'))).toHaveLength(20);
    expect(calls()).toBe(1);
  });

  it.each(['before', 'after'])('get what it fetches when its client leaves %s the head', async (when) => {
    const { gateway, calls, next } = await slow();
    const leader = await client(gateway);
    const response = await next();
    const { replies } = await followers(gateway, 30);
    const head = () => response.writeHead(200, KEPT).write('on');
    if (when === 'after') head();
    leader.destroy();
    await underWay(gateway, 30);
    if (when === 'before') head();
    response.end('e');
    expect(bodies(await replies)).toEqual(['one']);
    expect(calls()).toBe(1);
  });

  it('are not held up by a client that reads slowly', async () => {
    const size = 12_000_000;
    const { gateway, calls, next } = await slow({ maxBytes: 2 * size });
    const leader = await client(gateway);
    (await next()).writeHead(200, KEPT).end(Buffer.alloc(size));
    const { replies } = await followers(gateway, 3);
    expect((await replies).map(({ body }) => body.length)).toEqual([size, size, size]);
    expect(calls()).toBe(1);
    leader.destroy();
  });

  it('end the fetch when all of them leave too', async () => {
    const { gateway, next } = await slow();
    const leader = await client(gateway);
    const response = await next();
    const follower = await client(gateway);
    await underWay(gateway, 2);
    leader.destroy();
    await underWay(gateway, 1);
    expect(response.destroyed).toBe(false);
    follower.destroy();
    await eventually(() => response.destroyed);
  });

  it('lead one after the other when the upstream breaks off', async () => {
    const { gateway, calls, next, most } = await slow({}, BAD);
    const leader = call(gateway, '/', { headers: { host: 'a' } }).catch(() => 'broken off');
    const first = await next();
    const { replies } = await followers(gateway, 30);
    first.writeHead(200, { ...KEPT, 'content-length': '100' }).write('half');
    // Its head has to reach the gateway before the end does.
    await eventually(() => first.writableLength === 0);
    first.destroy();
    expect(await leader).toBe('broken off');
    (await next()).writeHead(200, KEPT).end('whole');
    expect(bodies(await replies)).toEqual(['whole']);
    expect([calls(), most()]).toEqual([2, 1]);
  });

  it('leave an upstream alone that has failed three of them in a row', async () => {
    const { gateway, calls, next, most } = await slow({}, BAD);
    const leader = ask(gateway);
    const first = await next();
    const { replies } = await followers(gateway, 30);
    first.writeHead(503).end('down');
    for (let failures = 1; failures < 3; failures += 1) (await next()).writeHead(503).end('down');
    const all = [await leader, ...(await replies)];
    const refused = all.filter(({ body }) => body.includes('UPSTREAM_FAILING'));
    expect([calls(), most(), refused.length]).toEqual([3, 1, 28]);
    expect(refused[0]).toMatchObject({ status: 503, headers: { 'retry-after': '1' } });
    // Only those who waited are refused: what the upstream says next is for all.
    const after = ask(gateway);
    (await next()).writeHead(200, KEPT).end('up');
    expect((await after).body).toBe('up');
    await eventually(() => harness.outcomes('v1', 'attempts', 'status5xx') === 3);
  });

  it('get the stale response that stands in, without asking a failing upstream each', async () => {
    const { gateway, calls, next, age } = await slow({}, BAD);
    const fill = ask(gateway);
    (await next()).writeHead(200, { 'cache-control': 'max-age=60, stale-if-error=600' }).end('old');
    await fill;
    age(120_000);
    const leader = ask(gateway);
    const first = await next();
    const { replies } = await followers(gateway, 30);
    first.writeHead(500).end('no');
    expect(bodies([await leader, ...(await replies)])).toEqual(['old']);
    expect(calls()).toBe(2);
  });

  it.each([400, 429])('make nothing of a %i, which is about one request', async (code) => {
    const { gateway, calls, next, most } = await slow();
    const leader = ask(gateway);
    const first = await next();
    const { replies } = await followers(gateway, 30);
    first.writeHead(code).end('no');
    expect((await leader).status).toBe(code);
    (await next()).writeHead(200, KEPT).end('yes');
    expect(bodies(await replies)).toEqual(['yes']);
    expect([calls(), most()]).toEqual([2, 1]);
  });

  it('do not go all at once because somebody with a cookie got what is not kept', async () => {
    const { gateway, calls, next } = await slow({ ttlMs: 60_000 });
    const cookie = ask(gateway, { cookie: 'session=1' });
    const own = await next();
    const leader = ask(gateway);
    const first = await next();
    const { replies } = await followers(gateway, 30, 2);
    own.writeHead(200).end('own');
    expect((await cookie).body).toBe('own');
    first.writeHead(200).end('for all');
    expect(bodies([await leader, ...(await replies)])).toEqual(['for all']);
    expect(calls()).toBe(2);
  });

  it('go on as soon as the head says that each has to ask anyway', async () => {
    const { gateway, calls, next } = await slow();
    const leader = ask(gateway);
    const first = await next();
    const { replies } = await followers(gateway, 10);
    first.writeHead(200, { 'cache-control': 'max-age=0', etag: '"1"' }).write('bo');
    const others = [];
    for (let each = 0; each < 10; each += 1) others.push(await next());
    for (const other of others)
      other.writeHead(200, { 'cache-control': 'max-age=0', etag: '"1"' }).end('body');
    first.end('dy');
    expect(bodies([await leader, ...(await replies)])).toEqual(['body']);
    // Later ones do not wait at all: what is stored says so.
    const again = await Promise.all(Array.from({ length: 5 }, () => ({ reply: ask(gateway) })));
    const asked = [];
    for (let each = 0; each < 5; each += 1) asked.push(await next());
    for (const one of asked) one.writeHead(304).end();
    for (const { reply } of again) expect((await reply).body).toBe('body');
    expect(calls()).toBe(16);
  });

  it('wait no longer than an answer may take', async () => {
    const timeout = { connectMs: 1_000, responseMs: 5_000, idleMs: 5_000, totalMs: 5_000 };
    const { gateway, calls, next, time } = await slow({}, { ...BAD, timeout });
    const leader = ask(gateway);
    await next();
    time.advance(1_000);
    const { replies } = await followers(gateway, 20);
    // The leader gives up first, and the next one asks; by then the others have waited long enough.
    const all = await time.until(Promise.all([leader, replies]), 500);
    expect(all.flat().map((reply) => reply.status)).toEqual(Array(21).fill(504));
    expect(calls()).toBe(2);
  });
});
