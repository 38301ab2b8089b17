import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Route } from '../../src/config/gateway-model.ts';
import {
  endpointOf,
  gatewayConfigOf,
  listenerOf,
  PLAIN_TLS,
  routeOf,
  serviceOf,
} from '../support/gateway-config.ts';
import { admin, eventually, GatewayHarness, portOf } from '../support/gateway-harness.ts';
import { accessFile } from '../support/gateway-observed.ts';
import { grpcServer, JSON_CODEC } from '../support/grpc-server.ts';

let harness: GatewayHarness;

beforeEach(async () => {
  harness = await GatewayHarness.open();
});

afterEach(() => harness.close());

const { serialize, deserialize } = JSON_CODEC;

async function open(url: string, route: Partial<Route> = {}) {
  const log = accessFile(harness);
  const service = serviceOf(
    'orders',
    {},
    {
      defaultVersion: 'v1',
      versions: { v1: { endpoints: [endpointOf(url)], tls: PLAIN_TLS, protocol: 'h2' } },
    },
  );
  const gateway = await harness.gateway(
    gatewayConfigOf([service], {
      listeners: [listenerOf({ http2: true })],
      accessLog: log.config,
      routes: [routeOf('orders', { path: { kind: 'prefix', path: '/shop.Orders' }, ...route })],
    }),
  );
  const client = new Client(`127.0.0.1:${portOf(gateway)}`, credentials.createInsecure());
  harness.onClose(async () => client.close());
  return { gateway, client, log };
}

interface Outcome {
  readonly error: ServiceError | null;
  readonly value: unknown;
  readonly trailers: Metadata | null;
}

function unary(
  client: Client,
  message: unknown,
  options: { deadline?: number; path?: string } = {},
): Promise<Outcome> {
  return new Promise((resolve) => {
    let trailers: Metadata | null = null;
    const { path = '/shop.Orders/Get', ...rest } = options;
    const call = client.makeUnaryRequest(
      path,
      serialize,
      deserialize,
      message,
      new Metadata(),
      rest,
      (error, value) => setImmediate(() => resolve({ error, value, trailers })),
    );
    call.on('status', ({ metadata }) => {
      trailers = metadata;
    });
  });
}

