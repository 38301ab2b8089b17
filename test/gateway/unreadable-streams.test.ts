import { once } from 'node:events';
import { get, type IncomingMessage, type ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { admin, call, eventually, GatewayHarness, portOf, raw } from '../support/gateway-harness.ts';
import { type AccessFile, accessFile, summed } from '../support/gateway-observed.ts';
import { gatewayOfYaml } from '../support/gateway-yaml.ts';

const ROUTES = `
routes:
  - name: list
    match: { prefix: /list }
    service: orders
    compress: true
    json: { response: { stream: 'items[*]', drop: ['items[*].cost'], maxBytes: 500 } }
  - name: lines
    match: { prefix: /lines }
    service: orders
    json: { response: { drop: [cost], onError: pass } }
  - name: stored
    match: { prefix: /stored }
    service: orders
    cache: { ttl: 1h }
    json: { response: { stream: '[*]', drop: ['[*].cost'] } }
`;

let harness: GatewayHarness;
let gateway: Gateway;
let log: AccessFile;
let answer: (response: ServerResponse) => void;
let asked: number;

beforeEach(async () => {
  harness = await GatewayHarness.open();
  asked = 0;
  const upstream = await harness.upstream((_request, response) => {
    asked += 1;
    answer(response);
  });
  log = accessFile(harness);
  gateway = await harness.gateway({ ...gatewayOfYaml(upstream.url, ROUTES), accessLog: log.config });
});
afterEach(() => harness.close());

function begin(response: ServerResponse, fields: Record<string, string> = {}): void {
  response.writeHead(200, { 'Content-Type': 'application/json', ...fields });
  response.flushHeaders();
}

/** A later piece is written when the gateway has read the ones before: by then it could have sent a head. */
async function inPieces(response: ServerResponse, pieces: readonly (string | Buffer)[]): Promise<void> {
  for (const piece of pieces) {
    response.write(piece);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  response.end();
}

async function metrics(): Promise<string> {
  return (await admin(gateway, '/metrics')).body;
}

const UNREADABLE: [string, (string | Buffer)[], Record<string, string>, string][] = [
  ['no JSON', ['<html>'], {}, 'it is no JSON: expected a value'],
  ['no JSON after the way to the array', ['{"items"', ':[', '{"id":}'], {}, 'it is no JSON'],
  ['no JSON though it began like it', ['{"items":[{"id":1},tru}'], {}, 'it is no JSON after element 1'],
  [
    'an element beyond the limit',
    ['{"items":[', `"${'x'.repeat(500)}"]}`],
    {},
    'a value in it is longer than 500 bytes',
  ],
  ['ended too early', ['{"items":', '['], {}, 'it is no JSON: the text ends too early'],
  ['none of its coding', ['{"items":[]}'], { 'Content-Encoding': 'gzip' }, 'it is no gzip'],
  [
    'no JSON under its coding',
    [gzipSync('{"items":[')],
    { 'Content-Encoding': 'gzip' },
    'it is no JSON: the text ends too early',
  ],
];

describe('a response that is reshaped as it passes', () => {
  it.each(UNREADABLE)(
    'becomes 502 when it is %s before anything of it could be sent',
    async (_what, pieces, fields, why) => {
      answer = (response) => {
        begin(response, fields);
        void inPieces(response, pieces);
      };
      const reply = await call(gateway, '/list');
      expect([reply.status, JSON.parse(reply.body).code]).toEqual([502, 'RESPONSE_UNREADABLE']);
      expect(reply.headers['content-type']).toBe('application/problem+json');
      expect((await log.lines(1))[0]).toMatchObject({
        status: 502,
        error: 'RESPONSE_UNREADABLE',
        response_body: why,
      });
      const { attempts, responses } = await summed(harness, 'orders', 'v1', 2);
      expect([attempts, responses]).toEqual([
        { bad: 0, total: 1, aborted: 0 },
        { bad: 1, total: 1, aborted: 0 },
      ]);
      const text = await metrics();
      expect(text).toMatch(
        /http_server_request_duration_seconds_count\{[^}]*error_type="RESPONSE_UNREADABLE",[^}]*status_code="502"\} 1/,
      );
      expect(text).toMatch(
        /http_client_request_duration_seconds_count\{[^}]*status_code="200",error_type=""\} 1/,
      );
    },
  );

  it('is cut off when it turns out unreadable later, and the log and the metrics say so', async () => {
    let more: () => void = () => {};
    answer = (response) => {
      begin(response);
      response.write('{"items":[{"id":1,"cost":2},');
      more = () => response.end('{"id":}]}');
    };
    const request = get({ port: portOf(gateway), path: '/list' });
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    let received = '';
    response.setEncoding('utf8').on('data', (piece: string) => {
      received += piece;
    });
    await eventually(() => received === '{"items":[{"id":1}');
    more();
    const [error] = await once(response, 'error');
    expect([response.statusCode, (error as NodeJS.ErrnoException).code]).toEqual([200, 'ECONNRESET']);
    expect((await log.lines(1))[0]).toMatchObject({
      status: 200,
      error: 'RESPONSE_UNREADABLE',
      response_body: 'it is no JSON after element 1',
    });
    const { attempts, responses } = await summed(harness, 'orders', 'v1', 2);
    expect([attempts, responses]).toEqual([
      { bad: 0, total: 1, aborted: 0 },
      { bad: 1, total: 1, aborted: 0 },
    ]);
    expect(await metrics()).toMatch(
      /http_server_request_duration_seconds_count\{[^}]*error_type="RESPONSE_UNREADABLE",[^}]*status_code="200"\} 1/,
    );
  });

  it('begins before it is cut off, also when the two come together', async () => {
    const body = gzipSync('{"items":[{"id":1},');
    answer = (response) =>
      response
        .writeHead(200, {
          'Content-Type': 'application/json',
          'Content-Encoding': 'gzip',
          'Content-Length': body.length,
        })
        .end(body);
    const text = await raw(portOf(gateway), 'GET /list HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(text).toContain('HTTP/1.1 200 OK');
    expect(text).toContain('{"items":[{"id":1}');
    expect(text).not.toContain('\r\n0\r\n');
  });

  it('passes as it came, fields included, where it may and is none of its coding', async () => {
    answer = (response) => {
      begin(response, {
        'Content-Type': 'application/x-ndjson',
        'Content-Encoding': 'gzip',
        ETag: '"1"',
      });
      void inPieces(response, ['no ', 'gzip\n']);
    };
    const reply = await call(gateway, '/lines', { headers: { 'accept-encoding': 'gzip' } });
    expect([reply.status, reply.body]).toEqual([200, 'no gzip\n']);
    expect(reply.headers).toMatchObject({ 'content-encoding': 'gzip', etag: '"1"' });
  });

  it('is refused where it may pass, but more has come than is kept for that', async () => {
    const unfinished = gzipSync(Buffer.alloc(0)).subarray(0, 10);
    answer = (response) => {
      begin(response, { 'Content-Type': 'application/x-ndjson', 'Content-Encoding': 'gzip' });
      // Empty blocks: nothing comes out of any of them.
      const nothing = Buffer.alloc(100_000);
      for (let at = 0; at < nothing.length; at += 5) nothing.writeUInt16LE(0xffff, at + 3);
      void inPieces(response, [unfinished, nothing, 'no block']);
    };
    const reply = await call(gateway, '/lines');
    expect([reply.status, JSON.parse(reply.body).code]).toEqual([502, 'RESPONSE_UNREADABLE']);
  });

  it('becomes 502 each time when it comes from the cache, and is sent once it can be read', async () => {
    answer = (response) => response.writeHead(200, { 'Content-Type': 'application/json' }).end('[{"cost":}]');
    for (let i = 0; i < 2; i += 1) expect((await call(gateway, '/stored/a')).status).toBe(502);
    answer = (response) =>
      response.writeHead(200, { 'Content-Type': 'application/json' }).end('[{"id":1,"cost":2}]');
    const before = asked;
    for (let i = 0; i < 2; i += 1) expect((await call(gateway, '/stored/b')).body).toBe('[{"id":1}]');
    expect(asked).toBe(before + 1);
  });

  it('has an empty body when the upstream sends none', async () => {
    answer = (response) => response.writeHead(200, { 'Content-Type': 'application/json' }).end();
    const reply = await call(gateway, '/list');
    expect([reply.status, reply.body]).toEqual([200, '']);
  });
});
