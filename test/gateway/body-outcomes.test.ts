import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { admin, call, GatewayHarness } from '../support/gateway-harness.ts';
import { type AccessFile, accessFile } from '../support/gateway-observed.ts';
import { gatewayOfYaml } from '../support/gateway-yaml.ts';

const ROUTES = `
routes:
  - name: strict
    match: { prefix: /strict }
    service: orders
    json: { request: { drop: [a], maxBytes: 100 }, response: { drop: [a], maxBytes: 100 } }
  - name: lax
    match: { prefix: /lax }
    service: orders
    json: { request: { drop: [a], onError: pass }, response: { drop: [a], onError: pass } }
  - name: stream
    match: { prefix: /stream }
    service: orders
    json: { response: { stream: '[*]', drop: ['[*].a'] } }
  - name: partners
    match: { prefix: /partners }
    service: orders
    xml: { request: { root: r }, response: { root: r } }
  - { name: plain, match: { prefix: /plain }, service: orders }
`;
const JSON_TYPE = 'Content-Type: application/json';
const TWO_TYPES = 'it has more than one Content-Type';

let harness: GatewayHarness;
let gateway: Gateway;
let log: AccessFile;
/** Fields and body of the answer; its fields as lines. */
let answer: { status?: number; fields: string[]; body: string | Buffer };

beforeEach(async () => {
  harness = await GatewayHarness.open();
  answer = { fields: [JSON_TYPE], body: '{"b":1}' };
  const upstream = await harness.upstream((request, response) => {
    request.resume().on('end', () => {
      // Byte by byte, because Node would put two fields into one.
      const { status = 200, fields, body } = answer;
      const head = [`HTTP/1.1 ${status} X`, ...fields, `Content-Length: ${body.length}`, 'Connection: close'];
      const { socket } = request;
      socket.write(`${head.join('\r\n')}\r\n\r\n`);
      socket.end(request.method === 'HEAD' ? '' : body);
      response.detachSocket(socket);
    });
  });
  log = accessFile(harness);
  gateway = await harness.gateway({ ...gatewayOfYaml(upstream.url, ROUTES), accessLog: log.config });
});
afterEach(() => harness.close());

/** Series that are not 0, as `route direction outcome count`. */
async function counted(): Promise<string[]> {
  const { body } = await admin(gateway, '/metrics');
  return body
    .split('\n')
    .filter((line) => line.startsWith('sluice_bodies_total{') && !line.endsWith(' 0'))
    .map((line) => {
      const [, route, direction, outcome, count] =
        /http_route="\/(\w+)\/\*",direction="(\w+)",outcome="(\w+)"\} (\d+)/.exec(line) ?? [];
      return `${route} ${direction} ${outcome} ${count}`;
    });
}

const XML_TYPE = { 'content-type': 'application/xml' };
const json = (body: string): Parameters<typeof call>[2] => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body,
});

