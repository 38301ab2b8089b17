import { once } from 'node:events';
import { type ClientRequest, type IncomingMessage, request as open, type RequestListener } from 'node:http';
import { text } from 'node:stream/consumers';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Gateway } from '../../src/gateway/gateway.ts';
import {
  call,
  eventually,
  GatewayHarness,
  portOf,
  type Reply,
  type Upstream,
} from '../support/gateway-harness.ts';
import { type AccessFile, accessFile, summed } from '../support/gateway-observed.ts';
import { gatewayOfYaml } from '../support/gateway-yaml.ts';

const ROUTES = `
routes:
  - name: import
    match: { prefix: /import }
    service: orders
    idempotency: {}
    retry: { attempts: 2, on: [reset, 503], bufferBytes: 4000, backoff: { base: 1ms } }
    json: { request: { stream: 'items[*]', drop: ['items[*].cost', secret], maxBytes: 2000 } }
  - name: small
    match: { prefix: /small }
    service: orders
    maxBodyBytes: 10000
    json: { request: { stream: '[*]', drop: ['[*].cost'], maxBytes: 2000 } }
  - name: lines
    match: { prefix: /lines }
    service: orders
    json: { request: { drop: [cost], maxBytes: 2000 } }
  - name: lenient
    match: { prefix: /lenient }
    service: orders
    json: { request: { drop: [cost], maxBytes: 20, onError: pass } }
`;
const JSON_TYPE = { 'content-type': 'application/json' };
const LINES_TYPE = { 'content-type': 'application/x-ndjson' };
const FILLER = 'n'.repeat(1_000);

let harness: GatewayHarness;
let upstream: Upstream;
let gateway: Gateway;
let log: AccessFile;
/** Of the requests in their order, as far as it came. */
let bodies: string[];
let respond: RequestListener;

const echo: RequestListener = (request, response) => request.on('end', () => response.end('thanks'));

beforeEach(async () => {
  harness = await GatewayHarness.open();
  bodies = [];
  respond = echo;
  upstream = await harness.upstream((request, response) => {
    const at = bodies.push('') - 1;
    request.setEncoding('utf8').on('data', (piece: string) => {
      bodies[at] += piece;
    });
    request.on('error', () => {});
    respond(request, response);
  });
  log = accessFile(harness);
  gateway = await harness.gateway({ ...gatewayOfYaml(upstream.url, ROUTES), accessLog: log.config });
});
afterEach(() => harness.close());

/** Chunked, unless a length is among the fields. */
function begin(path: string, headers: Record<string, string> = JSON_TYPE): ClientRequest {
  const request = open({ host: '127.0.0.1', port: portOf(gateway), path, method: 'POST', headers });
  request.on('error', () => {});
  request.flushHeaders();
  return request;
}

async function answerTo(request: ClientRequest): Promise<Pick<Reply, 'status' | 'body'>> {
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return { status: response.statusCode ?? 0, body: await text(response) };
}

function post(path: string, body: string | Buffer, headers: Record<string, string> = {}): Promise<Reply> {
  return call(gateway, path, { method: 'POST', headers: { ...JSON_TYPE, ...headers }, body });
}

/** In chunks, so that nobody knows its length before. */
function upload(path: string, body: string | Buffer, headers: Record<string, string> = {}) {
  const request = begin(path, { ...JSON_TYPE, ...headers });
  request.end(body);
  return answerTo(request);
}

const problemOf = ({ status, body }: Pick<Reply, 'status' | 'body'>) => {
  const { code, detail } = JSON.parse(body);
  return [status, code, detail];
};

