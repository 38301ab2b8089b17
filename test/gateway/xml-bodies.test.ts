import type { IncomingMessage } from 'node:http';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { admin, call, GatewayHarness, portOf, raw, type Upstream } from '../support/gateway-harness.ts';
import { gatewayOfYaml } from '../support/gateway-yaml.ts';

const ROUTES = `
routes:
  - name: facade
    match: { prefix: /facade }
    service: orders
    cache: {}
    xml:
      request: { root: order, arrays: [tag], types: { total: number } }
      response: { root: orders, lists: { '.': order } }
      maxBytes: 2000
  - name: legacy
    match: { prefix: /legacy }
    service: orders
    xml:
      upstream: xml
      request: { root: order }
      response: { root: order, arrays: [line], types: { total: number } }
      namespaces: { '': 'urn:orders' }
    json: { request: { drop: [internal] }, response: { drop: [cost] } }
  - name: preferring
    match: { prefix: /preferring }
    service: orders
    xml: { prefer: xml, response: { root: orders } }
    compress: { minBytes: 0 }
`;
const XML = { 'content-type': 'application/xml' };
const JSON_TYPE = { 'content-type': 'application/json' };
const PROBLEM = 'application/problem+xml; charset=utf-8';
const DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n';

const CODES: Record<string, string> = {
  400: 'MALFORMED_BODY',
  413: 'BODY_TOO_LARGE',
  415: 'UNSUPPORTED_BODY',
};
const EXTERNAL = '<!DOCTYPE order [<!ENTITY e SYSTEM "file:///etc/passwd">]><order>&e;</order>';
const LAUGHS = `<!DOCTYPE order [<!ENTITY a "ha"><!ENTITY b "${'&a;'.repeat(10)}">]><order>&b;</order>`;

interface Answer {
  status?: number;
  fields?: Record<string, string>;
  body: string | Buffer;
}

let harness: GatewayHarness;
let upstream: Upstream;
let gateway: Gateway;
let received: string;
let respond: (request: IncomingMessage) => Answer;

beforeEach(async () => {
  harness = await GatewayHarness.open();
  received = '';
  respond = () => ({ fields: JSON_TYPE, body: '[]' });
  upstream = await harness.upstream((request, response) => {
    request.setEncoding('utf8').on('data', (piece: string) => {
      received += piece;
    });
    request.on('end', () => {
      const { status = 200, fields = {}, body } = respond(request);
      response.writeHead(status, fields);
      response.end(body);
    });
  });
  gateway = await harness.gateway(gatewayOfYaml(upstream.url, ROUTES));
});
afterEach(() => harness.close());

function post(path: string, body: string | Buffer, headers: Record<string, string> = XML) {
  return call(gateway, path, { method: 'POST', headers, body });
}

async function attemptsByStatus(): Promise<string[]> {
  const { body } = await admin(gateway, '/metrics');
  return body
    .split('\n')
    .filter((line) => line.startsWith('http_client_request_duration_seconds_count'))
    .map((line) => `${/status_code="(\d+)"/.exec(line)?.[1]} ${line.split(' ').at(-1)}`);
}

