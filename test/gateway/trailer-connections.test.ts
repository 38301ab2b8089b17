import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { buildConnector, type Dispatcher } from 'undici';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { H1Pool } from '../../src/gateway/upstream/h1-pool.ts';
import { TrailerConnections } from '../../src/gateway/upstream/trailer-connections.ts';
import { TrailerExchange } from '../../src/gateway/upstream/trailer-exchange.ts';
import type { RequestTrailers, UpstreamRequest } from '../../src/gateway/upstream/upstream-pool.ts';
import { eventually } from '../support/gateway-harness.ts';

/** An upstream whose answers wait until they are asked for. */
class Upstream {
  readonly waiting: ServerResponse[] = [];
  /** Trailers of every request, as `name: value`. */
  readonly got: string[] = [];
  readonly sockets = new Set<Socket>();
  connections = 0;
  most = 0;
  readonly #server = createServer((request, response) => this.#onRequest(request, response));
  answer = (response: ServerResponse): unknown => response.end('ok');

  async open(): Promise<string> {
    // It is never this side that ends an idle connection.
    this.#server.keepAliveTimeout = 0;
    this.#server.on('connection', (socket) => {
      this.connections += 1;
      this.sockets.add(socket);
      this.most = Math.max(this.most, this.sockets.size);
      socket.on('close', () => this.sockets.delete(socket));
    });
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    request.resume();
    request.on('end', () => {
      this.got.push(request.rawTrailers.join(': '));
      this.waiting.push(response);
    });
  }

  /** Answers what waits. */
  release(): void {
    for (const response of this.waiting.splice(0)) this.answer(response);
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

const trailers = (): RequestTrailers => ({ declared: 'X-Sum', fate: 'unsent', read: () => [['X-Sum', '1']] });

let upstream: Upstream;
let origin: string;
let pools: H1Pool[];

beforeEach(async () => {
  upstream = new Upstream();
  origin = await upstream.open();
  pools = [];
});

afterEach(async () => {
  for (const pool of pools) await pool.destroy();
  upstream.close();
});

function poolOf(connections: number, trailers = true): H1Pool {
  const place = {
    origin,
    host: '',
    servername: '127.0.0.1',
    connectMs: 60_000,
    tls: null,
    protocol: 'http1' as const,
    trailers,
  };
  const pool = new H1Pool(place, connections);
  pools.push(pool);
  return pool;
}

/** The body of the answer. */
function send(pool: Pick<H1Pool, 'dispatch'>, trailers: RequestTrailers | null): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const handler: Dispatcher.DispatchHandler = {
      onRequestStart: () => {},
      onResponseStart: () => {},
      onResponseData: (_controller, piece) => {
        text += piece;
      },
      onResponseEnd: () => resolve(text),
      onResponseError: (_controller, error) => reject(error),
    };
    pool.dispatch(
      { servername: '', path: '/', method: 'POST', headers: [], body: Buffer.from('x'), trailers },
      handler,
    );
  });
}

async function answered(pool: Pick<H1Pool, 'dispatch'>, fields = trailers()): Promise<string> {
  const sent = send(pool, fields);
  await eventually(() => upstream.waiting.length === 1);
  upstream.release();
  return sent;
}

describe('connections to an endpoint of HTTP/1.1', () => {
  it('are never more than their limit, with requests that have trailers and others together', async () => {
    const pool = poolOf(6);
    const given = Array.from({ length: 20 }, trailers);
    const sent = Array.from({ length: 20 }, (_, i) => send(pool, i % 2 === 0 ? (given[i] ?? null) : null));
    await eventually(() => upstream.waiting.length === 6);
    expect(pool.stats).toMatchObject({ connected: 6, free: 0 });
    const all = Promise.all(sent).then((texts) => texts.length);
    let done = 0;
    void all.then((count) => {
      done = count;
    });
    await eventually(() => {
      upstream.release();
      return done === 20;
    });
    expect(upstream.most).toBe(6);
    // Half of the connections; the seven that came beyond them went without.
    expect(upstream.got.filter((text) => text === 'X-Sum: 1')).toHaveLength(3);
    expect(given.filter(({ fate }) => fate === 'no_connection')).toHaveLength(7);
  });

  it('are all for requests without trailers where the service takes none', async () => {
    const pool = poolOf(4, false);
    const sent = Array.from({ length: 5 }, () => send(pool, trailers()));
    await eventually(() => upstream.waiting.length === 4);
    upstream.release();
    await eventually(() => upstream.waiting.length === 1);
    upstream.release();
    expect(await Promise.all(sent)).toEqual(Array(5).fill('ok'));
    expect(upstream.got).toEqual(Array(5).fill(''));
  });
});

