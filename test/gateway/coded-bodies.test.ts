import type { IncomingMessage } from 'node:http';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { admin, call, GatewayHarness, portOf, raw, type Upstream } from '../support/gateway-harness.ts';
import { gatewayOfYaml } from '../support/gateway-yaml.ts';

const ROUTES = `
routes:
  - name: mapped
    match: { prefix: /mapped }
    service: orders
    cache: {}
    idempotency: {}
    maxBodyBytes: 4000
    json:
      request: { drop: [secret], maxBytes: 100000 }
      response: { drop: [secret], maxBytes: 1000 }
  - name: lenient
    match: { prefix: /lenient }
    service: orders
    json:
      request: { drop: [secret], maxBytes: 1000, onError: pass }
      response: { drop: [secret], maxBytes: 1000, onError: pass }
`;
const JSON_TYPE = { 'content-type': 'application/json' };
const BOMB = gzipSync(Buffer.alloc(10_000_000, ' '));

let harness: GatewayHarness;
let upstream: Upstream;
let gateway: Gateway;
let received: Buffer;
let respond: (request: IncomingMessage) => {
  status?: number;
  coding?: string;
  body: Buffer;
  fields?: Record<string, string>;
};

beforeEach(async () => {
  harness = await GatewayHarness.open();
  received = Buffer.alloc(0);
  respond = () => ({ body: Buffer.from('{}') });
  upstream = await harness.upstream((request, response) => {
    request.on('data', (piece: Buffer) => {
      received = Buffer.concat([received, piece]);
    });
    request.on('end', () => {
      const { status = 200, coding, body, fields } = respond(request);
      response.writeHead(status, {
        'Content-Type': 'application/json',
        'Content-Length': body.length,
        ...(coding !== undefined && { 'Content-Encoding': coding }),
        ...fields,
      });
      response.end(body);
    });
  });
  gateway = await harness.gateway(gatewayOfYaml(upstream.url, ROUTES));
});
afterEach(() => harness.close());

const BODY = '{"secret":1,"kept":"é"}';
const CODED: [string, Buffer][] = [
  ['gzip', gzipSync(BODY)],
  ['x-gzip', gzipSync(BODY)],
  ['br', brotliCompressSync(BODY)],
  ['Deflate', deflateSync(BODY)],
  ['identity', Buffer.from(BODY)],
];

function post(path: string, coding: string, body: Buffer, fields: Record<string, string> = {}) {
  const headers = { ...JSON_TYPE, 'content-encoding': coding, ...fields };
  return call(gateway, path, { method: 'POST', headers, body });
}

describe('a request body in a content coding', () => {
  it.each(CODED)('that is %s is read, reshaped and sent on without it', async (coding, body) => {
    expect((await post('/mapped', coding, body)).status).toBe(200);
    expect(received.toString()).toBe('{"kept":"é"}');
    expect(upstream.seen[0]?.headers).not.toHaveProperty('content-encoding');
    expect(upstream.seen[0]?.headers['content-length']).toBe(String(received.length));
  });

  it('may be chunked, and has an idempotency key compared as it came', async () => {
    const key = { 'idempotency-key': '"a"' };
    await post('/mapped', 'gzip', gzipSync(BODY), key);
    expect((await post('/mapped', 'gzip', gzipSync(BODY), key)).headers['idempotency-replayed']).toBe('true');
    const packed = gzipSync(BODY).toString('latin1');
    const chunks = [...packed].map((byte) => `1\r\n${byte}\r\n`).join('');
    const head = 'Host: a\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nConnection: close';
    const answer = await raw(
      portOf(gateway),
      `POST /mapped HTTP/1.1\r\n${head}\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`,
    );
    expect(answer).toContain(' 200 ');
    expect(received.toString()).toBe('{"kept":"é"}{"kept":"é"}');
  });

  it.each<[string, string, Buffer, number, string]>([
    ['that would become huge', 'gzip', BOMB, 413, 'BODY_TOO_LARGE'],
    [
      'that would become larger than the route takes',
      'gzip',
      gzipSync(' '.repeat(4_001)),
      413,
      'BODY_TOO_LARGE',
    ],
    ['that is none of it', 'gzip', Buffer.from(BODY), 400, 'MALFORMED_BODY'],
    ['whose end is missing', 'br', brotliCompressSync(BODY).subarray(0, -3), 400, 'MALFORMED_BODY'],
    ['around what is no JSON', 'gzip', gzipSync('{'), 400, 'MALFORMED_BODY'],
    ['that is not known', 'zstd', Buffer.from('x'), 415, 'UNSUPPORTED_BODY'],
    ['on top of another', 'gzip, gzip', gzipSync(gzipSync(BODY)), 415, 'UNSUPPORTED_BODY'],
  ])('%s (%s) is refused before any attempt', async (_what, coding, body, status, code) => {
    const reply = await post('/mapped', coding, body);
    expect([reply.status, JSON.parse(reply.body).code]).toEqual([status, code]);
    expect(reply.headers['accept-encoding']).toBe(status === 415 ? 'gzip, br, deflate' : undefined);
    expect(upstream.seen).toHaveLength(0);
  });

  it.each<[string, Buffer]>([
    ['zstd', Buffer.from('x')],
    ['gzip', Buffer.from(BODY)],
    ['gzip', gzipSync(' '.repeat(1_001))],
  ])('passes as it came where the route says so (%s)', async (coding, body) => {
    await post('/lenient', coding, body);
    expect(received).toEqual(body);
    expect(upstream.seen[0]?.headers['content-encoding']).toBe(coding);
  });
});

