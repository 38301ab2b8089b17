import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openRedis } from '../../src/adapters/redis/open-redis.ts';
import type { GatewayConfig, Route } from '../../src/config/gateway-model.ts';
import type { IdempotencyPolicy } from '../../src/config/policies/idempotency.ts';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { gatewayConfigOf, routeOf, serviceOf } from '../support/gateway-config.ts';
import {
  admin,
  call,
  eventually,
  GatewayHarness,
  portOf,
  type Reply,
  type Upstream,
} from '../support/gateway-harness.ts';
import { startRedis } from '../support/redis-server.ts';
import { openTokenIssuer, type TokenIssuer } from '../support/token-issuer.ts';

let harness: GatewayHarness;
let issuer: TokenIssuer;
/** Counts what it carries out; waits for `open` where the path says so. */
let upstream: Upstream;
let gates: (() => void)[];

beforeEach(async () => {
  harness = await GatewayHarness.open();
  issuer = await openTokenIssuer();
  harness.onClose(() => issuer.close());
  gates = [];
  upstream = await harness.upstream((request, response) => {
    const number = upstream.seen.length;
    const answer = (): void => {
      response.writeHead(201, { 'x-number': String(number), 'content-type': 'text/plain' });
      response.end(`order ${number}`);
    };
    request.resume().on('end', () => (request.url?.startsWith('/slow') ? gates.push(answer) : answer()));
  });
});
afterEach(() => harness.close());

function policy(changes: Partial<IdempotencyPolicy> = {}): IdempotencyPolicy {
  return { required: false, ttlMs: 60_000, maxBytes: 65_536, whenDown: 'deny', ...changes };
}

function configOf(url: string, changes: Partial<Route> = {}): GatewayConfig {
  return gatewayConfigOf([serviceOf('orders', { v1: [url] })], {
    jwt: { main: issuer.provider },
    routes: [routeOf('orders', { idempotency: policy(), ...changes })],
  });
}

function post(
  gateway: Gateway,
  key: string | null,
  body: string,
  options: { path?: string; method?: string; authorization?: string } = {},
): Promise<Reply> {
  const { path = '/orders', method = 'POST', authorization } = options;
  const headers = {
    ...(key !== null && { 'idempotency-key': key }),
    ...(authorization && { authorization }),
  };
  return call(gateway, path, { method, body, headers });
}

const code = (reply: Reply): string => JSON.parse(reply.body).code;