describe('a connection for requests with trailers', () => {
  it('is kept for the next one, and counted', async () => {
    const pool = poolOf(2);
    for (let i = 0; i < 5; i += 1) {
      expect(await answered(pool)).toBe('ok');
      await eventually(() => pool.stats.free === 1);
    }
    expect([upstream.connections, pool.stats.connected]).toEqual([1, 1]);
    expect(upstream.got).toEqual(Array(5).fill('X-Sum: 1'));
  });

  it.each([
    ['that it closes', ['Connection', 'close']],
    ['that it keeps it too shortly', ['Keep-Alive', 'timeout=1']],
  ] as const)('ends where the upstream says %s', async (_what, [name, value]) => {
    upstream.answer = (response) => response.setHeader(name, value).end('ok');
    const pool = poolOf(2);
    expect([await answered(pool), await answered(pool)]).toEqual(['ok', 'ok']);
    expect(upstream.connections).toBe(2);
    await eventually(() => pool.stats.connected === 0);
  });

  it('ends when something comes that nobody asked for, which is no answer to the next request', async () => {
    // Far longer than the test: it is not the idle time that ends it.
    const connections = new TrailerConnections(origin, buildConnector({ timeout: 60_000 }), 2, 600_000);
    const places = {
      dispatch: (request: UpstreamRequest, handler: Dispatcher.DispatchHandler) => {
        new TrailerExchange(request, handler, connections, () => {}).start(origin, trailers());
      },
    };
    await answered(places);
    await eventually(() => connections.free === 1);
    for (const socket of upstream.sockets) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil');
    await eventually(() => connections.open === 0);
    expect(await answered(places)).toBe('ok');
    expect(upstream.connections).toBe(2);
    connections.close();
  });

  it('ends with an answer that is followed by another one at once', async () => {
    const pool = poolOf(2);
    upstream.answer = ({ socket }) =>
      socket?.write(
        'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil',
      );
    await answered(pool).catch(() => {});
    await eventually(() => pool.stats.connected === 0);
    upstream.answer = (response) => response.end('fine');
    expect(await answered(pool)).toBe('fine');
  });

  it('ends when it is idle for some seconds', async () => {
    const pool = poolOf(2);
    await answered(pool);
    await eventually(() => pool.stats.connected === 0, 60_000);
  });
});

describe('a pool that is closed', () => {
  it('ends idle connections at once, the others with their answers', async () => {
    const pool = poolOf(4);
    const sent = [send(pool, trailers()), send(pool, trailers())];
    await eventually(() => upstream.waiting.length === 2);
    upstream.waiting.shift()?.end('ok');
    await eventually(() => pool.stats.free === 1);
    const closed = pool.close();
    await eventually(() => pool.stats.connected === 1);
    upstream.release();
    await closed;
    expect(await Promise.all(sent)).toEqual(['ok', 'ok']);
    await eventually(() => upstream.sockets.size === 0);
  });

  it('tells those whose connections it cuts', async () => {
    const pool = poolOf(4);
    const sent = send(pool, trailers());
    await eventually(() => upstream.waiting.length === 1);
    const told = expect(sent).rejects.toThrow('the pool was closed');
    await pool.destroy();
    await told;
    await eventually(() => upstream.sockets.size === 0);
  });
});
