import { connect, type Socket } from 'node:net';
import type { Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Service } from '../../src/config/gateway-model.ts';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { buffersInUse } from '../support/buffer-memory.ts';
import { endpointOf, gatewayConfigOf, PLAIN_TLS, routeOf, serviceOf } from '../support/gateway-config.ts';
import { eventually, GatewayHarness, portOf } from '../support/gateway-harness.ts';
import { h2Upstream } from '../support/h2-upstream.ts';

let harness: GatewayHarness;

beforeEach(async () => {
  harness = await GatewayHarness.open();
});

afterEach(() => harness.close());

const MIB = 1_048_576;
/** Far more than sockets of the system and streams of this process hold together. */
const OFFERED = 256 * MIB;
/** What sockets of the system may hold on both hops. */
const IN_SOCKETS = 48 * MIB;

/** Writes as long as it may; tells how much it got rid of. */
class Source {
  written = 0;
  readonly #piece = Buffer.alloc(65_536, 'x');
  readonly #onPoured: (into: Writable) => void;

  constructor(onPoured: (into: Writable) => void = (into) => into.end()) {
    this.#onPoured = onPoured;
  }

  pour(into: Writable, bytes = OFFERED): void {
    const write = (): void => {
      let left = bytes - this.written;
      while (left > 0 && !into.destroyed) {
        this.written += this.#piece.length;
        left -= this.#piece.length;
        if (!into.write(this.#piece)) {
          into.once('drain', write);
          return;
        }
      }
      this.#onPoured(into);
    };
    write();
  }
}

/** Waits until nothing moves any more. */
async function settled(read: () => number): Promise<number> {
  let last = -1;
  let since = performance.now();
  await eventually(() => {
    const now = read();
    if (now !== last) since = performance.now();
    last = now;
    return now > 0 && performance.now() - since > 300;
  }, 20_000);
  return last;
}

type Protocol = 'http1' | 'h2';

function gatewayTo(url: string, protocol: Protocol, changes: Partial<Service> = {}): Promise<Gateway> {
  const versions = { v1: { endpoints: [endpointOf(url)], tls: PLAIN_TLS, protocol } };
  const timeout = { connectMs: 5_000, responseMs: 60_000, idleMs: 60_000, totalMs: 60_000 };
  const service = serviceOf('orders', {}, { versions, defaultVersion: 'v1', ...changes });
  return harness.gateway(
    gatewayConfigOf([service], { routes: [routeOf('orders', { timeout, maxBodyBytes: 2 * OFFERED })] }),
  );
}

/** An upstream that pours a long answer for each request. */
async function pouring(protocol: Protocol, sources: Source[], bytes = OFFERED): Promise<string> {
  const answer = (into: Writable): void => {
    const source = new Source();
    sources.push(source);
    source.pour(into, bytes);
  };
  if (protocol === 'http1') return (await harness.upstream((_request, response) => answer(response))).url;
  return (
    await h2Upstream(harness, (stream) => {
      stream.respond({ ':status': 200 });
      answer(stream);
    })
  ).url;
}

/** A client that reads nothing until told to. */
function lazyClient(gateway: Gateway, head: string): Socket {
  const socket = connect(portOf(gateway), '127.0.0.1');
  socket.on('error', () => {});
  socket.pause();
  socket.write(head);
  harness.onClose(async () => socket.destroy());
  return socket;
}

const PROTOCOLS: readonly Protocol[] = ['http1', 'h2'];

describe('back-pressure', () => {
  it.each(PROTOCOLS)(
    'a client that does not read holds the upstream back (%s)',
    async (protocol) => {
      const sources: Source[] = [];
      const gateway = await gatewayTo(await pouring(protocol, sources), protocol);
      const before = buffersInUse();
      const socket = lazyClient(gateway, 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
      const written = await settled(() => sources[0]?.written ?? 0);
      expect(written).toBeLessThan(IN_SOCKETS);
      await eventually(() => buffersInUse() - before < 16 * MIB);
      let read = 0;
      socket.on('data', (piece: Buffer) => {
        read += piece.length;
      });
      socket.resume();
      await eventually(() => read > OFFERED, 60_000);
    },
    90_000,
  );

  it.each(PROTOCOLS)(
    'many such clients cost little memory each (%s)',
    async (protocol) => {
      const sources: Source[] = [];
      const gateway = await gatewayTo(await pouring(protocol, sources, 32 * MIB), protocol);
      const before = buffersInUse();
      const clients = 24;
      for (let i = 0; i < clients; i += 1) {
        lazyClient(gateway, 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
      }
      await eventually(() => sources.length === clients);
      await settled(() => sources.reduce((sum, { written }) => sum + written, 0));
      // Of all that is offered: sources, gateway and clients of this process together.
      await eventually(() => buffersInUse() - before < clients * MIB);
    },
    60_000,
  );

  it.each(PROTOCOLS)(
    'an upstream that does not read holds the client back (%s)',
    async (protocol) => {
      let received = 0;
      const held: { resume(): void }[] = [];
      const url =
        protocol === 'http1'
          ? (
              await harness.upstream((request, response) => {
                request.pause();
                held.push(request);
                request.on('data', (piece: Buffer) => {
                  received += piece.length;
                });
                request.pause();
                request.on('end', () => response.end('thanks'));
              })
            ).url
          : (
              await h2Upstream(harness, (stream) => {
                held.push(stream);
                stream.on('data', (piece: Buffer) => {
                  received += piece.length;
                });
                stream.pause();
                stream.on('end', () => {
                  stream.respond({ ':status': 200 });
                  stream.end('thanks');
                });
              })
            ).url;
      const gateway = await gatewayTo(url, protocol);
      const source = new Source(() => {});
      const before = buffersInUse();
      const socket = connect(portOf(gateway), '127.0.0.1');
      harness.onClose(async () => socket.destroy());
      let answer = '';
      socket.on('data', (piece: Buffer) => {
        answer += piece.toString('latin1');
      });
      socket.write(`PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: ${OFFERED}\r\n\r\n`);
      source.pour(socket);
      expect(await settled(() => source.written)).toBeLessThan(IN_SOCKETS);
      await eventually(() => buffersInUse() - before < 16 * MIB);
      held[0]?.resume();
      await eventually(() => answer.includes('thanks'), 60_000);
      expect(received).toBe(OFFERED);
    },
    90_000,
  );

  it('passes pieces on as they come, in both directions', async () => {
    const upstream = await harness.upstream((request, response) => {
      response.flushHeaders();
      request.on('data', (piece: Buffer) => response.write(`<${piece}>`));
      request.on('end', () => response.end());
    });
    const gateway = await gatewayTo(upstream.url, 'http1');
    const socket = connect(portOf(gateway), '127.0.0.1');
    harness.onClose(async () => socket.destroy());
    let text = '';
    socket.on('data', (piece: Buffer) => {
      text += piece.toString('latin1');
    });
    socket.write('PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n');
    await eventually(() => text.includes('<one>'));
    socket.write('3\r\ntwo\r\n');
    await eventually(() => text.includes('<two>'));
    socket.write('0\r\n\r\n');
    await eventually(() => text.endsWith('0\r\n\r\n'));
  });
});
