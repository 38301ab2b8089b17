import { EventEmitter } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Route } from '../../src/config/gateway-model.ts';
import { completeIdempotency } from '../../src/config/policies/idempotency.ts';
import { Collector } from '../../src/gateway/cache/http-cache.ts';
import { DeadlineWheel } from '../../src/gateway/deadlines.ts';
import { MessageReader } from '../../src/gateway/grpc/message-frames.ts';
import { SecondRequest } from '../../src/gateway/mirror/second-request.ts';
import { BodyGatherer } from '../../src/gateway/transform/content-coding.ts';
import { JsonElements } from '../../src/gateway/transform/json-elements.ts';
import { JsonLines } from '../../src/gateway/transform/json-lines.ts';
import { WaitingClient } from '../../src/gateway/upgrade/waiting-client.ts';
import { RequestBody } from '../../src/gateway/upstream/request-body.ts';
import type { Target } from '../../src/gateway/upstream/target.ts';
import { buffersHeld } from '../support/buffer-memory.ts';
import { gatewayConfigOf, routeOf, serviceOf } from '../support/gateway-config.ts';
import { eventually, GatewayHarness, portOf } from '../support/gateway-harness.ts';

const PIECES = 10_000;
/** Far fewer; what else is held are some dozens. */
const FEW = PIECES / 10;
const LIMIT = 1_048_576;

/** Nothing ends while a test looks. */
const SLOW = { connectMs: 60_000, responseMs: 60_000, idleMs: 60_000, totalMs: 60_000 };

type Take = (piece: Buffer) => unknown;

/** A client that sends byte by byte. */
class Client extends EventEmitter {
  destroyed = false;
  readableFlowing = true;
  paused = false;
  isPaused(): boolean {
    return this.paused;
  }
  pause(): void {
    this.paused = true;
  }
  resume(): void {
    this.paused = false;
  }
  destroy(): void {
    this.destroyed = true;
  }
}

function bodyOf(client: Client): RequestBody {
  return new RequestBody({
    source: client,
    limit: LIMIT,
    replayLimit: LIMIT,
    coarseNowMs: () => 0,
    onFailure: () => {},
  });
}

async function readAll(body: RequestBody): Promise<void> {
  for await (const piece of body.read()) if (piece.length === 0) return;
}

/** The keepers of what has come, each made ready for pieces of one byte. */
const KEEPERS: Readonly<Record<string, (keep: (kept: unknown) => void) => Take>> = {
  'a request body that nobody reads': (keep) => {
    const client = new Client();
    const body = bodyOf(client);
    void body.read().next();
    keep(body);
    return (piece) => client.emit('data', piece);
  },
  'a request body that is read as it comes, and may have to be sent again': (keep) => {
    const client = new Client();
    const body = bodyOf(client);
    keep(body);
    void readAll(body);
    return (piece) => client.emit('data', piece);
  },
  'a body that is reshaped as a whole': (keep) => {
    const gatherer = new BodyGatherer(
      null,
      LIMIT,
      () => {},
      () => {},
    );
    keep(gatherer);
    return (piece) => gatherer.write(piece, () => {});
  },
  'a response that the cache will store': (keep) => {
    const collector = new Collector({ resource: '/', tags: [], queryKey: (query) => query }, LIMIT);
    keep(collector);
    return (piece) => collector.add(piece);
  },
  'the second answer of a mirror': (keep) => {
    const second = new SecondRequest(new DeadlineWheel(() => 0), {} as Target, LIMIT, () => {});
    keep(second);
    const controller = {} as Parameters<SecondRequest['onResponseData']>[0];
    return (piece) => second.onResponseData(controller, piece);
  },
  'a gRPC message': (keep) => {
    const reader = new MessageReader(LIMIT, () => {});
    reader.feed(Buffer.from([0, 0, 15, 0, 0]));
    keep(reader);
    return (piece) => reader.feed(piece);
  },
  'an element of a long array': (keep) => {
    const elements = new JsonElements({ pick: null, drop: [], rename: [], set: [] }, [], LIMIT);
    elements.write('["');
    keep(elements);
    return (piece) => elements.write(piece);
  },
  'a line of JSON': (keep) => {
    const lines = new JsonLines((line) => line, { maxBytes: LIMIT, refuses: true });
    keep(lines);
    return (piece) => lines.write(piece);
  },
  'what a client sends before its protocol is changed': (keep) => {
    const socket = new PassThrough();
    const client = new WaitingClient(socket, Buffer.alloc(0));
    keep(client);
    return (piece) => socket.write(piece);
  },
};
describe('of pieces of one byte', () => {
  it.each(Object.keys(KEEPERS))('few are held: %s', async (name) => {
    const kept: unknown[] = [];
    const take = KEEPERS[name]?.((what) => kept.push(what));
    for (let i = 0; i < PIECES; i += 1) {
      take?.(Buffer.from('x'));
      if (i % 100 === 0) await new Promise(setImmediate);
    }
    await new Promise(setImmediate);
    expect(buffersHeld()).toBeLessThan(FEW);
    expect(kept).toHaveLength(1);
  });

  it('comes a request body in full, for each of its readers', async () => {
    const client = new Client();
    const body = bodyOf(client);
    const read = async (): Promise<string> => {
      let text = '';
      for await (const piece of body.read()) text += Buffer.from(piece).toString();
      return text;
    };
    const first = read();
    for (let i = 0; i < PIECES; i += 1) {
      client.emit('data', Buffer.from(String(i % 10)));
      if (i % 7 === 0) await new Promise(setImmediate);
    }
    client.emit('end');
    const sent = Array.from({ length: PIECES }, (_, i) => i % 10).join('');
    expect([(await first) === sent, (await read()) === sent]).toEqual([true, true]);
  });
});

