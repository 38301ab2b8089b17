import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { brotliDecompressSync, createGunzip, gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Gateway } from '../../src/gateway/gateway.ts';
import {
  admin,
  call,
  eventually,
  GatewayHarness,
  portOf,
  type Upstream,
} from '../support/gateway-harness.ts';
import { gatewayOfYaml } from '../support/gateway-yaml.ts';

let harness: GatewayHarness;
let upstream: Upstream;
let gateway: Gateway;
let received: string;

const ROUTES = `
routes:
  - name: mapped
    match: { path: '/mapped/{id}' }
    service: orders
    cache: {}
    json:
      request:
        drop: [secret, 'items[*].cost']
        rename: { customer.firstName: first_name }
        set: { meta.order: 'o-\${param.id}', meta.source: edge, meta.count: 1 }
        maxBytes: 1000
      response: { pick: [id, 'items[*].sku'], set: { by: '\${route.name}' }, maxBytes: 1000 }
    status: { 404: { to: 410, title: Gone for good, detail: It was removed. }, 503: 502 }
  - name: lenient
    match: { prefix: /lenient }
    service: orders
    json:
      request: { drop: [secret], otherTypes: pass }
      response: { drop: [secret], maxBytes: 100, onError: pass }
    compress: { minBytes: 10 }
  - name: packed
    match: { prefix: /packed }
    service: orders
    cache: { ttl: 1m }
    compress: true
  - name: plain
    match: { prefix: /plain }
    service: orders
`;

let respond: (request: IncomingMessage) => {
  status?: number;
  fields?: Record<string, string>;
  body: string | Buffer;
};

beforeEach(async () => {
  harness = await GatewayHarness.open();
  received = '';
  respond = () => ({ body: '{}' });
  upstream = await harness.upstream((request, response) => {
    request.setEncoding('utf8').on('data', (piece: string) => {
      received += piece;
    });
    request.on('end', () => {
      const { status = 200, fields = {}, body } = respond(request);
      response.writeHead(status, { 'Content-Type': 'application/json', ...fields });
      response.end(body);
    });
  });
  gateway = await harness.gateway(gatewayOfYaml(upstream.url, ROUTES));
});
afterEach(() => harness.close());

const JSON_TYPE = { 'content-type': 'application/json' };

describe('JSON bodies of requests', () => {
  it('are reshaped before the upstream gets them', async () => {
    const body = JSON.stringify({
      secret: 1,
      customer: { firstName: 'A', id: 2 },
      items: [{ sku: 'x', cost: 3 }, { sku: 'y' }],
    });
    await call(gateway, '/mapped/7', { method: 'POST', headers: JSON_TYPE, body });
    expect(JSON.parse(received)).toEqual({
      customer: { first_name: 'A', id: 2 },
      items: [{ sku: 'x' }, { sku: 'y' }],
      meta: { order: 'o-7', source: 'edge', count: 1 },
    });
    expect(upstream.seen[0]?.headers['content-length']).toBe(String(received.length));
  });

  it.each([
    ['malformed', '{"a":', 400, 'MALFORMED_BODY'],
    ['too large', JSON.stringify('x'.repeat(2_000)), 413, 'BODY_TOO_LARGE'],
  ])('are refused when they are %s', async (_what, body, status, code) => {
    const reply = await call(gateway, '/mapped/7', { method: 'POST', headers: JSON_TYPE, body });
    expect([reply.status, JSON.parse(reply.body).code]).toEqual([status, code]);
    expect(upstream.seen).toHaveLength(0);
  });

  it.each([
    ['text/plain'],
    ['text/json'],
    ['application/x-www-form-urlencoded'],
    ['application/json, text/plain'],
    [''],
  ])('are refused as %j, which upstreams may read as JSON all the same', async (type) => {
    const headers: Record<string, string> = type === '' ? {} : { 'content-type': type };
    const reply = await call(gateway, '/mapped/7', { method: 'POST', headers, body: '{"internal":1}' });
    expect([reply.status, JSON.parse(reply.body).code]).toEqual([415, 'UNSUPPORTED_BODY']);
    expect(upstream.seen).toHaveLength(0);
  });

  it('pass when they are no JSON, where the rules say so', async () => {
    await call(gateway, '/lenient/7', {
      method: 'POST',
      headers: { 'content-type': 'text/plain' },
      body: '{"a"',
    });
    expect(received).toBe('{"a"');
  });
});

