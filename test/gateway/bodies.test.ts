import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startImpatient, TIMEOUT } from '../support/failing-upstream.ts';
import { call, eventually, GatewayHarness, portOf, raw } from '../support/gateway-harness.ts';

let harness: GatewayHarness;

beforeEach(async () => {
  harness = await GatewayHarness.open();
});

afterEach(() => harness.close());

describe('a client that goes away', () => {
  it('aborts the attempt, and counts as neither success nor failure of the version', async () => {
    let closed = false;
    const upstream = await harness.upstream((request) => {
      request.socket.on('close', () => {
        closed = true;
      });
    });
    const gateway = await startImpatient(harness, [upstream.url], {
      timeout: { ...TIMEOUT, responseMs: 60_000, totalMs: 60_000 },
    });
    const answer = raw(portOf(gateway), 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', (socket) => {
      void eventually(() => upstream.seen.length === 1).then(() => socket.destroy());
    });
    await answer;
    await eventually(() => closed);
    await eventually(
      () =>
        harness.outcomes('v1', 'attempts', 'clientAborted') === 1 &&
        harness.outcomes('v1', 'responses', 'clientAborted') === 1,
    );
    expect(harness.outcomes('v1', 'attempts', 'reset')).toBe(0);
  });

  it('in the middle of its body is not blamed on the upstream', async () => {
    const upstream = await harness.upstream((request) => void request.resume());
    const gateway = await startImpatient(harness, [upstream.url]);
    await raw(
      portOf(gateway),
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n',
      (socket) => {
        void eventually(() => upstream.seen.length === 1).then(() => socket.destroy());
      },
    );
    await eventually(() => harness.outcomes('v1', 'attempts', 'clientAborted') === 1);
    expect(harness.outcomes('v1', 'attempts', 'reset') + harness.outcomes('v1', 'attempts', 'timeout')).toBe(
      0,
    );
  });

  it('or stalls in the middle of its body gets 408', async () => {
    const upstream = await harness.upstream((request) => void request.resume());
    const text = await raw(
      portOf(await startImpatient(harness, [upstream.url])),
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n',
    );
    expect(text).toMatch(/^HTTP\/1\.1 408 /);
    await eventually(() => harness.outcomes('v1', 'attempts', 'clientAborted') === 1);
  });
});

describe('large bodies', () => {
  it('stream up and down, whole, with a slow reader holding the upstream back', async () => {
    const sent = 32 * 1_048_576;
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
    const gateway = await startImpatient(harness, [upstream.url], {
      timeout: { ...TIMEOUT, idleMs: 10_000 },
    });
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
    expect(text.length).toBeGreaterThanOrEqual(sent);
    expect(text.endsWith('\r\n0\r\n\r\n')).toBe(true);
    expect(writtenWhilePaused).toBeLessThan(sent / 2);
  });

  it('do not wait for ever for a reader that stands still', async () => {
    const upstream = await harness.upstream((_request, response) =>
      response.end(Buffer.alloc(8 * 1_048_576)),
    );
    const gateway = await startImpatient(harness, [upstream.url]);
    const text = await raw(portOf(gateway), 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', (socket) => {
      socket.pause();
      void eventually(() => harness.outcomes('v1', 'responses', 'clientAborted') === 1).then(() =>
        socket.resume(),
      );
    });
    expect(text.length).toBeLessThan(8 * 1_048_576);
    expect(harness.outcomes('v1', 'attempts', 'timeout') + harness.outcomes('v1', 'attempts', 'reset')).toBe(
      0,
    );
  });

  it('go up in pieces and come back the same', async () => {
    const upstream = await harness.upstream((request, response) => request.pipe(response));
    const body = Buffer.alloc(900_000, 'abcdefg');
    const reply = await call(await startImpatient(harness, [upstream.url]), '/', { method: 'POST', body });
    expect(reply.body.length).toBe(body.length);
    expect(Buffer.from(reply.body).equals(body)).toBe(true);
  });

  it('of an event stream reach the client as they come', async () => {
    const upstream = await harness.upstream((_request, response) => {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' });
      response.flushHeaders();
    });
    const gateway = await startImpatient(harness, [upstream.url]);
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
