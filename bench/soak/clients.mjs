/**
 * The clients of the soak: each plays one part once and says whether it went as expected. Knows sockets and bytes;
 * measures nothing.
 * @module
 */

import { connect } from 'node:net';

const PATIENCE_MS = 20_000;

export const CLIENTS = {
  /** Some requests on one connection, each answered in full. */
  good: (target) =>
    session(target, async (socket, received) => {
      for (let request = 0; request < 20; request += 1) {
        const before = received.text.length;
        socket.write(requestText(target));
        if (!(await until(() => isWhole(received.text.slice(before)), socket))) return false;
      }
      return true;
    }),

  /** Leaves in the middle of a request or an answer. */
  leaving: (target) =>
    session(target, async (socket) => {
      const text = requestText(target);
      socket.write(text.slice(0, Math.ceil(target.random() * text.length)));
      await pause(target.random() * 20);
      return true;
    }),

  /** Asks for many answers and takes none of them. */
  deaf: (target, going) =>
    session(target, async (socket) => {
      socket.pause();
      for (let request = 0; request < 50; request += 1) socket.write(requestText(target));
      await pauseWhile(going, 3_000);
      return true;
    }),

  /** Asks and asks, and takes no answer, until the gateway has had enough. */
  greedy: (target, going) =>
    session(target, async (socket) => {
      socket.pause();
      while (going() && !socket.destroyed) {
        socket.write(requestText(target).repeat(1_000));
        await pause(20);
      }
      return true;
    }),

  /** A byte of a head now and then, until the gateway has had enough. */
  slow: (target, going) =>
    session(target, async (socket) => {
      socket.write(`GET ${target.path()} HTTP/1.1\r\nhost: soak\r\nx-slow: `);
      while (going() && !socket.destroyed) {
        socket.write('a');
        await pause(500);
      }
      return true;
    }),

  /** Promises a body and trickles it. */
  stalled: (target, going) =>
    session(target, async (socket) => {
      socket.write(`POST ${target.path()} HTTP/1.1\r\nhost: soak\r\ncontent-length: 100000\r\n\r\n`);
      while (going() && !socket.destroyed) {
        socket.write('b');
        await pause(500);
      }
      return true;
    }),

  /** Bytes that are no request, or two requests to a careless reader. */
  hostile: (target) =>
    session(target, async (socket) => {
      socket.write(hostileText(target));
      return until(() => socket.destroyed || socket.readableEnded, socket);
    }),
};

function requestText(target) {
  return `GET ${target.path()} HTTP/1.1\r\nhost: soak\r\nx-user-id: ${target.user()}\r\n\r\n`;
}

const HOSTILE = [
  'GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n',
  'POST /orders/1 HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
  'POST /orders/1 HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
  'GET //evil.test/ HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n',
  'GET /orders/%2e%2e/x HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n',
  'TRACE /orders/1 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n',
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
];

function hostileText(target) {
  const text = HOSTILE[Math.floor(target.random() * (HOSTILE.length + 1))];
  if (text !== undefined) return text;
  return Buffer.from(Array.from({ length: 200 }, () => Math.floor(target.random() * 256)));
}

function isWhole(text) {
  const end = text.indexOf('\r\n\r\n');
  const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? Number.NaN);
  return text.startsWith('HTTP/1.1 200') && end >= 0 && text.length >= end + 4 + length;
}

/** One connection from open to closed, whatever happens in between. */
function session({ port }, play) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const received = { text: '' };
    socket.setEncoding('latin1');
    socket.on('data', (chunk) => {
      received.text += chunk;
    });
    socket.on('error', () => {});
    socket.once('connect', async () => {
      socket.off('close', refused);
      const asExpected = await play(socket, received);
      socket.destroy();
      resolve(asExpected);
    });
    const refused = () => resolve(false);
    socket.once('close', refused);
  });
}

async function until(condition, socket) {
  for (let waitedMs = 0; waitedMs < PATIENCE_MS; waitedMs += 5) {
    if (condition()) return true;
    if (socket.destroyed) return condition();
    await pause(5);
  }
  return false;
}

async function pauseWhile(going, ms) {
  for (let waitedMs = 0; waitedMs < ms && going(); waitedMs += 100) await pause(100);
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