describe('JSON bodies of responses', () => {
  it('are reshaped, with a length of their own, a weak tag and no ranges', async () => {
    respond = () => ({
      fields: { ETag: '"1"', 'Accept-Ranges': 'bytes', 'Content-Length': '55' },
      body: '{"id":1,"secret":2,"items":[{"sku":"a","cost":1},{},5]}',
    });
    const reply = await call(gateway, '/mapped/7', {
      headers: { range: 'bytes=0-3', 'accept-encoding': 'gzip' },
    });
    expect(JSON.parse(reply.body)).toEqual({ id: 1, items: [{ sku: 'a' }, {}, 5], by: 'mapped' });
    expect(reply.headers).toMatchObject({ etag: 'W/"1"', 'content-length': String(reply.body.length) });
    expect(reply.headers).not.toHaveProperty('accept-ranges');
    expect(upstream.seen[0]?.headers).toMatchObject({ 'accept-encoding': 'identity' });
    expect(upstream.seen[0]?.headers).not.toHaveProperty('range');
    const head = await call(gateway, '/mapped/7', { method: 'HEAD' });
    expect([head.status, head.headers.etag, head.headers['content-length']]).toEqual([
      200,
      'W/"1"',
      undefined,
    ]);
  });

  it('are stored as they came and reshaped on each way out', async () => {
    respond = () => ({ fields: { 'Cache-Control': 'max-age=60' }, body: '{"id":1,"secret":2}' });
    const replies = [await call(gateway, '/mapped/1'), await call(gateway, '/mapped/1')];
    expect(replies.map(({ body }) => body)).toEqual(Array(2).fill('{"id":1,"by":"mapped"}'));
    expect(upstream.seen).toHaveLength(1);
  });

  it.each([
    ['malformed', { body: '{"id":' }],
    ['no UTF-8', { body: Buffer.from([0x22, 0xff, 0x22]) }],
    ['larger than the limit', { body: JSON.stringify('x'.repeat(2_000)) }],
    ['in a coding', { fields: { 'Content-Encoding': 'gzip' }, body: 'x' }],
  ])('get 502 when they are %s, and the version its own status', async (_what, answer) => {
    respond = () => answer;
    const reply = await call(gateway, '/mapped/7');
    expect([reply.status, JSON.parse(reply.body).code]).toEqual([502, 'RESPONSE_UNREADABLE']);
    const { body: metrics } = await admin(gateway, '/metrics');
    const attempts = metrics
      .split('\n')
      .filter((line) => line.startsWith('http_client_request_duration_seconds_count'));
    expect(attempts).toEqual([expect.stringMatching(/http_response_status_code="200".* 1$/)]);
  });

  it('pass where the route says so, streaming once they are too large', async () => {
    respond = () => ({ body: '{"secret":' });
    expect((await call(gateway, '/lenient')).body).toBe('{"secret":');
    respond = () => ({ body: JSON.stringify({ secret: 'x'.repeat(200_000) }) });
    expect((await call(gateway, '/lenient')).body).toHaveLength(200_013);
    respond = () => ({ body: '{"secret":1,"a":2}' });
    expect((await call(gateway, '/lenient')).body).toBe('{"a":2}');
  });

  it('are reshaped line by line when they are newline-delimited', async () => {
    respond = () => ({
      fields: { 'Content-Type': 'application/x-ndjson' },
      body: '{"secret":1,"a":1}\n\n{"a":2,"secret":2}\nnone',
    });
    expect((await call(gateway, '/lenient')).body).toBe('{"a":1}\n\n{"a":2}\nnone');
  });

  it('leaves errors of the upstream as they are, but for their mapped status', async () => {
    respond = () => ({ status: 503, body: '{"secret":1}' });
    const moved = await call(gateway, '/mapped/7');
    expect([moved.status, moved.body]).toEqual([502, '{"secret":1}']);
    respond = () => ({ status: 404, fields: { ETag: '"a"' }, body: 'not here' });
    const gone = await call(gateway, '/mapped/7');
    expect([gone.status, JSON.parse(gone.body)]).toEqual([
      410,
      {
        type: 'about:blank',
        title: 'Gone for good',
        status: 410,
        detail: 'It was removed.',
        request_id: gone.headers['x-request-id'],
      },
    ]);
    expect(gone.headers).not.toHaveProperty('etag');
  });
});

const TEXT = 'the quick brown fox '.repeat(500);

function bytesOf(
  path: string,
  headers: Record<string, string>,
): Promise<{ response: IncomingMessage; body: Buffer }> {
  return new Promise((resolve, reject) => {
    get({ port: portOf(gateway), host: '127.0.0.1', path, headers }, (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.on('end', () => resolve({ response, body: Buffer.concat(pieces) }));
    }).on('error', reject);
  });
}