describe('a request body in chunks of one byte', () => {
  let harness: GatewayHarness;
  beforeEach(async () => {
    harness = await GatewayHarness.open();
  });
  afterEach(() => harness.close());

  it('is passed on in few pieces: not a write and a packet for each byte', async () => {
    let text = '';
    const server = createServer((socket) => {
      socket.setEncoding('latin1').on('error', () => {});
      socket.on('data', (piece) => {
        text += piece;
        if (text.endsWith('\r\n0\r\n\r\n')) socket.write('HTTP/1.1 204 No Content\r\n\r\n');
      });
      harness.onClose(async () => socket.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    harness.onClose(async () => server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const gateway = await harness.gateway(gatewayConfigOf([serviceOf('orders', { v1: [url] })]));
    const socket = connect(portOf(gateway), '127.0.0.1');
    harness.onClose(async () => socket.destroy());
    const answer = new Promise((resolve) => socket.once('data', resolve));
    socket.write('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n');
    // The upstream reads as fast as it comes.
    await eventually(() => text.includes('1\r\nx'));
    socket.write(`${'1\r\nx\r\n'.repeat(PIECES)}0\r\n\r\n`);
    await answer;
    const chunks = text
      .slice(text.indexOf('\r\n\r\n') + 4)
      .split('\r\n')
      .filter((line) => line.startsWith('x'));
    expect(chunks.join('')).toBe('x'.repeat(PIECES + 1));
    expect(chunks.length).toBeLessThan(FEW);
  });
});

describe('of answers in chunks of one byte', () => {
  let harness: GatewayHarness;
  beforeEach(async () => {
    harness = await GatewayHarness.open();
  });
  afterEach(() => harness.close());

  /** Sends all chunks and then nothing: the answer goes on. */
  async function dripping(): Promise<string> {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
        socket.write('1\r\nx\r\n'.repeat(PIECES));
      });
      harness.onClose(async () => socket.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    harness.onClose(async () => server.close());
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  const mirror = {
    service: null,
    version: 'v2',
    share: 1,
    by: 'random' as const,
    noise: 0,
    methods: ['POST'],
    maxBytes: LIMIT,
    timeoutMs: 20_000,
    max: 10,
    rules: { fields: [], ignore: [] },
  };
  const policies: readonly (readonly [string, Partial<Route>])[] = [
    ['a mirror that will compare them', { mirror }],
    ['the key of an idempotent request', { idempotency: completeIdempotency({ required: true }) }],
  ];

  it.each(policies)('few are held by %s', async (_name, policy) => {
    const url = await dripping();
    const gateway = await harness.gateway(
      gatewayConfigOf([serviceOf('orders', { v1: [url], v2: [url] })], {
        routes: [routeOf('orders', { ...policy, timeout: SLOW })],
      }),
    );
    const socket = connect(portOf(gateway), '127.0.0.1');
    harness.onClose(async () => socket.destroy());
    let got = 0;
    socket.on('data', (piece) => {
      for (const byte of piece) if (byte === 0x78) got += 1;
    });
    socket.write('POST / HTTP/1.1\r\nHost: a\r\nIdempotency-Key: "one"\r\nContent-Length: 0\r\n\r\n');
    await eventually(() => got === PIECES, 60_000);
    expect(buffersHeld()).toBeLessThan(FEW);
  });
});
