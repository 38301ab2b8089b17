import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { createGunzip, createGzip, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type JsonRules, type JsonValue, mapJson } from '../../src/core/policy/transform/json-map.ts';
import { parseJsonPath } from '../../src/core/policy/transform/json-path.ts';
import { JsonElements } from '../../src/gateway/transform/json-elements.ts';
import { call, eventually, GatewayHarness, portOf, raw } from '../support/gateway-harness.ts';
import { accessFile, summed } from '../support/gateway-observed.ts';
import { gatewayOfYaml } from '../support/gateway-yaml.ts';

interface Written {
  pick?: string[];
  drop?: string[];
  rename?: Record<string, string>;
  set?: Record<string, JsonValue>;
}

function rulesOf({ pick, drop = [], rename = {}, set = {} }: Written): JsonRules {
  const path = (written: string) => parseJsonPath(written) ?? [];
  return {
    pick: pick === undefined ? null : pick.map(path),
    drop: drop.map(path),
    rename: Object.entries(rename).map(([written, to]) => ({ path: path(written), to })),
    set: Object.entries(set).map(([written, value]) => ({ path: path(written), value })),
  };
}

/** What comes out for a body that comes in pieces of that many bytes. */
function streamed(body: Buffer, size: number, rules: Written, names: string[], maxBytes = 1_000_000) {
  const pieces = Array.from({ length: Math.ceil(body.length / size) }, (_, at) =>
    body.subarray(at * size, (at + 1) * size),
  );
  return text(Readable.from(pieces).pipe(new JsonElements(rulesOf(rules), names, maxBytes)));
}

const LOCAL: [string[], Written][] = [
  [[], { drop: ['[*].a'] }],
  [[], { pick: ['[*].a.b', '[*].c'], rename: { '[*].c': 'd' }, set: { '[*].x.y': null } }],
  [[], { drop: ['[*]'] }],
  [[], { set: { '[*]': 1 } }],
  [['items'], { drop: ['items[*].a', 'b'] }],
  [['items'], { pick: ['items', 'a.b'], set: { 'items[*].a': 'é"' } }],
  [['items'], { pick: ['items[*].a'], rename: { 'items[*].a': 'c' } }],
  [
    ['a', 'items'],
    { pick: ['a.items[*].b', 'b', 'a.c'], drop: ['a.items[*].b.a', 'c[0]'], set: { 'a.items[*].z': 1 } },
  ],
];

/** Names that the rules above know, so that they find something. */
const name = fc.constantFrom('a', 'b', 'c', 'items', '__proto__', 'ü"\\');
const anything = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom<JsonValue>(null, true, 0, -1.5e-7, '', '[]{},:"\\', 'é\u0000 '),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.array(fc.tuple(name, tie('value')), { maxLength: 5 }).map((members) => Object.fromEntries(members)),
  ),
})).value;

describe('an array that is reshaped as it passes', () => {
  it.each(LOCAL)('below %j by %j comes out as if it had been read whole, however it comes', (names, rules) =>
    fc.assert(
      fc.asyncProperty(
        anything,
        fc.integer({ min: 1, max: 64 }),
        fc.boolean(),
        async (value, size, indented) => {
          const body = Buffer.from(JSON.stringify(value, null, indented ? '\t\r\n ' : 0));
          const whole = mapJson(JSON.parse(body.toString()), rulesOf(rules));
          expect(JSON.parse(await streamed(body, size, rules, names))).toEqual(whole);
        },
      ),
      { numRuns: 300 },
    ),
  );

  it.each([
    '[1',
    '[1,]',
    '[,1]',
    '[1 2]',
    '[1]2',
    '[tru]',
    '[{"a":1]',
    '["\\x"]',
    '["a',
    '[\u{feff}1]',
    '{"items":[]',
    '{"items" []}',
    '{items:[]}',
    '{"items":[],}',
    '{"a":1 "items":[]}',
    'x',
    ' ',
    Buffer.from([0x5b, 0x22, 0xff, 0x22, 0x5d]),
  ])('fails on %j, which is no JSON', async (body) => {
    for (const names of [[], ['items']]) {
      await expect(streamed(Buffer.from(body as string), 3, {}, names)).rejects.toThrow();
    }
  });

  it('fails on an element beyond the limit, not on many of them', async () => {
    const many = Buffer.from(JSON.stringify(Array(1_000).fill('12345678')));
    expect(await streamed(many, 100, {}, [], 10)).toBe(many.toString());
    await expect(streamed(Buffer.from('["123456789"]'), 4, {}, [], 10)).rejects.toThrow(
      'longer than 10 bytes',
    );
    await expect(streamed(Buffer.from('{"123456789":1}'), 4, {}, ['a'], 10)).rejects.toThrow(
      'longer than 10 bytes',
    );
  });

  it('leaves an empty body empty', async () => {
    expect(await streamed(Buffer.alloc(0), 1, {}, [])).toBe('');
  });
});

const ROUTES = `
routes:
  - name: list
    match: { prefix: /list }
    service: orders
    json: { response: { stream: 'items[*]', drop: ['items[*].cost'], maxBytes: 2000 } }
  - name: packed
    match: { prefix: /packed }
    service: orders
    compress: true
    json: { response: { stream: '[*]', drop: ['[*].cost'], maxBytes: 2000 } }
`;
const ELEMENT = `{"id":1,"cost":2,"name":"${'n'.repeat(1_000)}"}`;
const MAPPED = `{"id":1,"name":"${'n'.repeat(1_000)}"}`;