describe('clients that speak XML to an upstream that speaks JSON', () => {
  it('send XML and get XML, while the upstream sees JSON only', async () => {
    respond = () => ({
      fields: { ...JSON_TYPE, ETag: '"1"', 'Content-Length': '33', 'Accept-Ranges': 'bytes' },
      body: '[{"id":1,"name":"A & B"},null,{}]',
    });
    const reply = await post(
      '/facade',
      '<?xml version="1.0" encoding="utf-8"?><order id="7"><tag>a</tag><total>1.50</total></order>',
      { 'content-type': 'text/xml; charset="UTF-8"', digest: 'sha-256=x' },
    );
    expect(JSON.parse(received)).toEqual({ '@id': '7', tag: ['a'], total: 1.5 });
    const [request] = upstream.seen;
    expect(request?.headers).toMatchObject({
      'content-type': 'application/json',
      'content-length': String(received.length),
    });
    expect(request?.headers).not.toHaveProperty('digest');
    expect(reply.body).toBe(
      `${DECLARATION}<orders xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">` +
        '<order><id>1</id><name>A &amp; B</name></order><order xsi:nil="true"></order><order></order></orders>',
    );
    expect(reply.headers).toMatchObject({
      'content-type': 'application/xml; charset=utf-8',
      'content-length': String(reply.body.length),
      vary: 'Accept',
    });
    for (const gone of ['etag', 'accept-ranges']) expect(reply.headers).not.toHaveProperty(gone);
  });

  it.each([
    [{}, 'application/json'],
    [{ accept: 'application/xml' }, 'application/xml; charset=utf-8'],
    [{ accept: 'text/xml, application/json;q=0.9' }, 'text/xml; charset=utf-8'],
    [{ accept: 'application/json, application/xml;q=0.9' }, 'application/json'],
    [{ accept: 'image/png' }, 'application/json'],
  ])('get by %j a body of type %s', async (headers, type) => {
    const reply = await call(gateway, '/facade', { headers: headers as Record<string, string> });
    expect([reply.headers['content-type'], reply.headers.vary]).toEqual([type, 'Accept']);
    const asked = upstream.seen[0]?.headers.accept ?? '';
    expect(asked).not.toContain('xml');
  });

  it('have JSON of JSON clients left alone, with its tag', async () => {
    respond = () => ({ fields: { ...JSON_TYPE, ETag: '"1"' }, body: '[ 1 ]' });
    const reply = await post('/facade', '{ "a": 1 }', JSON_TYPE);
    expect([received, reply.body, reply.headers.etag]).toEqual(['{ "a": 1 }', '[ 1 ]', '"1"']);
  });

  it.each<[string, string | Buffer, string, Record<string, string>?]>([
    ['truncated', '<order><a>1</a>', '400 no well-formed XML'],
    ['empty', '<!-- -->', '400 no well-formed XML'],
    ['of another root', '<orders/>', '400 its root element is not &lt;order&gt;'],
    ['of another type', '<order><total>x</total></order>', '400 "total" is no number'],
    ['with an external entity', EXTERNAL, '400 document type declaration'],
    ['with entities that grow', LAUGHS, '400 document type declaration'],
    ['nested deeply', '<a>'.repeat(33), '400 nested deeper than 32'],
    ['too large', `<order>${' '.repeat(2_000)}</order>`, '413 2000 bytes'],
    ['huge once unpacked', gzipSync('x'.repeat(1_000_000)), '413 2000 bytes', { 'content-encoding': 'gzip' }],
    ['in another charset', '<order/>', '415 not in UTF-8', { 'content-type': 'text/xml; charset=latin1' }],
    ['in another encoding', '<?xml version="1.0" encoding="latin1"?><order/>', '415 not in UTF-8'],
    ['in an unknown coding', '<order/>', '415 content coding', { 'content-encoding': 'zstd' }],
  ])('are refused what is %s, before any attempt', async (_what, body, answer, headers) => {
    const [status = '', detail] = answer.split(/ (.*)/);
    const reply = await post('/facade', body, { ...XML, ...headers });
    expect([reply.status, reply.headers['content-type']]).toEqual([Number(status), PROBLEM]);
    expect(reply.body).toContain(`<code>${CODES[status]}</code>`);
    expect(reply.body).toContain(detail);
    expect([upstream.seen.length, await attemptsByStatus()]).toEqual([0, []]);
  });

  it('may send it in chunks and packed', async () => {
    const chunks = [...gzipSync('<order><tag>é</tag></order>').toString('latin1')]
      .map((byte) => `1\r\n${byte}\r\n`)
      .join('');
    const head = 'Host: a\r\nContent-Type: text/xml\r\nContent-Encoding: gzip\r\nConnection: close';
    const answer = await raw(
      portOf(gateway),
      `POST /facade HTTP/1.1\r\n${head}\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`,
    );
    expect(answer).toContain(' 200 ');
    expect(received).toBe('{"tag":["é"]}');
  });

  it('send other media types as they are', async () => {
    await post('/facade', '<order>', { 'content-type': 'text/plain' });
    expect(received).toBe('<order>');
  });

  it.each<[string, Answer]>([
    ['is no JSON', { fields: JSON_TYPE, body: '[1' }],
    ['has a character that XML has not', { fields: JSON_TYPE, body: '["\\u0000"]' }],
    ['is too large', { fields: JSON_TYPE, body: `["${'x'.repeat(2_000)}"]` }],
    ['becomes too large', { fields: JSON_TYPE, body: `[${'1,'.repeat(500)}1]` }],
  ])('get 502 for an answer that %s; the attempt keeps its status', async (_what, answer) => {
    respond = () => answer;
    const reply = await call(gateway, '/facade', { headers: { accept: 'text/xml' } });
    expect([reply.status, reply.headers['content-type']]).toEqual([502, PROBLEM]);
    expect(reply.body).toContain('<code>RESPONSE_UNREADABLE</code>');
    expect(await attemptsByStatus()).toEqual(['200 1']);
  });

  it('get errors and problem documents in XML too, or as they came', async () => {
    respond = () => ({ status: 422, fields: JSON_TYPE, body: '{"code":5}' });
    const error = await call(gateway, '/facade', { headers: { accept: 'text/xml' } });
    expect([error.status, error.body]).toEqual([422, `${DECLARATION}<error><code>5</code></error>`]);
    respond = () => ({
      status: 404,
      fields: { 'Content-Type': 'application/problem+json' },
      body: '{"title":"None","status":404}',
    });
    const problem = await call(gateway, '/facade', { headers: { accept: 'text/xml' } });
    expect(problem.headers['content-type']).toBe('application/problem+xml; charset=utf-8');
    expect(problem.body).toBe(
      `${DECLARATION}<problem xmlns="urn:ietf:rfc:7807"><title>None</title><status>404</status></problem>`,
    );
    respond = () => ({ status: 503, fields: JSON_TYPE, body: 'down' });
    const broken = await call(gateway, '/facade', { headers: { accept: 'text/xml' } });
    expect([broken.status, broken.body, broken.headers['content-type']]).toEqual([
      503,
      'down',
      'application/json',
    ]);
  });

  it('share one stored response with JSON clients: it is stored as the upstream gave it', async () => {
    respond = () => ({
      fields: { ...JSON_TYPE, 'Cache-Control': 'max-age=60', ETag: '"1"', 'Content-Encoding': 'gzip' },
      body: gzipSync('[{"id":1}]'),
    });
    const xml = { headers: { accept: 'application/xml' } };
    const first = await call(gateway, '/facade', xml);
    expect(first.body).toBe(`${DECLARATION}<orders><order><id>1</id></order></orders>`);
    // The stored one, in both forms; what was stored is packed.
    const packed = await call(gateway, '/facade', { headers: { 'accept-encoding': 'gzip' } });
    expect([packed.headers['content-encoding'], packed.headers.etag]).toEqual(['gzip', '"1"']);
    const plain = await call(gateway, '/facade');
    expect([plain.headers['content-encoding'], plain.body]).toEqual([undefined, '[{"id":1}]']);
    const again = await call(gateway, '/facade', xml);
    expect([again.body, again.headers['cache-status']]).toEqual([first.body, expect.stringContaining('hit')]);
    expect(upstream.seen).toHaveLength(1);
    // A tag that is known is that of the JSON.
    const conditional = { 'if-none-match': '"1"' };
    const known = [
      await call(gateway, '/facade', { headers: conditional }),
      await call(gateway, '/facade', { headers: { ...conditional, ...xml.headers } }),
    ];
    expect(known.map(({ status }) => status)).toEqual([304, 200]);
    expect(known.map(({ headers }) => headers.vary)).toEqual(['Accept', 'Accept']);
  });

  it('get heads without a length, 204 and 304 as they are', async () => {
    respond = () => ({ fields: { ...JSON_TYPE, 'Content-Length': '2', ETag: '"1"' }, body: '' });
    const head = await call(gateway, '/facade', { method: 'HEAD', headers: { accept: 'text/xml' } });
    expect(head.headers['content-type']).toBe('text/xml; charset=utf-8');
    for (const gone of ['content-length', 'etag']) expect(head.headers).not.toHaveProperty(gone);
    for (const status of [204, 304]) {
      respond = () => ({ status, fields: { ...JSON_TYPE, 'X-Status': String(status) }, body: '' });
      const reply = await call(gateway, '/facade', { headers: { accept: 'text/xml' } });
      expect([reply.status, reply.headers['x-status'], reply.body]).toEqual([status, String(status), '']);
    }
  });

  it('get XML without saying so where the route prefers it, packed anew', async () => {
    respond = () => ({ fields: JSON_TYPE, body: '{"a":1}' });
    const plain = await call(gateway, '/preferring');
    expect(plain.body).toBe(`${DECLARATION}<orders><a>1</a></orders>`);
    const packed = await call(gateway, '/preferring', { headers: { 'accept-encoding': 'gzip' } });
    expect(packed.headers).toMatchObject({ 'content-encoding': 'gzip', vary: 'Accept-Encoding, Accept' });
  });
});