describe('what becomes of bodies', () => {
  it.each<[string, string, Parameters<typeof call>[2], number, string, Record<string, string>]>([
    ['mapped', '/strict', json('{"a":1}'), 200, 'mapped', { request_body: 'mapped' }],
    ['no JSON', '/strict', json('{'), 400, 'malformed', { request_body: 'it is no JSON' }],
    [
      'too large',
      '/strict',
      json(`"${'x'.repeat(100)}"`),
      413,
      'too_large',
      { request_body: 'it is larger than 100 bytes' },
    ],
    [
      'of two types',
      '/strict',
      { ...json('{}'), headers: { 'content-type': 'text/plain, application/json' } },
      415,
      'unsupported',
      { request_body: TWO_TYPES },
    ],
    ['no JSON, but may pass', '/lax', json('{'), 200, 'passed', { request_body: 'passed: it is no JSON' }],
    [
      'XML',
      '/partners',
      { method: 'POST', headers: XML_TYPE, body: '<r/>' },
      200,
      'translated',
      { request_body: 'translated' },
    ],
  ])('of a request: %s', async (_what, path, options, status, outcome, noted) => {
    answer = { fields: ['Content-Type: text/plain'], body: '' };
    expect((await call(gateway, path, options)).status).toBe(status);
    expect(await counted()).toEqual([`${path.slice(1)} request ${outcome} 1`]);
    expect((await log.lines(1))[0]).toMatchObject(noted);
  });

  it.each<[string, string, typeof answer, Record<string, string>, number, string, string]>([
    ['mapped', '/strict', { fields: [JSON_TYPE], body: '{"a":1}' }, {}, 200, 'mapped', 'mapped'],
    [
      'mapped as it passes',
      '/stream',
      { fields: [JSON_TYPE], body: '[{"a":1}]' },
      {},
      200,
      'mapped',
      'mapped',
    ],
    [
      'no JSON as it passes',
      '/stream',
      { fields: [JSON_TYPE], body: '[{]' },
      {},
      502,
      'malformed',
      'it is no JSON',
    ],
    ['no JSON', '/strict', { fields: [JSON_TYPE], body: '{' }, {}, 502, 'malformed', 'it is no JSON'],
    [
      'too large',
      '/strict',
      { fields: [JSON_TYPE], body: ' '.repeat(101) },
      {},
      502,
      'too_large',
      'it is larger than 100 bytes',
    ],
    [
      'no JSON, but may pass',
      '/lax',
      { fields: [JSON_TYPE], body: '{' },
      {},
      200,
      'passed',
      'passed: it is no JSON',
    ],
    [
      'in an unknown coding, but may pass',
      '/lax',
      { fields: [JSON_TYPE, 'Content-Encoding: zstd'], body: 'x' },
      {},
      200,
      'passed',
      'passed: it is in a content coding that is not read here',
    ],
    [
      'XML',
      '/partners',
      { fields: [JSON_TYPE], body: '{}' },
      { accept: 'application/xml' },
      200,
      'translated',
      'translated',
    ],
    [
      'unpacked only',
      '/strict',
      { fields: ['Content-Type: text/plain', 'Content-Encoding: gzip'], body: gzipSync('x') },
      {},
      200,
      'unpacked',
      'unpacked',
    ],
  ])('of a response: %s', async (_what, path, given, headers, status, outcome, noted) => {
    answer = given;
    expect((await call(gateway, path, { headers })).status).toBe(status);
    expect(await counted()).toEqual([`${path.slice(1)} response ${outcome} 1`]);
    expect((await log.lines(1))[0]?.response_body).toContain(noted);
  });

  it('is counted for routes that have rules, before there were any bodies', async () => {
    const { body } = await admin(gateway, '/metrics');
    expect(body).toContain('http_route="/partners/*",direction="request",outcome="translated"} 0');
    expect(body).not.toContain('http_route="/stream/*",direction="request"');
    expect(body).not.toMatch(/sluice_bodies_total\{[^}]*plain/);
  });

  it('is not counted of those that no rule is about', async () => {
    answer = { fields: ['Content-Type: text/html'], body: 'x' };
    await call(gateway, '/strict');
    answer = { status: 404, fields: [JSON_TYPE], body: '{"a":1}' };
    await call(gateway, '/strict');
    await call(gateway, '/strict', { method: 'HEAD' });
    expect(await counted()).toEqual([]);
  });
});

describe('a response with more than one Content-Type', () => {
  it.each([
    ['two fields', ['Content-Type: text/plain', JSON_TYPE]],
    ['the same twice', [JSON_TYPE, JSON_TYPE]],
    ['JSON first', [`${JSON_TYPE}; x="a,b"`, 'Content-Type: text/plain']],
    ['two in one field', ['Content-Type: text/plain, application/json']],
    ['two that no rule is about', ['Content-Type: text/plain', 'Content-Type: text/html']],
  ])('is unreadable where there are rules: %s', async (_what, fields) => {
    answer = { fields, body: '{"a":1}' };
    for (const path of ['/strict', '/stream', '/partners']) {
      const reply = await call(gateway, path);
      expect([reply.status, JSON.parse(reply.body).code]).toEqual([502, 'RESPONSE_UNREADABLE']);
    }
    expect((await log.lines(3)).map((line) => line.response_body)).toEqual([TWO_TYPES, TWO_TYPES, TWO_TYPES]);
    const lax = await call(gateway, '/lax');
    expect([lax.status, lax.body]).toEqual([200, '{"a":1}']);
    const plain = await call(gateway, '/plain');
    expect([plain.status, plain.body]).toEqual([200, '{"a":1}']);
    expect(await counted()).toEqual([
      'strict response unsupported 1',
      'lax response passed 1',
      'stream response unsupported 1',
      'partners response unsupported 1',
    ]);
  });

  it('is one with one where only a parameter has a comma', async () => {
    answer = { fields: [`${JSON_TYPE}; profile="a,\\",b"`], body: '{"a":1}' };
    expect((await call(gateway, '/strict')).body).toBe('{}');
  });

  it('passes as an error, and without a body', async () => {
    answer = { status: 500, fields: ['Content-Type: text/plain', JSON_TYPE], body: '{"a":1}' };
    expect((await call(gateway, '/strict')).body).toBe('{"a":1}');
    expect((await call(gateway, '/partners')).body).toBe('{"a":1}');
    expect(await counted()).toEqual(['partners response passed 1']);
  });
});