describe('idempotency keys', () => {
  it('carry a request out once and answer it alike ever after, marked as a replay', async () => {
    const gateway = await harness.gateway(configOf(upstream.url));
    const first = await post(gateway, '"k-1"', 'one');
    const again = await post(gateway, '"k-1"', 'one');
    expect([first.status, first.body, first.headers['x-number']]).toEqual([201, 'order 1', '1']);
    expect([again.status, again.body, again.headers['x-number']]).toEqual([201, 'order 1', '1']);
    expect(again.headers['content-type']).toBe('text/plain');
    expect([first.headers['idempotency-replayed'], again.headers['idempotency-replayed']]).toEqual([
      undefined,
      'true',
    ]);
    expect(again.headers['x-request-id']).not.toBe(first.headers['x-request-id']);
    expect(upstream.seen).toHaveLength(1);
    expect(upstream.seen[0]?.headers['idempotency-key']).toBe('"k-1"');
    const other = await post(gateway, '"k-2"', 'one');
    expect(other.body).toBe('order 2');
    const { body } = await admin(gateway, '/metrics');
    expect(body).toMatch(/sluice_idempotency_keys_total\{[^}]*outcome="claimed"\} 2\n/);
    expect(body).toMatch(/sluice_idempotency_keys_total\{[^}]*outcome="replayed"\} 1\n/);
  });

  it('answer 409 while the first request is under way', async () => {
    const gateway = await harness.gateway(configOf(upstream.url));
    const first = post(gateway, 'k', 'one', { path: '/slow' });
    await eventually(() => gates.length === 1);
    const second = await post(gateway, 'k', 'one', { path: '/slow' });
    expect([second.status, code(second), second.headers['retry-after']]).toEqual([
      409,
      'IDEMPOTENCY_IN_FLIGHT',
      '1',
    ]);
    gates[0]?.();
    expect((await first).body).toBe('order 1');
    expect((await post(gateway, 'k', 'one', { path: '/slow' })).body).toBe('order 1');
    expect(upstream.seen).toHaveLength(1);
  });

  it('are of the caller that a request shows, where no token is asked for, and of the host', async () => {
    const gateway = await harness.gateway(configOf(upstream.url));
    const ask = (headers: Record<string, string>): Promise<Reply> =>
      call(gateway, '/orders', {
        method: 'POST',
        body: 'one',
        headers: { 'idempotency-key': 'k', ...headers },
      });
    const callers = [
      {},
      { authorization: 'Bearer alice' },
      { authorization: 'Bearer bob' },
      { 'x-api-key': 'alice' },
      { x_api_key: 'bob' },
      { host: 'other.test' },
    ];
    for (const [index, headers] of callers.entries()) {
      expect((await ask(headers)).body).toBe(`order ${index + 1}`);
      expect((await ask(headers)).body).toBe(`order ${index + 1}`);
    }
  });

  it('answer 422 to the same key with other cookies or another Content-Type', async () => {
    const gateway = await harness.gateway(configOf(upstream.url));
    const ask = (headers: Record<string, string>): Promise<Reply> =>
      call(gateway, '/orders', {
        method: 'POST',
        body: '{}',
        headers: { 'idempotency-key': 'k', ...headers },
      });
    const first = { cookie: 'session=alice', 'content-type': 'application/json' };
    expect((await ask(first)).body).toBe('order 1');
    expect((await ask({ ...first, cookie: 'session=bob' })).status).toBe(422);
    expect((await ask({ ...first, 'content-type': 'text/plain' })).status).toBe(422);
    expect((await ask(first)).body).toBe('order 1');
    expect(upstream.seen).toHaveLength(1);
  });

  it('answer 422 to the same key with another body or query', async () => {
    const gateway = await harness.gateway(configOf(upstream.url));
    await post(gateway, 'k', 'one');
    const otherBody = await post(gateway, 'k', 'two');
    expect([otherBody.status, code(otherBody)]).toEqual([422, 'IDEMPOTENCY_KEY_REUSED']);
    expect((await post(gateway, 'k', 'one', { path: '/orders?x=1' })).status).toBe(422);
    // Another path or method is another request, with a key of its own.
    expect((await post(gateway, 'k', 'one', { path: '/others' })).body).toBe('order 2');
    expect((await post(gateway, 'k', 'one', { method: 'PATCH' })).body).toBe('order 3');
  });

  it('never give the answer of one caller to another', async () => {
    const gateway = await harness.gateway(configOf(upstream.url, { auth: { jwt: 'main', optional: true } }));
    const ann = await issuer.bearer({ sub: 'ann' });
    const bob = await issuer.bearer({ sub: 'bob' });
    expect((await post(gateway, 'k', 'one', { authorization: ann })).body).toBe('order 1');
    expect((await post(gateway, 'k', 'one', { authorization: bob })).body).toBe('order 2');
    expect((await post(gateway, 'k', 'one')).body).toBe('order 3');
    const renewed = await issuer.bearer({ sub: 'ann', jti: 'new' });
    expect((await post(gateway, 'k', 'one', { authorization: renewed })).body).toBe('order 1');
  });

  it('are required where the route says so, and well-formed everywhere', async () => {
    const gateway = await harness.gateway(
      configOf(upstream.url, { idempotency: policy({ required: true }) }),
    );
    const missing = await post(gateway, null, 'one');
    expect([missing.status, code(missing)]).toEqual([400, 'IDEMPOTENCY_KEY_MISSING']);
    for (const bad of ['"open', 'two words', '""', `"${'x'.repeat(300)}"`]) {
      const reply = await post(gateway, bad, 'one');
      expect([reply.status, code(reply)]).toEqual([400, 'IDEMPOTENCY_KEY_INVALID']);
    }
    expect((await call(gateway, '/')).status).toBe(201);
    expect(upstream.seen).toHaveLength(1);
  });

  it('bound the body that is read, and an answer too large to keep is never carried out twice', async () => {
    const large = await harness.upstream((request, response) => {
      request.resume();
      response.end('x'.repeat(5000));
    });
    const gateway = await harness.gateway(configOf(large.url, { idempotency: policy({ maxBytes: 1000 }) }));
    const tooLarge = await post(gateway, 'k', 'y'.repeat(1001));
    expect([tooLarge.status, code(tooLarge)]).toEqual([413, 'BODY_TOO_LARGE']);
    expect((await post(gateway, 'k', 'one')).body).toHaveLength(5000);
    const again = await post(gateway, 'k', 'one');
    expect([again.status, code(again)]).toEqual([409, 'IDEMPOTENCY_ANSWER_NOT_KEPT']);
    expect(large.seen).toHaveLength(1);
  });

  it('keep errors of the upstream, but none of the gateway and none that says "try again"', async () => {
    const statuses = [400, 503, 201];
    const moody = await harness.upstream((request, response) => {
      request.resume();
      const status = statuses.shift();
      if (status === undefined) request.socket.destroy();
      else response.writeHead(status).end(String(status));
    });
    const gateway = await harness.gateway(configOf(moody.url));
    expect((await post(gateway, 'bad', 'one')).status).toBe(400);
    expect((await post(gateway, 'bad', 'one')).headers['idempotency-replayed']).toBe('true');
    expect((await post(gateway, 'busy', 'one')).status).toBe(503);
    expect((await post(gateway, 'busy', 'one')).status).toBe(201);
    const reset = await post(gateway, 'lost', 'one');
    expect([reset.status, code(reset)]).toEqual([502, 'UPSTREAM_RESET']);
    statuses.push(200);
    expect((await post(gateway, 'lost', 'one')).status).toBe(200);
  });

  it('make a POST fit for a retry', async () => {
    const flaky = await harness.upstream((request, response) => {
      if (flaky.seen.length === 1) request.socket.destroy();
      else request.on('data', (chunk) => response.write(chunk)).on('end', () => response.end());
    });
    const retry = { attempts: 1, on: ['reset'], baseMs: 1, maxMs: 1, bufferBytes: 0 } as const;
    const gateway = await harness.gateway(configOf(flaky.url, { retry }));
    const reply = await post(gateway, 'k', 'the body');
    expect([reply.status, reply.body, flaky.seen.length]).toEqual([200, 'the body', 2]);
    // The two attempts may fall into different seconds.
    const count = (outcome: 'reset' | 'status2xx'): number =>
      harness.stream.summaries.reduce(
        (sum, { versions }) => sum + (versions.v1?.attempts.outcomes[outcome] ?? 0),
        0,
      );
    await eventually(() => count('reset') === 1 && count('status2xx') === 1);
  });

  it('finish a request whose client went away, so that it finds the answer when it comes back', async () => {
    const gateway = await harness.gateway(configOf(upstream.url));
    const socket = connect(portOf(gateway), '127.0.0.1');
    socket.on('error', () => {});
    socket.write(
      'POST /slow HTTP/1.1\r\nHost: 127.0.0.1\r\nIdempotency-Key: k\r\nContent-Length: 3\r\n\r\none',
    );
    await eventually(() => gates.length === 1);
    socket.destroy();
    const left = async () =>
      (await admin(gateway, '/metrics')).body.includes('sluice_requests_in_flight 0\n');
    while (!(await left())) await new Promise((resolve) => setTimeout(resolve, 10));
    const waiting = await post(gateway, 'k', 'one', { path: '/slow' });
    expect(waiting.status).toBe(409);
    gates[0]?.();
    let last: Reply | undefined;
    const deadlineMs = performance.now() + 5000;
    while (last?.status !== 201 && performance.now() < deadlineMs) {
      last = await post(gateway, 'k', 'one', { path: '/slow' });
    }
    expect([last?.body, last?.headers['idempotency-replayed']]).toEqual(['order 1', 'true']);
    expect(upstream.seen).toHaveLength(1);
  });

  it('count neither refusals nor replays as anything a version did', async () => {
    const gateway = await harness.gateway(configOf(upstream.url));
    await post(gateway, 'k', 'one');
    await post(gateway, 'k', 'one');
    await post(gateway, 'k', 'two');
    const total = (view: 'attempts' | 'responses') =>
      harness.stream.summaries
        .flatMap(({ versions }) => versions.v1 ?? [])
        .flatMap((each) => Object.values(each[view].outcomes))
        .reduce((sum, count) => sum + count, 0);
    // The second in which all that happened is reported once a later one is.
    const reported = harness.stream.summaries.length;
    await eventually(() => total('attempts') > 0 && harness.stream.summaries.length > reported + 1);
    expect([total('attempts'), total('responses')]).toEqual([1, 1]);
  });
});