describe('compression', () => {
  beforeEach(() => {
    respond = () => ({
      fields: { 'Content-Type': 'text/plain', ETag: '"1"', 'Content-Length': '10000' },
      body: TEXT,
    });
  });

  it('compresses what the client takes, from the upstream and from the cache', async () => {
    const br = await bytesOf('/packed', { 'accept-encoding': 'gzip, br' });
    expect(brotliDecompressSync(br.body).toString()).toBe(TEXT);
    expect(br.response.headers).toMatchObject({
      'content-encoding': 'br',
      vary: 'Accept-Encoding',
      etag: 'W/"1"',
    });
    expect(br.response.headers).not.toHaveProperty('content-length');
    const gzip = await bytesOf('/packed', { 'accept-encoding': 'br;q=0.5, gzip' });
    expect(gunzipSync(gzip.body).toString()).toBe(TEXT);
    const plain = await bytesOf('/packed', {});
    expect([plain.body.toString(), plain.response.headers.etag, plain.response.headers.vary]).toEqual([
      TEXT,
      '"1"',
      'Accept-Encoding',
    ]);
    expect(upstream.seen).toHaveLength(1);
  });

  it('confirms by the weak tag that the client got, and leaves ranges alone', async () => {
    await bytesOf('/packed', {});
    const known = await bytesOf('/packed', { 'accept-encoding': 'gzip', 'if-none-match': 'W/"1"' });
    expect([known.response.statusCode, known.response.headers.etag]).toEqual([304, 'W/"1"']);
    const part = await bytesOf('/packed', { 'accept-encoding': 'gzip', range: 'bytes=0-9' });
    expect([
      part.response.statusCode,
      part.body.toString(),
      part.response.headers['content-encoding'],
    ]).toEqual([206, TEXT.slice(0, 10), undefined]);
  });

  it.each([
    ['is small', { 'Content-Length': '5' }, 'small'],
    ['is in a coding already', { 'Content-Encoding': 'zstd' }, TEXT],
    ['must not be touched', { 'Cache-Control': 'private, no-transform' }, TEXT],
    ['is of another type', { 'Content-Type': 'image/png' }, TEXT],
  ])('leaves alone what %s', async (_what, fields, body) => {
    respond = () => ({
      fields: { 'Content-Type': 'text/plain', 'Cache-Control': 'no-store', ...fields },
      body,
    });
    const { response, body: sent } = await bytesOf('/packed', { 'accept-encoding': 'gzip' });
    expect(sent.toString()).toBe(body);
    expect(response.headers['content-encoding']).not.toBe('gzip');
  });

  it('sends each event of a stream at once', async () => {
    const stream = await harness.upstream((_request, response) => {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' });
      response.write('data: 1\n\n');
    });
    const other = await harness.gateway(gatewayOfYaml(stream.url, ROUTES));
    const request = get({ port: portOf(other), path: '/packed', headers: { 'accept-encoding': 'gzip' } });
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    let text = '';
    response
      .pipe(createGunzip())
      .on('data', (piece: Buffer) => {
        text += piece.toString();
      })
      .on('error', () => {});
    await eventually(() => text === 'data: 1\n\n');
    request.destroy();
  });

  it('makes the upstream wait for a client that does not read', async () => {
    const big = Buffer.alloc(1_000_000);
    for (let i = 0; i < big.length; i += 1) big[i] = (i * 2_654_435_761) >>> 13;
    let sent = 0;
    const source = await harness.upstream((_request, response) => {
      response.writeHead(200, { 'Content-Type': 'text/plain' });
      const push = (): void => {
        while (sent < 200_000_000) {
          sent += big.length;
          if (!response.write(big)) {
            response.once('drain', push);
            return;
          }
        }
        response.end();
      };
      push();
    });
    const other = await harness.gateway(gatewayOfYaml(source.url, ROUTES));
    const request = get({ port: portOf(other), path: '/packed', headers: { 'accept-encoding': 'gzip' } });
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    response.pause();
    // It stands still: nothing is sent in the time in which it would send many times that.
    let before = -1;
    let stillFor = 0;
    await eventually(() => {
      stillFor = before === sent && sent > 0 ? stillFor + 1 : 0;
      before = sent;
      return stillFor === 50;
    }, 60_000);
    expect(sent).toBeLessThan(200_000_000);
    request.destroy();
  });
});
