import type { ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DEFAULT_LISTENER_LIMITS } from '../../src/config/policies/listeners.ts';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { MAX_WAITING_REQUESTS } from '../../src/gateway/limits.ts';
import { gatewayConfigOf, listenerOf, routeOf, serviceOf } from '../support/gateway-config.ts';
import { call, eventually, GatewayHarness, portOf } from '../support/gateway-harness.ts';
import { accessFile } from '../support/gateway-observed.ts';

const PATIENT = { connectMs: 60_000, responseMs: 60_000, idleMs: 60_000, totalMs: 60_000 };

let harness: GatewayHarness;
let log: ReturnType<typeof accessFile>;
let gateway: Gateway;
/** Requests at the upstream that are not answered yet: those for `/slow`. */
let slow: ServerResponse[];
let seen: string[];

beforeEach(async () => {
  harness = await GatewayHarness.open();
  log = accessFile(harness);
  slow = [];
  seen = [];
  const upstream = await harness.upstream((request, response) => {
    seen.push(request.url ?? '');
    if (request.url === '/slow') slow.push(response);
    else response.end(`<${request.url}>`);
  });
  gateway = await harness.gateway(
    gatewayConfigOf([serviceOf('orders', { v1: [upstream.url] })], {
      listeners: [listenerOf({ limits: { ...DEFAULT_LISTENER_LIMITS, headersTimeoutMs: 1_000 } })],
      routes: [routeOf('orders', { timeout: PATIENT })],
      accessLog: log.config,
    }),
  );
});

afterEach(() => harness.close());

interface Client {
  readonly socket: Socket;
  readonly got: { text: string };
}

function client(): Client {
  const socket = connect(portOf(gateway), '127.0.0.1');
  const got = { text: '' };
  socket.setEncoding('latin1');
  socket.on('error', () => {});
  socket.on('data', (text: string) => {
    got.text += text;
  });
  harness.onClose(async () => socket.destroy());
  return { socket, got };
}

const request = (path: string, padding = 0): string =>
  `GET ${path} HTTP/1.1\r\nHost: shop.test\r\nX-Padding: ${'x'.repeat(padding)}\r\n\r\n`;

const answered = ({ got }: Client): string[] =>
  [...got.text.matchAll(/<([^>]*)>/g)].map(([, path]) => path ?? '');

describe('requests that are sent before earlier ones are answered', () => {
  it('wait for their turn and are answered in their order', async () => {
    const one = client();
    const paths = Array.from({ length: MAX_WAITING_REQUESTS }, (_, i) => `/${i}`);
    one.socket.write(request('/slow') + paths.map((path) => request(path)).join(''));
    await eventually(() => slow.length === 1);
    await call(gateway, '/another');
    expect(seen).toEqual(['/slow', '/another']);
    slow[0]?.end('</slow>');
    await eventually(() => answered(one).length === paths.length + 1);
    expect(answered(one)).toEqual(['/slow', ...paths]);
  });

  it('are not read without end: the client has to wait, and nothing of it is lost or late', async () => {
    const one = client();
    const total = 2_048;
    one.socket.write(request('/slow'));
    await eventually(() => slow.length === 1);
    for (let i = 0; i < total; i += 1) one.socket.write(request(`/${i}`, 15_000));
    let left = one.socket.writableLength + 1;
    for (let before = 0; left !== before; ) {
      before = left;
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      left = one.socket.writableLength;
    }
    // The buffers of the system take some; without a limit the gateway has all 32 MB.
    expect(left).toBeGreaterThan(8_000_000);
    slow[0]?.end('</slow>');
    await eventually(() => answered(one).length === total + 1 || one.socket.destroyed, 60_000);
    expect(answered(one)).toEqual(['/slow', ...Array.from({ length: total }, (_, i) => `/${i}`)]);
  });

  it('end their connection when too many of them come at once, with one line in the access log', async () => {
    const one = client();
    one.socket.write(request('/slow'));
    await eventually(() => slow.length === 1);
    const tiny = 'GET / HTTP/1.1\r\n\r\n';
    for (let i = 0; i < 10; i += 1) one.socket.write(tiny.repeat(10 * MAX_WAITING_REQUESTS));
    await eventually(() => one.socket.destroyed);
    const lines = await log.lines(2);
    expect(lines.map(({ status, error }) => [status, error]).sort()).toEqual([
      [0, 'CLIENT_ABORTED'],
      [0, 'TOO_MANY_WAITING'],
    ]);
    expect(seen).toEqual(['/slow']);
    expect((await call(gateway, '/another')).status).toBe(200);
  });
});
