import { request } from 'node:http';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { type Metadata, type sendUnaryData, status } from '@grpc/grpc-js';
import protobuf from 'protobufjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TranscodePolicy } from '../../src/config/policies/transcode.ts';
import type { TransformPolicy } from '../../src/config/policies/transform.ts';
import { completeXml } from '../../src/config/policies/xml.ts';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { endpointOf, gatewayConfigOf, PLAIN_TLS, routeOf, serviceOf } from '../support/gateway-config.ts';
import { call, eventually, GatewayHarness, portOf } from '../support/gateway-harness.ts';
import { accessFile } from '../support/gateway-observed.ts';
import { type Codec, grpcServer, type Handlers } from '../support/grpc-server.ts';

const PROTO = fileURLToPath(new URL('../support/orders.proto', import.meta.url));

const root = new protobuf.Root();
for (const name of ['timestamp', 'duration', 'wrappers']) {
  root.addJSON(protobuf.common.get(`google/protobuf/${name}.proto`)?.nested ?? {});
}
protobuf.parse(await (await import('node:fs/promises')).readFile(PROTO, 'utf8'), root);
root.resolveAll();

/** The service sees and says what protobufjs makes of messages, not what the gateway does. */
function codecOf(name: string): Codec<unknown> {
  const type = root.lookupType(name);
  return {
    serialize: (message) => Buffer.from(type.encode(message as protobuf.Message).finish()),
    deserialize: (bytes) =>
      type.toObject(type.decode(bytes), { longs: String, enums: String, bytes: String }),
  };
}

let harness: GatewayHarness;

beforeEach(async () => {
  harness = await GatewayHarness.open();
});

afterEach(() => harness.close());

async function open(
  handlers: Handlers,
  policy: Partial<TranscodePolicy> = {},
  transform: TransformPolicy | null = null,
) {
  const log = accessFile(harness);
  const codecs = { request: codecOf('shop.GetRequest'), response: codecOf('shop.Order') };
  const url = await grpcServer(harness, handlers, codecs);
  const service = serviceOf(
    'orders',
    {},
    {
      defaultVersion: 'v1',
      versions: { v1: { endpoints: [endpointOf(url)], tls: PLAIN_TLS, protocol: 'h2' } },
    },
  );
  const transcode = { proto: PROTO, services: null, methods: {}, maxMessageBytes: 100_000, ...policy };
  const gateway = await harness.gateway(
    gatewayConfigOf([service], {
      accessLog: log.config,
      routes: [routeOf('orders', { transcode, transform })],
    }),
  );
  return { gateway, log };
}

/** A service that answers with what it was asked, as the name of an order. */
async function mirror(policy: Partial<TranscodePolicy> = {}, transform: TransformPolicy | null = null) {
  const seen: unknown[] = [];
  const opened = await open(
    {
      get: (asked, done) => {
        seen.push(asked.request);
        done(null, { name: 'mirror' });
      },
    },
    policy,
    transform,
  );
  return { ...opened, seen };
}

const UNCHANGED: TransformPolicy = {
  cors: null,
  headers: null,
  rewrite: null,
  json: null,
  xml: null,
  status: null,
  compress: null,
};

const answering = (message: unknown): Handlers => ({ get: (_asked, done) => done(null, message) });

