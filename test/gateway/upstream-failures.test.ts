import type { AddressInfo } from 'node:net';
import { createServer, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Route } from '../../src/config/gateway-model.ts';
import type { OutcomeCounts } from '../../src/core/domain/telemetry.ts';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { gatewayConfigOf, routeOf, serviceOf } from '../support/gateway-config.ts';
import { call, eventually, GatewayHarness, portOf, raw } from '../support/gateway-harness.ts';

let harness: GatewayHarness;

beforeEach(async () => {
  harness = await GatewayHarness.open();
});

afterEach(() => harness.close());

const TIMEOUT = { connectMs: 300, responseMs: 300, idleMs: 300, totalMs: 2_000 };

function start(urls: readonly string[], route: Partial<Route> = {}): Promise<Gateway> {
  const service = serviceOf('orders', { v1: urls });
  return harness.gateway(
    gatewayConfigOf([service], { routes: [routeOf('orders', { timeout: TIMEOUT, ...route })] }),
  );
}

/** A TCP server that is not bound to speak HTTP. */
async function rude(onConnection: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  harness.onClose(
    () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(resolve);
      }),
  );
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** An address on loopback that nobody listens at. */
async function nobody(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `http://127.0.0.1:${port}`;
}

function outcomes(view: 'attempts' | 'responses', outcome: keyof OutcomeCounts): number {
  return harness.stream.summaries.reduce(
    (sum, { versions }) => sum + (versions.v1?.[view].outcomes[outcome] ?? 0),
    0,
  );
}

const answerOf = (socket: Socket, bytes: string): void => void socket.once('data', () => socket.write(bytes));

