import { once } from 'node:events';
import { type IncomingMessage, request as open } from 'node:http';
import { connect as connectH2, constants, type ServerHttp2Stream } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { GatewayConfig } from '../../src/config/gateway-model.ts';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { buffersInUse } from '../support/buffer-memory.ts';
import { eventually, GatewayHarness, portOf } from '../support/gateway-harness.ts';
import { summed } from '../support/gateway-observed.ts';
import { gatewayOfYaml } from '../support/gateway-yaml.ts';
import { h2Upstream } from '../support/h2-upstream.ts';

const ROUTES = `
routes:
  - name: import
    match: { prefix: /import }
    service: orders
    maxBodyBytes: 134217728
    timeout: { response: 60s, idle: 60s, total: 60s }
    json: { request: { stream: '[*]', drop: ['[*].cost'], maxBytes: 4000 } }
    retry: { attempts: 2, on: [503], bufferBytes: 4000, backoff: { base: 1ms } }
  - name: plain
    match: { prefix: /plain }
    service: orders
    retry: { attempts: 2, on: [503], bufferBytes: 4000, backoff: { base: 1ms } }
`;
const MIB = 1_048_576;
const ELEMENT = `{"cost":1,"name":"${'n'.repeat(1_100)}"}`;
const MAPPED = `{"name":"${'n'.repeat(1_100)}"}`;
/** Elements that together have more than 64 MiB. */
const COUNT = 65_536;
const PER_PIECE = 64;
/** What sockets of the system may hold on both hops. */
const IN_SOCKETS = 48 * MIB;

let harness: GatewayHarness;
beforeEach(async () => {
  harness = await GatewayHarness.open();
});
afterEach(() => harness.close());

function gatewayTo(url: string, protocol: 'http1' | 'h2'): Promise<Gateway> {
  const config = gatewayOfYaml(url, ROUTES);
  const { orders } = config.services;
  const v1 = orders?.versions.v1;
  if (orders === undefined || v1 === undefined) throw new Error('the service has another name');
  const services = { orders: { ...orders, versions: { v1: { ...v1, protocol } } } };
  const listeners = config.listeners.map((listener) => ({ ...listener, http2: true }));
  return harness.gateway({ ...config, services, listeners } satisfies GatewayConfig);
}

/** Sends the elements in chunks, as fast as they are taken. */
class Source {
  written = 0;
  answer = '';
  readonly socket: Socket;
  readonly #chunk: Buffer;
  #pieces = COUNT / PER_PIECE;

  constructor(gateway: Gateway) {
    this.socket = connect(portOf(gateway), '127.0.0.1');
    harness.onClose(async () => this.socket.destroy());
    this.socket.on('error', () => {});
    this.socket.setEncoding('latin1').on('data', (text: string) => {
      this.answer += text;
    });
    const piece = `${ELEMENT},`.repeat(PER_PIECE);
    this.#chunk = Buffer.from(`${piece.length.toString(16)}\r\n${piece}\r\n`);
    const head = 'Host: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked';
    this.socket.write(`POST /import HTTP/1.1\r\n${head}\r\n\r\n1\r\n[\r\n`);
  }