describe('a response in a content coding that nobody asked for', () => {
  it.each(CODED)('that is %s is reshaped, and stored as it came', async (coding, body) => {
    respond = () => ({ coding, body, fields: { 'Cache-Control': 'max-age=60', ETag: '"1"' } });
    for (const status of ['fwd=uri-miss', 'hit']) {
      const reply = await call(gateway, '/mapped');
      expect(reply.body).toBe('{"kept":"é"}');
      expect(reply.headers).not.toHaveProperty('content-encoding');
      expect(reply.headers).toMatchObject({ etag: 'W/"1"', 'content-length': '13' });
      expect(reply.headers['cache-status']).toContain(status);
    }
    expect(upstream.seen).toHaveLength(1);
  });

  it('is confirmed under the weak name that its reshaped body had', async () => {
    respond = ({ headers }) =>
      headers['if-none-match'] === undefined
        ? { coding: 'gzip', body: gzipSync(BODY), fields: { 'Cache-Control': 'no-store', ETag: '"1"' } }
        : { status: 304, body: Buffer.alloc(0), fields: { 'Cache-Control': 'no-store', ETag: '"1"' } };
    const { headers } = await call(gateway, '/mapped');
    const known = await call(gateway, '/mapped', { headers: { 'if-none-match': String(headers.etag) } });
    expect([headers.etag, known.status, known.headers.etag]).toEqual(['W/"1"', 304, 'W/"1"']);
    expect(upstream.seen[1]?.headers['if-none-match']).toBe('W/"1"');
  });

  it.each([
    ['gzip', { 'accept-encoding': 'br' }, undefined],
    ['gzip', {}, undefined],
    ['gzip', { 'accept-encoding': 'gzip' }, 'gzip'],
    ['zstd', {}, 'zstd'],
  ])(
    'in %s stays in it if nothing has to be read and the client takes it (%j)',
    async (coding, headers, sent) => {
      const body = gzipSync('not here');
      respond = () => ({ status: 404, coding, body, fields: { 'Content-Type': 'text/plain', ETag: '"1"' } });
      const reply = await call(gateway, '/mapped', { headers: headers as Record<string, string> });
      expect([reply.status, reply.headers['content-encoding']]).toEqual([404, sent]);
      if (sent === undefined) expect([reply.body, reply.headers.etag]).toEqual(['not here', 'W/"1"']);
      else expect(reply.headers['content-length']).toBe(String(body.length));
    },
  );

  it.each<[string, string, Buffer]>([
    ['would become huge', 'gzip', BOMB],
    ['is none of it', 'gzip', Buffer.from(BODY)],
    ['has no end', 'gzip', gzipSync(BODY).subarray(0, -9)],
    ['is not known', 'zstd', Buffer.from('x')],
  ])('that %s becomes 502, and the attempt keeps its status', async (_what, coding, body) => {
    respond = () => ({ coding, body });
    const reply = await call(gateway, '/mapped');
    expect([reply.status, JSON.parse(reply.body).code]).toEqual([502, 'RESPONSE_UNREADABLE']);
    const { body: metrics } = await admin(gateway, '/metrics');
    expect(metrics).toMatch(
      /http_client_request_duration_seconds_count\{.*http_response_status_code="200".* 1\n/,
    );
  });

  it.each<[string, Buffer]>([
    ['gzip', BOMB],
    ['gzip', Buffer.from(BODY)],
    ['gzip', gzipSync(BODY).subarray(0, -9)],
    ['zstd', Buffer.from('x')],
  ])('passes as it came where the route says so (%s)', async (coding, body) => {
    respond = () => ({ coding, body });
    const reply = await call(gateway, '/lenient');
    expect([reply.status, reply.headers['content-encoding']]).toEqual([200, coding]);
    expect(reply.headers['content-length']).toBe(String(body.length));
  });
});