describe('an upstream that fails', () => {
  it('by refusing connections gives 502', async () => {
    const reply = await call(await start([await nobody()]), '/');
    expect([reply.status, JSON.parse(reply.body).code]).toEqual([502, 'UPSTREAM_CONNECT']);
    expect(reply.headers['content-type']).toBe('application/problem+json');
    expect(JSON.parse(reply.body).request_id).toBe(reply.headers['x-request-id']);
    await eventually(
      () => outcomes('attempts', 'connectError') === 1 && outcomes('responses', 'status5xx') === 1,
    );
  });

  it('by not answering in time gives 504', async () => {
    const startedMs = performance.now();
    const reply = await call(await start([await rude(() => {})]), '/');
    expect([reply.status, JSON.parse(reply.body).code]).toEqual([504, 'UPSTREAM_TIMEOUT']);
    expect(performance.now() - startedMs).toBeGreaterThan(295);
    expect(performance.now() - startedMs).toBeLessThan(1_500);
    await eventually(() => outcomes('attempts', 'timeout') === 1);
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
    ['not speaking HTTP', (socket: Socket) => answerOf(socket, 'SSH-2.0-x\r\n\r\n'), 'UPSTREAM_RESET'],
    [
      'sending both framings',
      (socket: Socket) =>
        answerOf(
          socket,
          'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
        ),
      'UPSTREAM_',
    ],
    [
      'sending two lengths',
      (socket: Socket) =>
        answerOf(socket, 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'),
      'UPSTREAM_',
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
      'UPSTREAM_RESET',
    ],
  ])('by %s gives 502, never 500', async (_case, behave, code) => {
    const reply = await call(await start([await rude(behave)]), '/');
    expect(reply.status).toBe(502);
    expect(JSON.parse(reply.body).code).toMatch(new RegExp(`^${code}`));
    await eventually(() => outcomes('attempts', 'reset') === 1);
  });

  it('in the middle of its answer cuts the client off instead of ending the response', async () => {
    const url = await rude((socket) => {
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this much');
        setTimeout(() => socket.destroy(), 50);
      });
    });
    const gateway = await start([url]);
    await expect(call(gateway, '/')).rejects.toThrow();
    await eventually(() => outcomes('attempts', 'reset') === 1 && outcomes('responses', 'reset') === 1);
  });

  it('by stalling in the middle of its answer cuts the client off after the idle time', async () => {
    const url = await rude((socket) =>
      answerOf(socket, 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n'),
    );
    const text = await raw(portOf(await start([url])), 'GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(text).toContain('hello');
    expect(text).not.toContain('\r\n0\r\n');
    await eventually(() => outcomes('attempts', 'timeout') === 1);
  });

  it('passes interim responses by and relays the final one', async () => {
    const url = await rude((socket) =>
      answerOf(
        socket,
        'HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
      ),
    );
    expect((await call(await start([url]), '/')).body).toBe('ok');
  });

  it('with trailers has them dropped', async () => {
    const url = await rude((socket) =>
      answerOf(
        socket,
        'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n2\r\nok\r\n0\r\nX-T: 1\r\n\r\n',
      ),
    );
    const text = await raw(
      portOf(await start([url])),
      'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
    );
    expect(text).toContain('ok');
    expect(text).not.toMatch(/x-t/i);
  });
});

describe('retries', () => {
  const retry = {
    attempts: 2,
    on: ['connect', 'reset', '503'] as const,
    baseMs: 5,
    maxMs: 20,
    bufferBytes: 1_000,
  };

  it('go to another endpoint of the same version and are counted per attempt', async () => {
    const good = await harness.named('good');
    const gateway = await start([await nobody(), good.url], { retry });
    for (let i = 0; i < 6; i += 1) expect((await call(gateway, '/')).body).toBe('good');
    await eventually(() => outcomes('responses', 'status2xx') === 6);
    expect(outcomes('attempts', 'connectError')).toBeGreaterThanOrEqual(3);
    expect(outcomes('attempts', 'status2xx')).toBe(6);
  });

  it('send a kept body again, with a new span in the same trace', async () => {
    let calls = 0;
    const upstream = await harness.upstream((request, response) => {
      calls += 1;
      if (calls === 1) request.socket.destroy();
      else request.pipe(response);
    });
    const gateway = await start([upstream.url], { retry });
    expect((await call(gateway, '/', { method: 'PUT', body: 'hello' })).body).toBe('hello');
    const [first, second] = upstream.seen.map(({ headers }) => String(headers.traceparent).split('-'));
    expect(second?.[1]).toBe(first?.[1]);
    expect(second?.[2]).not.toBe(first?.[2]);
  });

  it('send a chunked body again that was kept while it streamed', async () => {
    let calls = 0;
    const upstream = await harness.upstream((request, response) => {
      calls += 1;
      if (calls === 1) request.on('data', () => request.socket.destroy());
      else request.pipe(response);
    });
    const gateway = await start([upstream.url], { retry });
    const text = await raw(
      portOf(gateway),
      'PUT / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n',
      (socket) => setTimeout(() => socket.write('1\r\n!\r\n0\r\n\r\n'), 100),
    );
    expect(text).toContain('hello');
    expect(calls).toBe(2);
  });

  it('do not happen for a body that is larger than what is kept', async () => {
    const upstream = await harness.upstream((request) => request.on('data', () => request.socket.destroy()));
    const gateway = await start([upstream.url], { retry });
    const reply = await call(gateway, '/', { method: 'PUT', body: Buffer.alloc(100_000) });
    expect(reply.status).toBe(502);
    expect(upstream.seen).toHaveLength(1);
  });

  it('do not happen for POST', async () => {
    const upstream = await harness.upstream((request) => request.socket.destroy());
    const reply = await call(await start([upstream.url], { retry }), '/', { method: 'POST', body: 'x' });
    expect(reply.status).toBe(502);
    expect(upstream.seen).toHaveLength(1);
  });

  it('end with the answer of the last attempt', async () => {
    const upstream = await harness.upstream((_request, response) => response.writeHead(503).end('busy'));
    const reply = await call(await start([upstream.url], { retry }), '/');
    expect([reply.status, reply.body]).toEqual([503, 'busy']);
    expect(upstream.seen).toHaveLength(3);
    await eventually(
      () => outcomes('attempts', 'status5xx') === 3 && outcomes('responses', 'status5xx') === 1,
    );
  });

  it('keep within the total time', async () => {
    const gateway = await start([await rude(() => {})], {
      retry: { ...retry, attempts: 5, on: ['timeout'] },
      timeout: { ...TIMEOUT, totalMs: 700 },
    });
    const startedMs = performance.now();
    expect((await call(gateway, '/')).status).toBe(504);
    expect(performance.now() - startedMs).toBeGreaterThan(650);
    expect(performance.now() - startedMs).toBeLessThan(1_500);
  });
});

describe('a client that goes away', () => {
  it('aborts the attempt, and counts as neither success nor failure of the version', async () => {
    let closed = false;
    const upstream = await harness.upstream((request) => {
      request.socket.on('close', () => {
        closed = true;
      });
    });
    const gateway = await start([upstream.url], {
      timeout: { ...TIMEOUT, responseMs: 60_000, totalMs: 60_000 },
    });
    const answer = raw(portOf(gateway), 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', (socket) => {
      void eventually(() => upstream.seen.length === 1).then(() => socket.destroy());
    });
    await answer;
    await eventually(() => closed);
    await eventually(
      () => outcomes('attempts', 'clientAborted') === 1 && outcomes('responses', 'clientAborted') === 1,
    );
    expect(outcomes('attempts', 'reset')).toBe(0);
  });

  it('in the middle of its body is not blamed on the upstream', async () => {
    const upstream = await harness.upstream((request) => void request.resume());
    const gateway = await start([upstream.url]);
    await raw(
      portOf(gateway),
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n',
      (socket) => {
        void eventually(() => upstream.seen.length === 1).then(() => socket.destroy());
      },
    );
    await eventually(() => outcomes('attempts', 'clientAborted') === 1);
    expect(outcomes('attempts', 'reset') + outcomes('attempts', 'timeout')).toBe(0);
  });

  it('or stalls in the middle of its body gets 408', async () => {
    const upstream = await harness.upstream((request) => void request.resume());
    const text = await raw(
      portOf(await start([upstream.url])),
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n',
    );
    expect(text).toMatch(/^HTTP\/1\.1 408 /);
    await eventually(() => outcomes('attempts', 'clientAborted') === 1);
  });
});