describe('a gRPC call through the gateway', () => {
  it('gets its answer and the trailers of the service', async () => {
    const url = await grpcServer(harness, {
      get: (call, done) => {
        const trailers = new Metadata();
        trailers.set('x-cost', '7');
        done(null, { asked: call.request, from: call.metadata.get('x-forwarded-host').length }, trailers);
      },
    });
    const { client, log } = await open(url);
    const { error, value, trailers } = await unary(client, { id: 5 });
    expect([error, value]).toEqual([null, { asked: { id: 5 }, from: 1 }]);
    expect(trailers?.get('x-cost')).toEqual(['7']);
    expect((await log.lines(1))[0]).toMatchObject({
      status: 200,
      grpc_status: '0',
      version: 'v1',
      error: '',
    });
    await eventually(() => harness.outcomes('v1', 'attempts', 'status2xx') === 1);
  });

  it('streams from the server, to the server, and both ways at once', async () => {
    const url = await grpcServer(harness, {
      list: (call) => {
        for (let i = 0; i < 50; i += 1) call.write({ i });
        call.end();
      },
      upload: (call, done) => {
        let count = 0;
        call.on('data', () => {
          count += 1;
        });
        call.on('end', () => done(null, { count }));
      },
      chat: (call) => {
        call.on('data', (message) => call.write({ echo: message }));
        call.on('end', () => call.end());
      },
    });
    const { client } = await open(url);
    const listed: unknown[] = [];
    for await (const message of client.makeServerStreamRequest(
      '/shop.Orders/List',
      serialize,
      deserialize,
      {},
    ))
      listed.push(message);
    expect(listed).toHaveLength(50);
    const uploaded = await new Promise((resolve) => {
      const call = client.makeClientStreamRequest(
        '/shop.Orders/Upload',
        serialize,
        deserialize,
        (_error, value) => resolve(value),
      );
      for (let i = 0; i < 20; i += 1) call.write({ i, pad: 'x'.repeat(10_000) });
      call.end();
    });
    expect(uploaded).toEqual({ count: 20 });
    const chat = client.makeBidiStreamRequest('/shop.Orders/Chat', serialize, deserialize);
    const heard: unknown[] = [];
    const done = new Promise((resolve) => chat.on('end', resolve));
    chat.on('data', (message) => {
      heard.push(message);
      // Each message answers the one before: nothing is held back in either direction.
      if (heard.length < 5) chat.write(heard.length);
      else chat.end();
    });
    chat.write(0);
    await done;
    expect(heard).toEqual([0, 1, 2, 3, 4].map((echo) => ({ echo })));
  });

  it.each([
    ['UNAVAILABLE', status.UNAVAILABLE, 'status5xx', '503'],
    ['INTERNAL', status.INTERNAL, 'status5xx', '500'],
    ['NOT_FOUND', status.NOT_FOUND, 'status4xx', '404'],
  ] as const)(
    'that the service answers with %s is passed on and counts as such',
    async (_name, code, outcome, http) => {
      const url = await grpcServer(harness, { get: (_call, done) => done({ code, details: 'größer' }) });
      const { client, gateway } = await open(url);
      const { error } = await unary(client, {});
      expect(error).toMatchObject({ code, details: 'größer' });
      await eventually(() => harness.outcomes('v1', 'attempts', outcome) === 1);
      await eventually(() => harness.outcomes('v1', 'responses', outcome) === 1);
      const metrics = (await admin(gateway, '/metrics')).body;
      expect(
        metrics.match(new RegExp(`duration_seconds_count\\{[^}]*status_code="${http}"`, 'g')),
      ).toHaveLength(2);
    },
  );

  it('that fails in the middle of its stream counts as failed', async () => {
    const url = await grpcServer(harness, {
      list: (call) => {
        call.write({ i: 1 });
        call.emit('error', { code: status.DATA_LOSS, details: 'lost' });
      },
    });
    const { client } = await open(url);
    const listed: unknown[] = [];
    const call = client.makeServerStreamRequest('/shop.Orders/List', serialize, deserialize, {});
    const failure = new Promise((resolve) => call.on('error', resolve));
    call.on('data', (message) => listed.push(message));
    expect(await failure).toMatchObject({ code: status.DATA_LOSS });
    expect(listed).toEqual([{ i: 1 }]);
    await eventually(() => harness.outcomes('v1', 'attempts', 'status5xx') === 1);
  });

  it('that its caller calls off is called off at the service, and blames nobody', async () => {
    let cancelled = false;
    let began = false;
    const url = await grpcServer(harness, {
      get: (call) => {
        began = true;
        call.on('cancelled', () => {
          cancelled = true;
        });
      },
    });
    const { client } = await open(url);
    const call = client.makeUnaryRequest('/shop.Orders/Get', serialize, deserialize, {}, () => {});
    await eventually(() => began);
    call.cancel();
    await eventually(() => cancelled);
    await eventually(() => harness.outcomes('v1', 'attempts', 'clientAborted') === 1);
  });
});

describe('an error of the gateway in a gRPC call', () => {
  it('is a status of gRPC: no route, no upstream', async () => {
    const { client } = await open('http://127.0.0.1:1');
    const none = await unary(client, {}, { path: '/shop.Users/Get' });
    expect(none.error?.code).toBe(status.UNIMPLEMENTED);
    expect(none.error?.details).toContain('ROUTE_UNKNOWN');
    const away = await unary(client, {});
    expect(away.error?.code).toBe(status.UNAVAILABLE);
    expect(away.error?.details).toContain('UPSTREAM_CONNECT');
  });

  it('is DEADLINE_EXCEEDED when the deadline of the caller, or the time of the route, is over', async () => {
    const url = await grpcServer(harness, { get: () => {} });
    const timeout = { connectMs: 1_000, responseMs: 300, idleMs: 2_000, totalMs: 5_000 };
    const { client } = await open(url, { timeout });
    const late = await unary(client, {});
    expect(late.error?.code).toBe(status.DEADLINE_EXCEEDED);
    expect(late.error?.details).toContain('UPSTREAM_TIMEOUT');
    await eventually(() => harness.outcomes('v1', 'attempts', 'timeout') === 1);
    const own = await unary(client, {}, { deadline: Date.now() + 100 });
    expect(own.error?.code).toBe(status.DEADLINE_EXCEEDED);
    // A caller that gives too little time blames nobody.
    await eventually(() => harness.outcomes('v1', 'attempts', 'clientAborted') === 1);
    expect(harness.outcomes('v1', 'attempts', 'timeout')).toBe(1);
  });
});
