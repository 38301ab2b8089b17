import type { Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { nobody, rude, startImpatient } from '../support/failing-upstream.ts';
import { call, eventually, GatewayHarness, portOf, raw } from '../support/gateway-harness.ts';

let harness: GatewayHarness;

beforeEach(async () => {
  harness = await GatewayHarness.open();
});

afterEach(() => harness.close());

const answerOf = (socket: Socket, bytes: string): void => void socket.once('data', () => socket.write(bytes));

describe('an upstream that fails', () => {
  it('by refusing connections gives 502', async () => {
    const reply = await call(await startImpatient(harness, [await nobody()]), '/');
    expect([reply.status, JSON.parse(reply.body).code]).toEqual([502, 'UPSTREAM_CONNECT']);
    expect(reply.headers['content-type']).toBe('application/problem+json');
    expect(JSON.parse(reply.body).request_id).toBe(reply.headers['x-request-id']);
    await eventually(
      () =>
        harness.outcomes('v1', 'attempts', 'connectError') === 1 &&
        harness.outcomes('v1', 'responses', 'status5xx') === 1,
    );
  });

  it('by not answering in time gives 504', async () => {
    const startedMs = performance.now();
    const reply = await call(await startImpatient(harness, [await rude(harness, () => {})]), '/');
    expect([reply.status, JSON.parse(reply.body).code]).toEqual([504, 'UPSTREAM_TIMEOUT']);
    expect(performance.now() - startedMs).toBeGreaterThan(295);
    expect(performance.now() - startedMs).toBeLessThan(1_500);
    await eventually(() => harness.outcomes('v1', 'attempts', 'timeout') === 1);
  });

  it.each([
    [
      'closing without an answer',
      (socket: Socket) => void socket.once('data', () => socket.end()),
      'UPSTREAM_RESET',
    ],
    [
      'resetting',
      (socket: Socket) => void socket.once('data', () => socket.resetAndDestroy()),
      'UPSTREAM_RESET',
    ],
    ['not speaking HTTP', (socket: Socket) => answerOf(socket, 'SSH-2.0-x\r\n\r\n'), 'UPSTREAM_BAD_RESPONSE'],
    [
      'sending both framings',
      (socket: Socket) =>
        answerOf(
          socket,
          'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
        ),
      'UPSTREAM_BAD_RESPONSE',
    ],
    [
      'sending two lengths',
      (socket: Socket) =>
        answerOf(socket, 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'),
      'UPSTREAM_BAD_RESPONSE',
    ],
    [
      'sending an unknown transfer coding',
      (socket: Socket) =>
        answerOf(socket, 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n'),
      'UPSTREAM_BAD_RESPONSE',
    ],
    [
      'sending an impossible status',
      (socket: Socket) => answerOf(socket, 'HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n'),
      'UPSTREAM_BAD_RESPONSE',
    ],
    [
      'flooding with interim responses',
      (socket: Socket) => answerOf(socket, 'HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n'.repeat(50)),
      'UPSTREAM_BAD_RESPONSE',
    ],
    [
      'switching protocols unasked',
      (socket: Socket) =>
        answerOf(socket, 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n'),
      'UPSTREAM_RESET',
    ],
    [
      'sending a huge head',
      (socket: Socket) => answerOf(socket, `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(100_000)}\r\n\r\n`),
      'UPSTREAM_BAD_RESPONSE',
    ],
  ])('by %s gives 502, never 500', async (_case, behave, code) => {
    const reply = await call(await startImpatient(harness, [await rude(harness, behave)]), '/');
    expect(reply.status).toBe(502);
    expect(JSON.parse(reply.body).code).toMatch(new RegExp(`^${code}`));
    await eventually(() => harness.outcomes('v1', 'attempts', 'reset') === 1);
  });

  it('in the middle of its answer cuts the client off instead of ending the response', async () => {
    const url = await rude(harness, (socket) => {
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this much');
        setTimeout(() => socket.destroy(), 50);
      });
    });
    const gateway = await startImpatient(harness, [url]);
    await expect(call(gateway, '/')).rejects.toThrow();
    await eventually(
      () =>
        harness.outcomes('v1', 'attempts', 'reset') === 1 &&
        harness.outcomes('v1', 'responses', 'reset') === 1,
    );
  });

  it('by stalling in the middle of its answer cuts the client off after the idle time', async () => {
    const url = await rude(harness, (socket) =>
      answerOf(socket, 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n'),
    );
    const text = await raw(portOf(await startImpatient(harness, [url])), 'GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(text).toContain('hello');
    expect(text).not.toContain('\r\n0\r\n');
    await eventually(() => harness.outcomes('v1', 'attempts', 'timeout') === 1);
  });

  it('passes interim responses by and relays the final one', async () => {
    const url = await rude(harness, (socket) =>
      answerOf(
        socket,
        'HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
      ),
    );
    expect((await call(await startImpatient(harness, [url]), '/')).body).toBe('ok');
  });

  it('with trailers has them dropped', async () => {
    const url = await rude(harness, (socket) =>
      answerOf(
        socket,
        'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n2\r\nok\r\n0\r\nX-T: 1\r\n\r\n',
      ),
    );
    const text = await raw(
      portOf(await startImpatient(harness, [url])),
      'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
    );
    expect(text).toContain('ok');
    expect(text).not.toMatch(/x-t/i);
  });
});