describe('clients that speak JSON to an upstream that speaks XML', () => {
  const ORDER =
    '<o:order xmlns:o="urn:orders"><o:line>1</o:line><o:total>2.50</o:total><o:cost>1</o:cost></o:order>';

  it('send JSON and get JSON, by the rules that the route has for JSON', async () => {
    respond = () => ({ fields: { 'Content-Type': 'text/xml' }, body: ORDER });
    const reply = await post('/legacy', '{"line":[1,2],"note":null,"internal":3}', {
      ...JSON_TYPE,
      accept: 'application/json',
    });
    expect(received).toBe(
      `${DECLARATION}<order xmlns="urn:orders" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">` +
        '<line>1</line><line>2</line><note xsi:nil="true"></note></order>',
    );
    expect(upstream.seen[0]?.headers).toMatchObject({
      'content-type': 'application/xml; charset=utf-8',
      accept: 'application/xml',
    });
    expect([reply.headers['content-type'], reply.body]).toEqual([
      'application/json',
      '{"line":["1"],"total":2.5}',
    ]);
  });

  it('do not find in XML what the rules keep from them in JSON', async () => {
    respond = () => ({ fields: { 'Content-Type': 'text/xml' }, body: ORDER });
    const reply = await call(gateway, '/legacy', { headers: { accept: 'text/xml' } });
    expect(reply.headers['content-type']).toBe('text/xml; charset=utf-8');
    expect(reply.body).toBe(
      `${DECLARATION}<order xmlns="urn:orders"><line>1</line><total>2.5</total></order>`,
    );
    await post('/legacy', '<order xmlns="urn:orders"><a>1</a><internal>2</internal></order>');
    expect(received).toBe(`${DECLARATION}<order xmlns="urn:orders"><a>1</a></order>`);
  });

  it.each([
    ['is truncated', '<order xmlns="urn:orders"><line>'],
    ['is of another namespace', '<order xmlns="urn:others"/>'],
    ['has a document type', `<!DOCTYPE order><order xmlns="urn:orders"/>`],
    ['has another root', '<fault xmlns="urn:orders"/>'],
  ])('get 502 for an answer that %s; the attempt keeps its status', async (_what, body) => {
    respond = () => ({ fields: { 'Content-Type': 'application/xml' }, body });
    const reply = await call(gateway, '/legacy');
    expect([reply.status, JSON.parse(reply.body).code]).toEqual([502, 'RESPONSE_UNREADABLE']);
    expect(await attemptsByStatus()).toEqual(['200 1']);
  });

  it('get errors in JSON too', async () => {
    respond = () => ({
      status: 500,
      fields: { 'Content-Type': 'application/xml' },
      body: '<fault><code>7</code></fault>',
    });
    const reply = await call(gateway, '/legacy');
    expect([reply.status, reply.body]).toEqual([500, '{"fault":{"code":"7"}}']);
    expect(await attemptsByStatus()).toEqual(['500 1']);
  });

  it.each([
    ['{"a":', 'MALFORMED_BODY', 'it is no JSON'],
    ['{"":1}', 'MALFORMED_BODY', 'a name in it is empty'],
  ])('are refused %s', async (body, code, detail) => {
    const reply = await post('/legacy', body, JSON_TYPE);
    const problem = JSON.parse(reply.body);
    expect([reply.status, problem.code, problem.detail]).toEqual([
      400,
      code,
      `The body cannot be read: ${detail}.`,
    ]);
    expect(upstream.seen).toHaveLength(0);
  });
});