describe('a JSON request', () => {
  it.each([
    ['GET', '/v1/orders/12345678901234567', undefined, { orderId: '12345678901234567' }],
    [
      'GET',
      '/v1/orders/7?tags=a&tags=b&order.name=x&order.size=LARGE&order.paid=true',
      undefined,
      { orderId: '7', tags: ['a', 'b'], order: { name: 'x', size: 'LARGE', paid: true } },
    ],
    [
      'POST',
      '/v1/orders/7:get?tags=a',
      { name: 'n', counts: [1, 2], prices: { a: 1.5 } },
      { orderId: '7', tags: ['a'], order: { name: 'n', counts: [1, 2], prices: { a: 1.5 } } },
    ],
    [
      'PUT',
      '/v1/shelves/s%201/orders/2',
      {
        order_id: '9',
        order: { inner: { name: 'i' }, took: '1.5s', note: '7', at: '2026-01-02T03:04:05.5Z' },
      },
      {
        orderId: '9',
        order: {
          name: 'shelves/s 1/orders/2',
          inner: { name: 'i' },
          took: { seconds: '1', nanos: 500_000_000 },
          note: { value: '7' },
          at: { seconds: '1767323045', nanos: 500_000_000 },
        },
      },
    ],
  ])('%s %s is the message that the mapping says', async (method, path, body, expected) => {
    const { gateway, seen, log } = await mirror();
    const reply = await call(gateway, path, { method, ...(body && { body: JSON.stringify(body) }) });
    expect([reply.status, JSON.parse(reply.body)]).toEqual([200, { name: 'mirror' }]);
    expect(reply.headers['content-type']).toBe('application/json');
    expect(seen).toEqual([expected]);
    expect((await log.lines(1))[0]).toMatchObject({
      call: '/shop.Orders/Get',
      grpc_status: '0',
      status: 200,
    });
  });

  it('finds methods by mappings of the route instead of their options', async () => {
    const { gateway, seen } = await mirror({
      methods: { 'shop.Orders/Get': { get: '/o/{order_id}', responseBody: 'name' } },
    });
    expect((await call(gateway, '/o/5')).body).toBe('"mirror"');
    expect(seen).toEqual([{ orderId: '5' }]);
    expect((await call(gateway, '/v1/orders/5')).status).toBe(404);
  });

  it.each([
    ['a value of the wrong kind', 'GET', '/v1/orders/seven', '', 'order_id must be a whole number in range'],
    ['an unknown field in the query', 'GET', '/v1/orders/7?colour=red', '', 'there is no field "colour"'],
    ['a field twice', 'GET', '/v1/orders/7?order.name=a&order.name=b', '', 'more than once'],
    ['no JSON', 'POST', '/v1/orders/7:get', '{', 'the body is no JSON'],
    [
      'an unknown field deep down',
      'POST',
      '/v1/orders/7:get',
      '{"inner":{"colour":1}}',
      'there is no field "order.inner.colour"',
    ],
    ['a list for a scalar', 'POST', '/v1/orders/7:get', '{"name":["a"]}', 'order.name must be text'],
    [
      'an unknown enum value',
      'POST',
      '/v1/orders/7:get',
      '{"size":"HUGE"}',
      'order.size must be one of UNKNOWN, LARGE',
    ],
    [
      'a number out of range',
      'POST',
      '/v1/orders/7:get',
      '{"counts":[2147483648]}',
      'order.counts[0] must be',
    ],
    [
      'nesting without end',
      'POST',
      '/v1/orders/7:get',
      `${'{"inner":'.repeat(100)}{}${'}'.repeat(100)}`,
      'nested too deeply',
    ],
    ['another method', 'DELETE', '/v1/orders/7', '', 'No method of the service answers it'],
  ])('with %s is refused before any version is asked', async (_case, method, path, body, detail) => {
    const { gateway, seen } = await mirror();
    const reply = await call(gateway, path, { method, ...(body !== '' && { body }) });
    expect([reply.status, JSON.parse(reply.body).detail]).toEqual([
      method === 'DELETE' ? 404 : 400,
      expect.stringContaining(detail),
    ]);
    expect(seen).toEqual([]);
  });
});

describe('a request in another form', () => {
  const path = '/v1/orders/7:get';
  const asked = { orderId: '7', order: { name: 'n', counts: [1] } };

  it('is read as JSON once its coding is off, within the limit of the route', async () => {
    const { gateway, seen } = await mirror();
    const post = (coding: string, body: Buffer) =>
      call(gateway, path, { method: 'POST', headers: { 'content-encoding': coding }, body });
    const replies = [
      await post('gzip', gzipSync('{"name":"n","counts":[1]}')),
      await post('gzip', gzipSync(Buffer.alloc(1_048_577, ' '))),
      await post('gzip', Buffer.from('{}')),
      await post('zstd', Buffer.from('{}')),
    ];
    expect(replies.map(({ status: code }) => code)).toEqual([200, 413, 400, 415]);
    expect(seen).toEqual([asked]);
  });

  it('may be XML where the route translates that, and is answered in XML', async () => {
    const document = { root: 'order', arrays: ['counts'] };
    const xml = completeXml({ request: document, response: document });
    const { gateway, seen } = await mirror({}, { ...UNCHANGED, xml });
    const reply = await call(gateway, path, {
      method: 'POST',
      headers: { 'content-type': 'text/xml' },
      body: '<order><name>n</name><counts>1</counts></order>',
    });
    expect(reply.body).toContain('<order><name>mirror</name></order>');
    expect(seen).toEqual([asked]);
  });
});

