import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { connect as connectHttp2, type IncomingHttpHeaders } from 'node:http2';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { GatewayConfig, Service } from '../../src/config/gateway-model.ts';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { MAX_TRAILER_CONNECTIONS } from '../../src/gateway/limits.ts';
import { nobody } from '../support/failing-upstream.ts';
import { endpointOf, listenerOf, PLAIN } from '../support/gateway-config.ts';
import { admin, eventually, GatewayHarness, portOf, raw } from '../support/gateway-harness.ts';
import { type AccessFile, accessFile } from '../support/gateway-observed.ts';
import { gatewayOfYaml } from '../support/gateway-yaml.ts';
import { openOtlpReceiver } from '../support/otlp-receiver.ts';

let harness: GatewayHarness;
let log: AccessFile;

beforeEach(async () => {
  harness = await GatewayHarness.open();
  log = accessFile(harness);
});
afterEach(() => harness.close());

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

const OK: Answer = (request, response) => {
  request.resume();
  request.on('end', () => response.end('ok'));
};

interface Setting {
  readonly answer?: Answer;
  /** YAML of the route, indented by four. */
  readonly route?: string;
  readonly service?: Partial<Service>;
  readonly config?: Partial<GatewayConfig>;
  /** Where the upstream is, if none is to be made. */
  readonly http1?: string;
}

async function gatewayTo({ answer = OK, route = '', service, config, http1 }: Setting): Promise<Gateway> {
  const url = http1 ?? (await harness.upstream(answer)).url;
  const other = await harness.upstream(OK);
  const loaded = gatewayOfYaml(
    url,
    `  other: { versions: { v1: { endpoints: ['${other.url}'] } } }\nroutes:\n  - name: all\n    match: { prefix: / }\n    service: orders\n${route}`,
  );
  const { orders } = loaded.services;
  if (orders === undefined) expect.fail('no service');
  const versions = { v1: { endpoints: [endpointOf(url)], ...PLAIN } };
  const named = { ...orders, versions, trailers: ['x-sum'], requestTrailers: ['x-sum'], ...service };
  return harness.gateway({
    ...loaded,
    listeners: [listenerOf({ http2: true })],
    accessLog: log.config,
    services: { ...loaded.services, orders: named },
    ...config,
  });
}