describe('a request whose array is reshaped as it passes', () => {
  it('reaches the upstream element by element while the client still sends', async () => {
    const request = begin('/import', {
      ...JSON_TYPE,
      'content-digest': 'sha-256=:AA==:',
      'content-length': '66',
    });
    request.write('{"secret":1,"total":2,"items":[{"id":1,"cost":2},');
    // A body of a short known length would be gathered.
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(bodies).toEqual([]);
    request.end('{"id":2}]}       ');
    expect(await answerTo(request)).toEqual({ status: 200, body: 'thanks' });
    expect(bodies).toEqual(['{"total":2,"items":[{"id":1},{"id":2}]}']);

    const chunked = begin('/import');
    chunked.write('{"secret":1,"total":2,"items":[{"id":1,"cost":2},');
    await eventually(() => bodies[1] === '{"total":2,"items":[{"id":1}');
    chunked.end('{"id":2}]}');
    expect(await answerTo(chunked)).toEqual({ status: 200, body: 'thanks' });
    expect(bodies[1]).toBe('{"total":2,"items":[{"id":1},{"id":2}]}');
    const [short, long] = upstream.seen.map(({ headers }) => headers);
    expect(short).toMatchObject({ 'content-length': '39' });
    expect(short).not.toHaveProperty('content-digest');
    expect(long).toMatchObject({ 'transfer-encoding': 'chunked' });
    expect(long).not.toHaveProperty('content-length');
    expect((await log.lines(2)).map(({ request_body }) => request_body)).toEqual(['mapped', 'mapped']);
  });

  it.each<[string, string, Buffer]>([
    ['gzip', '/import', gzipSync(`{"items":[${Array(500).fill(`{"a":"${FILLER}","cost":1}`).join()}]}`)],
    [
      'br',
      '/import',
      brotliCompressSync(`{"items":[${Array(500).fill(`{"a":"${FILLER}","cost":1}`).join()}]}`),
    ],
  ])('is unpacked on its way when it comes in %s', async (coding, path, body) => {
    const headers = { 'content-encoding': coding };
    const whole = `{"items":[${Array(500).fill(`{"a":"${FILLER}"}`).join()}]}`;
    expect(await upload(path, body, headers)).toEqual({ status: 200, body: 'thanks' });
    expect((await post(path, body, headers)).status).toBe(200);
    expect(bodies.map((each) => each === whole)).toEqual([true, true]);
    for (const { headers: sent } of upstream.seen) {
      expect(sent).not.toHaveProperty('content-encoding');
      expect(sent).toMatchObject({ 'transfer-encoding': 'chunked' });
    }
  });

  it('may come in lines, each of them within the limit', async () => {
    const body = `{"id":1,"cost":2}\n\n{"id":2,"a":"${FILLER}"}\n{"cost":3}`;
    const mapped = `{"id":1}\n\n{"id":2,"a":"${FILLER}"}\n{}`;
    await post('/lines', body, LINES_TYPE);
    await upload('/lines', body, LINES_TYPE);
    await upload('/lines', gzipSync(body), { ...LINES_TYPE, 'content-encoding': 'gzip' });
    expect(bodies).toEqual([mapped, mapped, mapped]);
    const passed = 'no JSON\n{"cost":1}\n{"cost":1,"of":"a long line"}\n';
    await post('/lenient', passed, LINES_TYPE);
    expect(bodies[3]).toBe('no JSON\n{}\n{"cost":1,"of":"a long line"}\n');
  });

  it('is read before an idempotency key is claimed, and sent once', async () => {
    const key = { 'idempotency-key': '"a"' };
    const body = `{"items":[{"a":"${FILLER}","cost":1}]}`;
    expect((await upload('/import', body, key)).status).toBe(200);
    expect((await post('/import', body, key)).headers['idempotency-replayed']).toBe('true');
    expect(problemOf(await post('/import', '{"items":[{]}', { 'idempotency-key': '"b"' }))).toEqual([
      400,
      'MALFORMED_BODY',
      'The body cannot be read: it is no JSON.',
    ]);
    // The key is free again.
    expect((await post('/import', body, { 'idempotency-key': '"b"' })).status).toBe(200);
    expect(bodies).toEqual(Array(2).fill(`{"items":[{"a":"${FILLER}"}]}`));
  });

  it.each<[string, (body: string) => Promise<{ status: number }>]>([
    ['of known length', (body) => post('/import', body, { 'idempotency-key': '"k"' })],
    ['in chunks', (body) => upload('/import', body, { 'idempotency-key': '"l"' })],
  ])('%s is sent again as a whole when an attempt fails', async (_what, send) => {
    respond = (request, response) =>
      request.on('end', () => response.writeHead(bodies.length === 1 ? 503 : 200).end());
    expect((await send('{"items":[{"id":1,"cost":2},{"id":2}]}')).status).toBe(200);
    expect(bodies).toEqual(Array(2).fill('{"items":[{"id":1},{"id":2}]}'));
  });

  it.each<[string, number, number, number]>([
    ['again from the start when all that was sent is kept', 2, 200, 2],
    ['once when more was sent than is kept', 5, 502, 1],
  ])('is sent %s', async (_what, elements, status, attempts) => {
    const method = 'PUT';
    respond = (request, response) => {
      if (bodies.length > 1) echo(request, response);
      else request.on('end', () => request.socket.destroy());
    };
    const request = open({ port: portOf(gateway), path: '/import', method, headers: JSON_TYPE });
    request.flushHeaders();
    request.end(`{"items":[${Array(elements).fill(`{"a":"${FILLER}","cost":1}`).join()}]}`);
    expect((await answerTo(request)).status).toBe(status);
    expect(bodies).toEqual(
      Array(attempts).fill(`{"items":[${Array(elements).fill(`{"a":"${FILLER}"}`).join()}]}`),
    );
  });

  it('is asked for once nothing can refuse it any more', async () => {
    const request = begin('/import', { ...JSON_TYPE, expect: '100-continue' });
    await once(request, 'continue');
    request.end('{"items":[{"cost":1}]}');
    expect((await answerTo(request)).status).toBe(200);
    expect(bodies).toEqual(['{"items":[{}]}']);
    expect(upstream.seen[0]?.headers).not.toHaveProperty('expect');
  });
});