  pour(): void {
    while (this.#pieces > 0 && !this.socket.destroyed) {
      this.#pieces -= 1;
      this.written += this.#chunk.length;
      if (this.socket.write(this.#chunk)) continue;
      this.socket.once('drain', () => this.pour());
      return;
    }
    this.socket.write('2\r\n0]\r\n0\r\n\r\n');
  }
}

/** Bytes that this process (client, gateway and upstream) holds, of buffers and everything else. */
function held(): number {
  return buffersInUse() + process.memoryUsage().heapUsed;
}

async function settled(read: () => number): Promise<number> {
  let last = -1;
  let still = 0;
  await eventually(() => {
    const now = read();
    still = now === last && now > 0 ? still + 1 : 0;
    last = now;
    return still === 50;
  }, 30_000);
  return last;
}

/** An upstream that reads nothing until told to. */
async function lazyUpstream(protocol: 'http1' | 'h2', onPiece: (piece: Buffer) => void) {
  const held: { resume(): void }[] = [];
  if (protocol === 'http1') {
    const { url } = await harness.upstream((request, response) => {
      request.on('data', onPiece).pause();
      request.on('end', () => response.end('thanks'));
      held.push(request);
    });
    return { url, held };
  }
  const { url } = await h2Upstream(harness, (stream) => {
    stream.on('data', onPiece).pause();
    stream.on('end', () => {
      stream.respond({ ':status': 200 });
      stream.end('thanks');
    });
    held.push(stream);
  });
  return { url, held };
}

describe('64 MiB that are reshaped on their way to the upstream', () => {
  it.each(['http1', 'h2'] as const)(
    'wait at the client while the upstream does not read, and pass without being held (%s)',
    async (protocol) => {
      let received = 0;
      let most = 0;
      let before = 0;
      const { url, held: waiting } = await lazyUpstream(protocol, (piece) => {
        const step = Math.floor(received / (8 * MIB));
        received += piece.length;
        if (Math.floor(received / (8 * MIB)) > step) most = Math.max(most, held() - before);
      });
      const source = new Source(await gatewayTo(url, protocol));
      await eventually(() => source.socket.bytesWritten > 0);
      before = held();
      source.pour();
      expect(await settled(() => source.written)).toBeLessThan(IN_SOCKETS);
      expect(waiting).toHaveLength(1);
      expect(held() - before).toBeLessThan(16 * MIB);
      waiting[0]?.resume();
      await eventually(() => source.answer.includes('thanks'), 60_000);
      expect(received).toBe(1 + COUNT * (MAPPED.length + 1) + 2);
      expect(source.written).toBeGreaterThan(64 * MIB);
      expect(most).toBeLessThan(16 * MIB);
    },
    120_000,
  );

  it('are answered in the middle when they turn out unreadable, though the client goes on sending', async () => {
    const upstream = await harness.upstream((request) => request.on('error', () => {}).resume());
    const source = new Source(await gatewayTo(upstream.url, 'http1'));
    source.socket.write('4\r\n1 2,\r\n');
    source.pour();
    await eventually(() => source.answer.includes('it is no JSON'));
    expect(source.answer).toMatch(/^HTTP\/1\.1 400 /);
    const { attempts } = await summed(harness, 'orders', 'v1');
    expect(attempts).toMatchObject({ bad: 0, total: 0 });
  });
});

describe('a request that is sent again while it still comes', () => {
  it.each([
    ['/import', '[{"id":1},{"id":2}]'],
    ['/plain', '[{"id":1,"cost":2},{"id":2}]'],
  ])('to %s does not end at the upstream that has refused it', async (path, whole) => {
    const seen: { body: string; ended: boolean; closed: boolean }[] = [];
    const upstream = await harness.upstream((request, response) => {
      const state = { body: '', ended: false, closed: false };
      const first = seen.push(state) === 1;
      request.on('error', () => {});
      request.on('close', () => {
        state.closed = true;
      });
      request.on('end', () => {
        state.ended = true;
        if (!first) response.end('thanks');
      });
      request.setEncoding('utf8').on('data', (piece: string) => {
        state.body += piece;
        // Half of an answer: its connection stays open for the rest.
        if (first) response.writeHead(503, { 'Content-Length': 10 }).write('later');
      });
    });
    const gateway = await gatewayTo(upstream.url, 'http1');
    const request = open({
      port: portOf(gateway),
      path,
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
    });
    request.write('[{"id":1,"cost":2},');
    await eventually(() => seen[1]?.body.startsWith('[{"id":1'));
    request.end('{"id":2}]');
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    expect([response.statusCode, await text(response)]).toEqual([200, 'thanks']);
    await eventually(() => seen[0]?.closed === true);
    expect(seen.map(({ ended }) => ended)).toEqual([false, true]);
    expect(seen[1]?.body).toBe(whole);
  });
});

describe('a mirrored request', () => {
  it('is copied as it was reshaped when it was here as a whole, and not at all when it passed', async () => {
    const bodies: string[] = [];
    const shadow = await harness.upstream(async (request, response) => {
      bodies.push(await text(request));
      response.end();
    });
    const upstream = await harness.upstream(async (request, response) => {
      await text(request);
      response.end();
    });
    const gateway = await harness.gateway(
      gatewayOfYaml(
        upstream.url,
        `  shadow: { versions: { v1: { endpoints: ['${shadow.url}'] } } }
routes:
  - name: import
    match: { prefix: /import }
    service: orders
    mirror: { service: shadow, share: 100%, noise: 0%, methods: [POST] }
    json: { request: { stream: '[*]', drop: ['[*].cost'] } }
`,
      ),
    );
    const send = async (chunked: boolean, body: string) => {
      const headers = { 'content-type': 'application/json' };
      const request = open({ port: portOf(gateway), path: '/import', method: 'POST', headers });
      if (chunked) request.flushHeaders();
      request.end(body);
      const [response] = (await once(request, 'response')) as [IncomingMessage];
      await text(response);
    };
    await send(true, '[{"id":1,"cost":1}]');
    await send(false, '[{"id":2,"cost":1}]');
    await eventually(() => bodies.length > 0);
    expect([upstream.seen.length, bodies]).toEqual([2, ['[{"id":2}]']]);
  });
});

describe('over HTTP/2', () => {
  it('a body that turns out unreadable resets the stream to the upstream and answers that of the client', async () => {
    let aborted = false;
    let code = -1;
    let body = '';
    const upstream = await h2Upstream(harness, (stream: ServerHttp2Stream) => {
      stream.on('data', (piece: Buffer) => {
        body += piece.toString();
      });
      stream.on('aborted', () => {
        aborted = true;
      });
      stream.on('close', () => {
        code = stream.rstCode;
      });
    });
    const gateway = await gatewayTo(upstream.url, 'h2');
    const session = connectH2(`http://127.0.0.1:${portOf(gateway)}`);
    harness.onClose(async () => session.destroy());
    const stream = session.request({
      ':path': '/import',
      ':method': 'POST',
      'content-type': 'application/json',
    });
    let status = 0;
    let answer = '';
    stream.on('error', () => {});
    stream.on('response', (fields) => {
      status = Number(fields[':status']);
    });
    stream.setEncoding('utf8').on('data', (piece: string) => {
      answer += piece;
    });
    stream.write('[{"id":1,"cost":2},');
    await eventually(() => body === '[{"id":1}');
    stream.write('nonsense]');
    await eventually(() => answer.includes('it is no JSON after element 1') && code >= 0);
    expect([status, JSON.parse(answer).code]).toEqual([400, 'MALFORMED_BODY']);
    expect([aborted, code]).toEqual([true, constants.NGHTTP2_CANCEL]);
    const { attempts } = await summed(harness, 'orders', 'v1');
    expect(attempts).toEqual({ bad: 0, total: 0, aborted: 1 });
  });
});