describe('large arrays over sockets', () => {
  let harness: GatewayHarness;
  beforeEach(async () => {
    harness = await GatewayHarness.open();
  });
  afterEach(() => harness.close());

  it('arrive element by element while the upstream still sends', async () => {
    let more: () => void = () => {};
    const upstream = await harness.upstream((_request, response) => {
      response.writeHead(200, { 'Content-Type': 'application/json', ETag: '"1"', 'Accept-Ranges': 'bytes' });
      response.write('{"total":2,"items":[{"id":1,"cost":2},');
      more = () => response.end('{"id":2,"cost":3}]}');
    });
    const gateway = await harness.gateway(gatewayOfYaml(upstream.url, ROUTES));
    const request = get({ port: portOf(gateway), path: '/list' });
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    let received = '';
    response.setEncoding('utf8').on('data', (piece: string) => {
      received += piece;
    });
    await eventually(() => received === '{"total":2,"items":[{"id":1}');
    more();
    await once(response, 'end');
    expect(received).toBe('{"total":2,"items":[{"id":1},{"id":2}]}');
    expect(response.headers).toMatchObject({ etag: 'W/"1"', 'transfer-encoding': 'chunked' });
    expect(response.headers).not.toHaveProperty('accept-ranges');
  });

  it('come whole through two codings, many times larger than the limit', async () => {
    const count = 5_000;
    const upstream = await harness.upstream((_request, response) => {
      response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Encoding': 'gzip' });
      const elements = function* () {
        for (let i = 0; i < count; i += 1) yield `${i === 0 ? '[' : ','}${ELEMENT}`;
        yield ']';
      };
      Readable.from(elements()).pipe(createGzip()).pipe(response);
    });
    const gateway = await harness.gateway(gatewayOfYaml(upstream.url, ROUTES));
    const request = get({ port: portOf(gateway), path: '/packed', headers: { 'accept-encoding': 'gzip' } });
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    expect(response.headers['content-encoding']).toBe('gzip');
    expect(await text(response.pipe(createGunzip()))).toBe(`[${Array(count).fill(MAPPED).join()}]`);
  });

  it('make the upstream wait for a client that does not read', async () => {
    const piece = `${`${ELEMENT},`.repeat(200)}`;
    const limit = 300_000_000;
    let sent = 0;
    const upstream = await harness.upstream((_request, response) => {
      response.writeHead(200, { 'Content-Type': 'application/json' });
      response.write('[');
      const push = (): void => {
        while (sent < limit) {
          sent += piece.length;
          if (response.write(piece)) continue;
          response.once('drain', push);
          return;
        }
        response.end('0]');
      };
      push();
    });
    const gateway = await harness.gateway(gatewayOfYaml(upstream.url, ROUTES));
    const request = get({ port: portOf(gateway), path: '/packed' });
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    response.pause();
    // It stands still: nothing is sent in the time in which it would send many times that.
    let before = -1;
    let stillFor = 0;
    await eventually(() => {
      stillFor = before === sent && sent > 0 ? stillFor + 1 : 0;
      before = sent;
      return stillFor === 50;
    }, 20_000);
    expect(sent).toBeLessThan(limit / 2);
    request.destroy();
  });

  it.each([
    ['that are no JSON', ',{"id":}]}'],
    ['whose end is missing', ''],
    ['with an element beyond the limit', `,"${'x'.repeat(2_001)}"]}`],
  ])('%s are cut off, and the attempt keeps the status of the upstream', async (_what, rest) => {
    let more: () => void = () => {};
    const upstream = await harness.upstream((_request, response) => {
      response.writeHead(200, { 'Content-Type': 'application/json' });
      response.write('{"items":[{"id":1}');
      more = () => response.end(rest);
    });
    const log = accessFile(harness);
    const gateway = await harness.gateway({ ...gatewayOfYaml(upstream.url, ROUTES), accessLog: log.config });
    const answer = await raw(portOf(gateway), 'GET /list HTTP/1.1\r\nHost: a\r\n\r\n', (socket) =>
      socket.once('data', () => more()),
    );
    // No last chunk: nobody takes it for a whole one.
    expect(answer).not.toContain('\r\n0\r\n');
    expect((await log.lines(1))[0]).toMatchObject({ status: 200, error: 'RESPONSE_UNREADABLE' });
    const { attempts, responses } = await summed(harness, 'orders', 'v1', 2);
    expect([attempts, responses]).toEqual([
      { bad: 0, total: 1, aborted: 0 },
      { bad: 1, total: 1, aborted: 0 },
    ]);
  });

  it('read a body of another shape whole, within the limit', async () => {
    let body = '{"items":{"cost":1}}';
    const upstream = await harness.upstream((_request, response) => {
      response.writeHead(200, { 'Content-Type': 'application/json' });
      response.end(body);
    });
    const gateway = await harness.gateway(gatewayOfYaml(upstream.url, ROUTES));
    expect((await call(gateway, '/list')).body).toBe('{"items":{"cost":1}}');
    body = '"text"';
    expect((await call(gateway, '/list')).body).toBe('"text"');
  });

  it('answer HEAD without a length, and undo a coding that nobody asked for', async () => {
    const upstream = await harness.upstream((_request, response) => {
      const packed = gzipSync('[{"id":1,"cost":2}]');
      response.writeHead(200, {
        'Content-Type': 'application/json',
        'Content-Encoding': 'gzip',
        'Content-Length': packed.length,
      });
      response.end(packed);
    });
    const gateway = await harness.gateway(gatewayOfYaml(upstream.url, ROUTES));
    const head = await call(gateway, '/packed', { method: 'HEAD' });
    expect(head.headers).not.toHaveProperty('content-length');
    expect(head.headers).not.toHaveProperty('content-encoding');
    expect((await call(gateway, '/packed')).body).toBe('[{"id":1}]');
  });
});
