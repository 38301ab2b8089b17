import type { RequestListener, ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Route } from '../../src/config/gateway-model.ts';
import type { MirrorPolicy } from '../../src/config/policies/mirror.ts';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { gatewayConfigOf, routeOf, serviceOf } from '../support/gateway-config.ts';
import { admin, call, eventually, GatewayHarness, type Upstream } from '../support/gateway-harness.ts';

let harness: GatewayHarness;

beforeEach(async () => {
  harness = await GatewayHarness.open();
});
afterEach(() => harness.close());

const ALL: MirrorPolicy = {
  service: null,
  version: 'v2',
  share: 1,
  by: 'random',
  noise: 0,
  methods: ['GET', 'HEAD'],
  maxBytes: 10_000,
  timeoutMs: 20_000,
  max: 1_000,
  rules: { fields: ['content-type'], ignore: [] },
};

interface Pair {
  readonly gateway: Gateway;
  readonly first: Upstream;
  readonly second: Upstream;
}

async function pair(
  mirror: Partial<MirrorPolicy>,
  firstListener: RequestListener,
  secondListener: RequestListener,
  changes: Partial<Route> = {},
): Promise<Pair> {
  const first = await harness.upstream(firstListener);
  const second = await harness.upstream(secondListener);
  const config = gatewayConfigOf([serviceOf('orders', { v1: [first.url], v2: [second.url] })], {
    routes: [routeOf('orders', { name: 'orders', mirror: { ...ALL, ...mirror }, ...changes })],
  });
  return { gateway: await harness.gateway(config), first, second };
}

interface Report {
  readonly candidate: string;
  readonly compared: { readonly candidate: number; readonly baseline: number };
  readonly outcomes: Readonly<Record<'candidate' | 'baseline', Readonly<Record<string, number>>>>;
  readonly differences: readonly {
    readonly place: string;
    readonly verdict: string;
    readonly kind: string;
  }[];
}