describe('idempotency keys over Redis', () => {
  it('hold across gateways; without Redis a request with a key is refused or made without, as configured', async () => {
    const redis = await startRedis();
    harness.onClose(() => redis.stop());
    const open = async (changes: Partial<IdempotencyPolicy> = {}): Promise<Gateway> => {
      const backend = await openRedis({ url: redis.url });
      harness.onClose(() => backend.close());
      const config = configOf(upstream.url, { idempotency: policy(changes) });
      return harness.gateway(config, { shared: backend.shared });
    };
    const strict = await open();
    const lax = await open({ whenDown: 'allow' });
    const replies = await Promise.all(
      Array.from({ length: 20 }, (_, index) => post(index % 2 === 0 ? strict : lax, 'k', 'one')),
    );
    expect(upstream.seen).toHaveLength(1);
    expect(new Set(replies.map(({ status }) => status)).size).toBeLessThanOrEqual(2);
    expect(replies.filter(({ status }) => status === 201).length).toBeGreaterThan(0);
    await redis.kill();
    const refused = await post(strict, 'k', 'one');
    expect([refused.status, code(refused)]).toEqual([503, 'IDEMPOTENCY_UNAVAILABLE']);
    expect((await post(strict, null, 'one')).status).toBe(201);
    expect((await post(lax, 'k', 'one')).status).toBe(201);
  });
});
