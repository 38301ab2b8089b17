import { connect } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { gatewayConfigOf, serviceOf } from '../support/gateway-config.ts';
import { admin, call, GatewayHarness, portOf } from '../support/gateway-harness.ts';
import { openStrictUpstream } from '../support/strict-upstream.ts';

const SEED = 20_261_124;
const CONNECTIONS = 600;
const AT_A_TIME = 20;

let harness: GatewayHarness;

beforeEach(async () => {
  harness = await GatewayHarness.open();
});

afterEach(() => harness.close());

/** mulberry32: the same requests with every run. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const METHODS = ['GET', 'POST', 'PUT', 'HEAD', 'OPTIONS', 'TRACE', 'CONNECT', 'get', 'G\0T', ''];
const TARGETS = [
  '/',
  '/a/../b',
  '/%2e%2e/x',
  '//evil.test/x',
  'http://evil.test/',
  '*',
  '/a\tb',
  '/é',
  '/a?b#c',
  '/\\x',
  '/%00',
];
const VERSIONS = ['HTTP/1.1', 'HTTP/1.0', 'HTTP/1.2', 'HTTP/2.0', 'http/1.1', ''];
const FIELDS = [
  'Host: shop.test',
  'Host: a/../@evil.test',
  'Host:',
  'Content-Length: 5',
  'Content-Length: 5, 5',
  'Content-Length: +5',
  'Content-Length: 0x5',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: ,chunked',
  'Transfer-Encoding: gzip, chunked',
  'Transfer-Encoding:\tchunked',
  'Transfer_Encoding: chunked',
  'Transfer-Encoding : chunked',
  'Content_Length: 9',
  'Connection: host, authorization',
  'Connection: close',
  'Connection: keep-alive, x-a',
  'X-A: \x01',
  'X-A: é',
  ' folded: x',
  'Expect: 100-continue',
  'Upgrade: h2c',
  'TE: trailers, chunked',
  'Trailer: Host',
  'X-A: 1\rX-B: 2',
  'X-A: 1\nX-B: 2',
  '__proto__: x',
];
const BODIES = [
  '',
  'hello',
  '5\r\nhello\r\n0\r\n\r\n',
  '5;x=y\r\nhello\r\n0\r\n\r\n',
  '5\nhello\n0\n\n',
  '-1\r\n',
  '0\r\nHost: x\r\n\r\n',
  'fffffffffffffffff\r\n',
];

function requestFrom(random: () => number): string {
  const pick = (list: readonly string[]): string => list[Math.floor(random() * list.length)] ?? '';
  const sound = (list: readonly string[]): string => (random() < 0.7 ? (list[0] ?? '') : pick(list));
  const fields = random() < 0.8 ? ['Host: shop.test'] : [];
  for (let count = Math.floor(random() * 4); count > 0; count -= 1) fields.push(pick(FIELDS));
  const end = random() < 0.95 ? '\r\n' : '\n';
  const method = random() < 0.6 ? pick(METHODS.slice(0, 3)) : pick(METHODS);
  let text = [`${method} ${sound(TARGETS)} ${sound(VERSIONS)}`, ...fields, '', pick(BODIES)].join(end);
  if (random() < 0.2) {
    const at = Math.floor(random() * text.length);
    text = text.slice(0, at) + String.fromCharCode(Math.floor(random() * 256)) + text.slice(at + 1);
  }
  return text;
}

/** Sends, waits for an answer or a moment, goes away. */
function send(port: number, bytes: string): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes, 'latin1'));
    socket.setTimeout(150, () => socket.destroy());
    socket.on('error', () => {});
    socket.resume();
    socket.on('close', () => resolve());
  });
}

it('survives malformed requests, forwards nothing ambiguous and leaks no connection', {
  timeout: 60_000,
}, async () => {
  const upstream = await openStrictUpstream();
  harness.onClose(() => upstream.close());
  const gateway = await harness.gateway(gatewayConfigOf([serviceOf('orders', { v1: [upstream.url] })]));
  const random = randomOf(SEED);
  for (let done = 0; done < CONNECTIONS; done += AT_A_TIME) {
    const batch = Array.from({ length: AT_A_TIME }, () => {
      const requests = Array.from({ length: 1 + Math.floor(random() * 3) }, () => requestFrom(random));
      return send(portOf(gateway), requests.join(''));
    });
    await Promise.all(batch);
  }
  expect(upstream.violations).toEqual([]);
  expect(upstream.requests()).toBeGreaterThan(20);
  expect(harness.log.filter((line) => line.includes('a stage failed'))).toEqual([]);
  const deadline = performance.now() + 10_000;
  const idle = async () => {
    const { body } = await admin(gateway, '/metrics');
    return (
      /sluice_listener_connections\{[^}]*\} 0\n/.test(body) && body.includes('sluice_requests_in_flight 0')
    );
  };
  while (!(await idle())) expect(performance.now()).toBeLessThan(deadline);
  expect((await call(gateway, '/')).status).toBe(204);
});