/** The report once `ready` says that it is. */
async function report(gateway: Gateway, ready: (report: Report) => boolean): Promise<Report> {
  const deadlineMs = performance.now() + 60_000;
  for (;;) {
    const { body } = await admin(gateway, '/mirror.json');
    const [found] = JSON.parse(body) as Report[]; // Our own report.
    if (found !== undefined && ready(found)) return found;
    if (performance.now() > deadlineMs) throw new Error(`not in time: ${body}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const compared = (count: number) => (found: Report) => found.compared.candidate === count;

function send(response: ServerResponse, value: unknown): void {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(value));
}

describe('a mirror', () => {
  it('asks the other version the same, marked, after the client has its answer, and reports what differs', async () => {
    const { gateway, first, second } = await pair(
      {},
      (_request, response) => send(response, { id: 1, items: [{ price: 5 }] }),
      (_request, response) => send(response, { id: 1, items: [{ price: 6 }], extra: true }),
    );
    const reply = await call(gateway, '/a?b=c', {
      headers: { authorization: 'Bearer x', 'x-sluice-mirror': 'forged' },
    });
    expect(JSON.parse(reply.body)).toEqual({ id: 1, items: [{ price: 5 }] });
    const found = await report(gateway, compared(1));
    expect(found.candidate).toBe('orders/v2');
    expect(found.outcomes.candidate.differs).toBe(1);
    expect(found.differences.map(({ place, kind, verdict }) => [place, kind, verdict])).toEqual([
      ['/items/*/price', 'value', 'learning'],
      ['/extra', 'added', 'learning'],
    ]);
    const [asked] = second.seen;
    expect([asked?.method, asked?.url]).toEqual(['GET', '/a?b=c']);
    expect(asked?.headers).toMatchObject({ authorization: 'Bearer x', 'x-sluice-mirror': 'candidate' });
    const [original] = first.seen;
    expect(original?.headers['x-sluice-mirror']).toBeUndefined();
    const spans = [original, asked].map((each) => String(each?.headers.traceparent).split('-'));
    expect(spans[0]?.[1]).toBe(spans[1]?.[1]);
    expect(spans[0]?.[2]).not.toBe(spans[1]?.[2]);
  });

  it('counts nothing of it as an attempt or response of the version', async () => {
    const { gateway } = await pair(
      {},
      (_request, response) => response.end('fine'),
      (_request, response) => response.writeHead(500).end('broken'),
    );
    for (let i = 0; i < 5; i += 1) expect((await call(gateway, '/')).status).toBe(200);
    const found = await report(gateway, compared(5));
    expect(found.differences.map(({ place }) => place)).toContain('status');
    const { body } = await admin(gateway, '/metrics');
    expect(body).toMatch(/sluice_mirror_requests_total\{[^}]*arm="candidate",outcome="differs"\} 5\n/);
    await gateway.close();
    for (const view of ['attempts', 'responses'] as const) {
      expect(harness.outcomes('v1', view, 'status2xx')).toBe(5);
      expect(harness.outcomes('v2', view, 'status5xx')).toBe(0);
      expect(harness.outcomes('v2', view, 'status2xx')).toBe(0);
    }
  });

  it('tells noise, which the baseline has too, from differences', async () => {
    let count = 0;
    const noisy =
      (name: string): RequestListener =>
      (_request, response) => {
        count += 1;
        send(response, { at: count, name });
      };
    const { gateway, first, second } = await pair({ noise: 0.5 }, noisy('old'), noisy('new'));
    for (let i = 0; i < 160; i += 1) await call(gateway, '/');
    const found = await report(gateway, (each) => each.compared.candidate + each.compared.baseline === 160);
    expect(found.differences).toMatchObject([
      { place: '/name', verdict: 'differs' },
      { place: '/at', verdict: 'noise' },
    ]);
    expect(first.seen.length).toBe(160 + found.compared.baseline);
    expect(second.seen.length).toBe(found.compared.candidate);
    expect(first.seen.filter(({ headers }) => headers['x-sluice-mirror'] === 'baseline')).toHaveLength(
      found.compared.baseline,
    );
  });

  it('never makes a client wait, and leaves out what is too much', async () => {
    const held: ServerResponse[] = [];
    const { gateway, second } = await pair(
      { max: 2, timeoutMs: 60_000 },
      (_request, response) => response.end('at once'),
      (_request, response) => held.push(response),
    );
    for (let i = 0; i < 6; i += 1) expect((await call(gateway, '/')).body).toBe('at once');
    await eventually(() => held.length === 2);
    const found = await report(gateway, (each) => each.outcomes.candidate['left-out'] === 4);
    expect(found.compared.candidate).toBe(0);
    for (const response of held) response.end('at once');
    await report(gateway, (each) => each.outcomes.candidate.match === 2);
    await call(gateway, '/');
    await eventually(() => second.seen.length === 3);
  });

  it('gives up in its time, and counts an answer that never comes as a difference', async () => {
    let asked = 0;
    const { gateway, second } = await pair(
      { timeoutMs: 100 },
      (_request, response) => response.end(),
      (request) => {
        asked += 1;
        if (asked > 1) request.socket.destroy();
      },
    );
    await call(gateway, '/');
    await report(gateway, (each) => each.outcomes.candidate.timeout === 1);
    await call(gateway, '/');
    const found = await report(gateway, (each) => each.outcomes.candidate.failed === 1);
    expect(found.differences.map(({ place }) => place)).toEqual(['answer']);
    expect(second.seen).toHaveLength(2);
    const { body } = await admin(gateway, '/metrics');
    expect(body).toMatch(/sluice_mirror_in_flight\{[^}]*\} 0\n/);
  });

  it('carries out other methods twice only when asked, with the same body', async () => {
    const echo: RequestListener = (request, response) => {
      request.pipe(response.setHeader('content-type', 'text/plain'));
    };
    const only = await pair({}, echo, echo);
    await call(only.gateway, '/', { method: 'POST', body: 'x' });
    await call(only.gateway, '/');
    await report(only.gateway, compared(1));
    expect(only.second.seen.map(({ method }) => method)).toEqual(['GET']);
    const both = await pair({ methods: ['POST'] }, echo, echo);
    await call(both.gateway, '/', { method: 'POST', body: 'hello' });
    const found = await report(both.gateway, compared(1));
    expect(found.outcomes.candidate.match).toBe(1);
    expect(both.second.seen[0]?.headers['content-length']).toBe('5');
    await call(both.gateway, '/', { method: 'POST', body: 'x'.repeat(10_001) });
    await call(both.gateway, '/', { method: 'POST', body: 'last' });
    await report(both.gateway, compared(2));
    expect(both.second.seen).toHaveLength(2);
  });

  it('compares packed JSON, and of large answers only the head', async () => {
    const { gateway } = await pair(
      { maxBytes: 2_000 },
      (request, response) => {
        if (request.url === '/large') response.end('a'.repeat(5_000));
        else response.setHeader('content-type', 'application/json').end('{ "a": 1 }');
      },
      (request, response) => {
        if (request.url === '/large') response.end('b'.repeat(5_000));
        else {
          response.setHeader('content-type', 'application/json').setHeader('content-encoding', 'gzip');
          response.end(gzipSync('{"a":1}'));
        }
      },
    );
    await call(gateway, '/small');
    expect((await call(gateway, '/large')).body).toBe('a'.repeat(5_000));
    const found = await report(gateway, compared(2));
    expect(found.outcomes.candidate.match).toBe(2);
  });

  it('mirrors always the same callers by key, about as many as its share says', async () => {
    const answer: RequestListener = (_request, response) => response.end();
    const service = { sticky: [{ header: 'x-user-id' }] } as const;
    const first = await harness.upstream(answer);
    const second = await harness.upstream(answer);
    const config = gatewayConfigOf([serviceOf('orders', { v1: [first.url], v2: [second.url] }, service)], {
      routes: [routeOf('orders', { mirror: { ...ALL, share: 0.3, by: 'key', max: 1_000 } })],
    });
    const gateway = await harness.gateway(config);
    for (let round = 0; round < 2; round += 1) {
      for (let user = 0; user < 200; user += 1) {
        await call(gateway, '/', { headers: { 'x-user-id': `user-${user}` } });
      }
    }
    await report(gateway, (each) => each.compared.candidate === second.seen.length && second.seen.length > 0);
    const times = new Map<unknown, number>();
    for (const { headers } of second.seen) {
      times.set(headers['x-user-id'], (times.get(headers['x-user-id']) ?? 0) + 1);
    }
    expect([...new Set(times.values())]).toEqual([2]);
    expect(times.size).toBeGreaterThan(35);
    expect(times.size).toBeLessThan(85);
  });

  it('keeps what it knows over a reload, and ends with the gateway', async () => {
    const { gateway, first, second } = await pair(
      { timeoutMs: 60_000 },
      (_request, response) => response.end('x'),
      (request, response) => {
        if (request.url !== '/hang') response.end('x');
      },
    );
    await call(gateway, '/');
    await report(gateway, compared(1));
    const config = gatewayConfigOf([serviceOf('orders', { v1: [first.url], v2: [second.url] })], {
      routes: [routeOf('orders', { name: 'orders', mirror: { ...ALL, timeoutMs: 60_000 } })],
    });
    await call(gateway, '/hang');
    await eventually(() => second.seen.length === 2);
    expect(await gateway.reload(config)).toEqual({ ok: true });
    await call(gateway, '/');
    await report(gateway, compared(2));
    const startedMs = performance.now();
    await gateway.close();
    expect(performance.now() - startedMs).toBeLessThan(20_000);
  });
});