describe('the answer', () => {
  it('is JSON of proto3', async () => {
    const { gateway } = await open(
      answering({
        orderId: '9007199254740993',
        size: 1,
        blob: Buffer.from([1, 2, 255]),
        counts: [0, -1],
        prices: { a: 0.5 },
        paid: true,
        at: { seconds: 1767323045, nanos: 20_000_000 },
        took: { seconds: -1, nanos: -500_000_000 },
        note: { value: '8' },
        inner: {},
      }),
    );
    expect(JSON.parse((await call(gateway, '/v1/orders/1')).body)).toEqual({
      orderId: '9007199254740993',
      size: 'LARGE',
      blob: 'AQL/',
      counts: [0, -1],
      prices: { a: 0.5 },
      paid: true,
      at: '2026-01-02T03:04:05.02Z',
      took: '-1.5s',
      note: '8',
      inner: {},
    });
  });

  it.each([
    [status.NOT_FOUND, 404, 'GRPC_NOT_FOUND', 'status4xx'],
    [status.UNAVAILABLE, 503, 'GRPC_UNAVAILABLE', 'status5xx'],
  ] as const)(
    'with the code %i is a problem document with %i, and counts as such',
    async (code, http, name, outcome) => {
      const { gateway } = await open({
        get: (_asked, done: sendUnaryData<unknown>) =>
          done({ code, details: 'größer: 50 %', metadata: undefined as unknown as Metadata }),
      });
      const reply = await call(gateway, '/v1/orders/1');
      expect([reply.status, reply.headers['content-type']]).toEqual([http, 'application/problem+json']);
      expect(JSON.parse(reply.body)).toMatchObject({ status: http, code: name, detail: 'größer: 50 %' });
      await eventually(() => harness.outcomes('v1', 'attempts', outcome) === 1);
      await eventually(() => harness.outcomes('v1', 'responses', outcome) === 1);
    },
  );

  it('that is too large is an error of the service', async () => {
    const { gateway } = await open(answering({ name: 'x'.repeat(200_000) }));
    expect(JSON.parse((await call(gateway, '/v1/orders/1')).body).code).toBe('UPSTREAM_BAD_RESPONSE');
    await eventually(() => harness.outcomes('v1', 'attempts', 'reset') === 1);
  });

  it('of a stream comes line by line, each before the next one exists', async () => {
    const pending: (() => void)[] = [];
    const { gateway } = await open({
      list: (asked) => {
        for (let i = 1; i <= 3; i += 1) pending.push(() => asked.write({ orderId: i }));
        pending.push(() => asked.end());
        pending.shift()?.();
      },
    });
    const { lines, ended, type } = await streamOf(gateway, '*/*');
    for (let i = 1; i <= 3; i += 1) {
      await eventually(() => lines().length === i);
      expect(JSON.parse(lines()[i - 1] ?? '')).toEqual({ orderId: String(i) });
      pending.shift()?.();
    }
    await ended;
    expect(type).toBe('application/x-ndjson');
    await eventually(() => harness.outcomes('v1', 'attempts', 'status2xx') === 1);
  });

  it('of a stream comes as events where they are asked for, the error as the last one', async () => {
    const { gateway } = await open({
      list: (asked) => {
        asked.write({ orderId: 1 });
        asked.emit('error', { code: status.DATA_LOSS, details: 'lost' });
      },
    });
    const { lines, ended, type } = await streamOf(gateway, 'text/event-stream');
    await ended;
    expect(type).toBe('text/event-stream');
    expect(lines()[0]).toBe('data: {"orderId":"1"}');
    expect(lines()[2]).toBe('event: error');
    expect(lines()[3]).toMatch(/"code":"GRPC_DATA_LOSS"/);
    await eventually(() => harness.outcomes('v1', 'attempts', 'status5xx') === 1);
  });
});

function streamOf(gateway: Gateway, accept: string) {
  return new Promise<{ lines: () => string[]; ended: Promise<void>; type: string | undefined }>((resolve) => {
    const sent = request(
      { host: '127.0.0.1', port: portOf(gateway), path: '/v1/orders', headers: { accept }, agent: false },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (piece: string) => {
          text += piece;
        });
        const ended = new Promise<void>((done) => response.on('end', done));
        resolve({
          lines: () => text.split('\n').slice(0, -1),
          ended,
          type: response.headers['content-type'],
        });
      },
    );
    sent.end();
  });
}