describe('large bodies', () => {
  it('stream up and down, whole, with a slow reader holding the upstream back', async () => {
    const sent = 64 * 1_048_576;
    let written = 0;
    const upstream = await harness.upstream((_request, response) => {
      const piece = Buffer.alloc(65_536, 'x');
      const write = (): void => {
        while (written < sent) {
          written += piece.length;
          if (!response.write(piece)) {
            response.once('drain', write);
            return;
          }
        }
        response.end();
      };
      write();
    });
    const gateway = await start([upstream.url], { timeout: { ...TIMEOUT, idleMs: 10_000 } });
    let writtenWhilePaused = 0;
    const text = await raw(
      portOf(gateway),
      'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
      (socket) => {
        socket.pause();
        let last = -1;
        const settled = setInterval(() => {
          if (written === last && written > 0) {
            clearInterval(settled);
            writtenWhilePaused = written;
            socket.resume();
          }
          last = written;
        }, 200);
      },
    );
    expect(text.match(/x/g)?.length).toBeGreaterThanOrEqual(sent);
    expect(writtenWhilePaused).toBeLessThan(sent / 2);
  });

  it('do not wait for ever for a reader that stands still', async () => {
    const upstream = await harness.upstream((_request, response) =>
      response.end(Buffer.alloc(8 * 1_048_576)),
    );
    const gateway = await start([upstream.url]);
    const text = await raw(portOf(gateway), 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', (socket) => {
      socket.pause();
      void eventually(() => outcomes('responses', 'clientAborted') === 1).then(() => socket.resume());
    });
    expect(text.length).toBeLessThan(8 * 1_048_576);
    expect(outcomes('attempts', 'timeout') + outcomes('attempts', 'reset')).toBe(0);
  });

  it('go up in pieces and come back the same', async () => {
    const upstream = await harness.upstream((request, response) => request.pipe(response));
    const body = Buffer.alloc(900_000, 'abcdefg');
    const reply = await call(await start([upstream.url]), '/', { method: 'POST', body });
    expect(reply.body.length).toBe(body.length);
    expect(Buffer.from(reply.body).equals(body)).toBe(true);
  });

  it('of an event stream reach the client as they come', async () => {
    const upstream = await harness.upstream((_request, response) => {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' });
      response.flushHeaders();
    });
    const gateway = await start([upstream.url]);
    const seenHead = await new Promise<boolean>((resolve) => {
      void raw(portOf(gateway), 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', (socket) => {
        socket.once('data', (text: string) => {
          resolve(text.includes('text/event-stream'));
          socket.destroy();
        });
      });
    });
    expect(seenHead).toBe(true);
  });
});