const series = async (gateway: Gateway): Promise<string[]> =>
  (await admin(gateway, '/metrics')).body.match(/(?<=^sluice_trailers_total\{.*)direction=.*$/gm) ?? [];

function put(trailers: string, declared = 'X-Sum', body = '{"a":1}'): string {
  return (
    'PUT / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\n' +
    `Trailer: ${declared}\r\nTransfer-Encoding: chunked\r\n\r\n` +
    `${body.length.toString(16)}\r\n${body}\r\n0\r\n${trailers}\r\n`
  );
}

const FALLBACK =
  '    retry: { attempts: 1, bufferBytes: 1024 }\n    fallback: { on: [503], service: other }\n';
const BUSY: Answer = (request, response) => {
  request.resume();
  request.on('end', () => response.writeHead(503).end());
};

describe('what became of the trailers of a request', () => {
  const cases: readonly (readonly [string, string, Setting, string])[] = [
    ['passed:1', 'they went on', {}, put('X-Sum: 1\r\n')],
    ['not_listed:1', 'the service does not name it', {}, put('X-Other: 1\r\n', 'X-Other')],
    ['undeclared:1', 'the client did not declare it', {}, put('X-Sum: 1\r\n', 'X-Other')],
    [
      'passed:2 forbidden:3 not_listed:1',
      'each is told apart',
      {},
      put('X-Sum: 1\r\nHost: b\r\nX-Sum: 2\r\nCookie: a=1\r\nAuthorization: c\r\nX-Role: admin\r\n'),
    ],
    [
      'changed_body:1',
      'rules changed the body',
      { route: '    json: { request: { drop: [a] } }' },
      put('X-Sum: 1\r\n'),
    ],
    ['other_service:1', 'a fallback got the request', { answer: BUSY, route: FALLBACK }, put('X-Sum: 1\r\n')],
  ];

  it.each(cases)('is %s where %s', async (told, _why, setting, request) => {
    const gateway = await gatewayTo(setting);
    expect(await raw(portOf(gateway), request)).toMatch(/^HTTP\/1.1 200 /);
    expect((await log.lines(1))[0]).toMatchObject({ request_trailers: told });
    expect(await series(gateway)).toEqual(
      told.split(' ').map((each) => each.replace(/(.*):(.*)/, 'direction="request",outcome="$1"} $2')),
    );
  });

  it('is no_place after a body of a known length', async () => {
    const gateway = await gatewayTo({});
    await overHttp2(
      gateway,
      { ':method': 'PUT', ':path': '/', 'content-length': '4', trailer: 'x-sum' },
      'body',
    );
    expect((await log.lines(1))[0]).toMatchObject({ status: 200, request_trailers: 'no_place:1' });
  });

  it('is unsent where the upstream is not there', async () => {
    const url = await nobody();
    // The key has the body collected first.
    const gateway = await gatewayTo({ http1: url, route: '    idempotency: { required: true }\n' });
    const request = put('X-Sum: 1\r\n').replace('PUT / HTTP/1.1', 'POST / HTTP/1.1\r\nIdempotency-Key: "a"');
    expect(await raw(portOf(gateway), request)).toMatch(/^HTTP\/1.1 502 /);
    expect((await log.lines(1))[0]).toMatchObject({ status: 502, request_trailers: 'unsent:1' });
  });

  it('is no_connection for those beyond what the endpoint has for them, which are answered all the same', async () => {
    const waiting: ServerResponse[] = [];
    const gateway = await gatewayTo({
      answer: (request, response) => {
        request.resume();
        request.on('end', () => waiting.push(response));
      },
    });
    const count = MAX_TRAILER_CONNECTIONS + 2;
    const replies = Array.from({ length: count }, () => raw(portOf(gateway), put('X-Sum: 1\r\n')));
    await eventually(() => waiting.length === count);
    for (const response of waiting) response.end('ok');
    for (const reply of await Promise.all(replies)) expect(reply).toMatch(/^HTTP\/1.1 200 /);
    expect(await series(gateway)).toEqual([
      `direction="request",outcome="passed"} ${MAX_TRAILER_CONNECTIONS}`,
      'direction="request",outcome="no_connection"} 2',
    ]);
  });

  it('is an attribute of the span', async () => {
    const receiver = await openOtlpReceiver();
    harness.onClose(() => receiver.close());
    const gateway = await gatewayTo({ config: { tracing: { url: receiver.url, share: 1, headers: {} } } });
    await raw(portOf(gateway), put('X-Sum: 1\r\n'));
    const server = (await receiver.received(2)).find(({ kind }) => kind === 2);
    expect(server?.attributes).toMatchObject({ 'sluice.request_trailers': 'passed:1' });
  });

  it('is not told of requests without any', async () => {
    const gateway = await gatewayTo({});
    await raw(portOf(gateway), put(''));
    expect((await log.lines(1))[0]).not.toHaveProperty('request_trailers');
    expect(await series(gateway)).toEqual([]);
  });
});

/** The trailers of the answer, and its body. */
async function overHttp2(
  gateway: Gateway,
  head: IncomingHttpHeaders,
  body: string,
): Promise<{ body: string; trailers: IncomingHttpHeaders | null; code: number }> {
  const session = connectHttp2(`http://127.0.0.1:${portOf(gateway)}`);
  session.on('error', () => {});
  harness.onClose(async () => session.destroy());
  const stream = session.request(head, { waitForTrailers: true });
  let text = '';
  let trailers: IncomingHttpHeaders | null = null;
  stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '1' }));
  stream.on('data', (piece) => {
    text += piece;
  });
  stream.on('trailers', (fields) => {
    trailers = fields;
  });
  stream.end(body);
  await once(stream, 'close');
  return { body: text, trailers, code: stream.rstCode ?? 0 };
}

describe('what became of the trailers of a response', () => {
  const answering =
    (trailers: [string, string][], type = 'application/json'): Answer =>
    (_request, response) => {
      response.writeHead(200, { 'Content-Type': type });
      response.write('{"a":1}');
      response.addTrailers(trailers);
      response.end();
    };
  const GET = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
  const SUM: [string, string][] = [['X-Sum', '1']];
  const cases: readonly (readonly [string, string, Setting, string, RegExp])[] = [
    ['passed:1', 'they went on', { answer: answering(SUM) }, GET, /\r\n0\r\nx-sum: 1\r\n\r\n$/i],
    [
      'passed:1 forbidden:2 not_listed:1',
      'each is told apart',
      {
        answer: answering([
          ...SUM,
          ['Set-Cookie', 'a=1'],
          ['Cache-Control', 'no-store'],
          ['X-Role', 'admin'],
        ]),
      },
      GET,
      /\r\n0\r\nx-sum: 1\r\n\r\n$/i,
    ],
    [
      'no_place:1',
      'the client speaks HTTP/1.0',
      { answer: answering(SUM) },
      'GET / HTTP/1.0\r\nHost: a\r\n\r\n',
      /\{"a":1\}$/,
    ],
    [
      'changed_body:1',
      'the route has rules for bodies',
      { answer: answering(SUM, 'text/plain'), route: '    json: { response: { drop: [a] } }\n' },
      GET,
      /\r\n0\r\n\r\n$/,
    ],
    [
      'no_place:1',
      'the body was gathered to be reshaped',
      { answer: answering(SUM), route: '    json: { response: { drop: [a] } }\n' },
      GET,
      /\r\n\r\n\{\}$/,
    ],
  ];

  it.each(cases)('is %s where %s', async (told, _why, setting, request, end) => {
    const gateway = await gatewayTo(setting);
    expect(await raw(portOf(gateway), request)).toMatch(end);
    expect((await log.lines(1))[0]).toMatchObject({ response_trailers: told });
    expect(await series(gateway)).toEqual(
      told.split(' ').map((each) => each.replace(/(.*):(.*)/, 'direction="response",outcome="$1"} $2')),
    );
  });
});