const BAD: [string, string, string | Buffer, Record<string, string>, unknown[]][] = [
  [
    'no JSON in the middle',
    '/import',
    '{"id":}]}',
    {},
    [400, 'MALFORMED_BODY', 'The body cannot be read: it is no JSON after element 1.'],
  ],
  [
    'no JSON at its end',
    '/import',
    '{"id":2}]',
    {},
    [
      400,
      'MALFORMED_BODY',
      'The body cannot be read: it is no JSON after element 2: the text ends too early.',
    ],
  ],
  [
    'an element beyond the limit',
    '/import',
    `"${'x'.repeat(2_000)}"]}`,
    {},
    [
      413,
      'BODY_TOO_LARGE',
      'The body cannot be read: a value in it is longer than 2000 bytes after element 1.',
    ],
  ],
];

describe('a request that turns out unreadable on its way', () => {
  it.each(BAD)(
    'is %s: the upstream never has all of it, and nobody is blamed',
    async (_what, path, rest, headers, problem) => {
      let whole = false;
      let ended = false;
      respond = (request) => {
        request.on('end', () => {
          whole = true;
        });
        request.on('close', () => {
          ended = true;
        });
      };
      const request = begin(path, { ...JSON_TYPE, ...headers });
      request.write('{"items":[{"id":1,"cost":1},');
      await eventually(() => bodies[0] === '{"items":[{"id":1}');
      request.end(rest);
      expect(problemOf(await answerTo(request))).toEqual(problem);
      await eventually(() => ended);
      expect([whole, upstream.seen.length]).toEqual([false, 1]);
      expect((await log.lines(1))[0]).toMatchObject({ status: problem[0], error: problem[1], version: 'v1' });
      const { attempts, responses } = await summed(harness, 'orders', 'v1', 2);
      expect(attempts).toEqual({ bad: 0, total: 0, aborted: 1 });
      expect(responses).toMatchObject({ bad: 0, aborted: 0 });
    },
  );

  it.each<[string, string | Buffer, Record<string, string>, unknown[]]>([
    [
      'no gzip',
      'nonsense',
      { 'content-encoding': 'gzip' },
      [400, 'MALFORMED_BODY', 'The body cannot be read: it is no gzip.'],
    ],
    [
      'more than the route takes once it is unpacked',
      gzipSync(`[${' '.repeat(10_000)}]`),
      { 'content-encoding': 'gzip' },
      [413, 'BODY_TOO_LARGE', 'The body cannot be read: it is larger than 10000 bytes.'],
    ],
    [
      'in a coding that is not read here',
      '[]',
      { 'content-encoding': 'zstd' },
      [415, 'UNSUPPORTED_BODY', 'The body cannot be read: it is in a content coding that is not read here.'],
    ],
    [
      'no JSON and short',
      '[1',
      {},
      [
        400,
        'MALFORMED_BODY',
        'The body cannot be read: it is no JSON after element 1: the text ends too early.',
      ],
    ],
  ])('is %s', async (_what, body, headers, problem) => {
    expect(problemOf(await post('/small', body, headers))).toEqual(problem);
    expect(bodies.join('')).toBe('');
  });

  it('cuts off an answer that has begun, and blames nobody for it', async () => {
    respond = (_request, response) => {
      response.writeHead(200);
      response.write('so far');
    };
    const request = begin('/import');
    request.write('{"items":[{"id":1},');
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    request.end('nonsense]}');
    await expect(text(response)).rejects.toThrow();
    expect((await log.lines(1))[0]).toMatchObject({ status: 200, error: 'MALFORMED_BODY' });
    const { attempts, responses } = await summed(harness, 'orders', 'v1');
    expect([attempts.bad, responses.bad]).toEqual([0, 0]);
  });

  it('does not matter to a client that has its answer', async () => {
    respond = (_request, response) => response.end('enough');
    const request = begin('/import');
    request.write('{"items":[{"id":1},');
    expect(await answerTo(request)).toEqual({ status: 200, body: 'enough' });
    request.end('nonsense]}');
    expect((await log.lines(1))[0]).toMatchObject({ status: 200, error: '' });
    const { attempts, responses } = await summed(harness, 'orders', 'v1', 2);
    expect([attempts, responses]).toEqual([
      { bad: 0, total: 1, aborted: 0 },
      { bad: 0, total: 1, aborted: 0 },
    ]);
  });
});
