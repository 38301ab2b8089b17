/**
 * The clients of the soak: each plays one part once and resolves with true when it went as expected, otherwise with what
 * did not. Knows sockets and bytes; measures nothing.
 * @module
 */

import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { answerIn } from './answers.mjs';
import { H2_CLIENTS } from './h2-clients.mjs';

const PATIENCE_MS = 20_000;

export const CLIENTS = {
  /** Some requests on one connection, each answered in full. */
  good: (target) =>
    session(target, async (socket, received) => {
      for (let request = 0; request < 20; request += 1) {
        const path = target.path();
        const outcome = await ask(socket, received, requestText(target, path), target.bodyOf(path));
        if (outcome !== true) return outcome;
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

  /** Bodies in JSON and XML, packed or not, in chunks with a trailer, some of them byte by byte. */
  bodies: (target) =>
    session(target, async (socket, received) => {
      for (let request = 0; request < 5; request += 1) {
        const [path, type, text, answer] = BODIES[Math.floor(target.random() * BODIES.length)];
        const outcome = await ask(socket, received, bodyRequest(target, path, type, text), answer);
        if (outcome !== true) return outcome;
      }
      return true;
    }),

  /** Bytes that are no request, or two requests to a careless reader. */
  hostile: (target) =>
    session(target, async (socket) => {
      socket.write(hostileText(target));
      return (
        (await until(() => socket.destroyed || socket.readableEnded, socket)) || 'not ended by the gateway'
      );
    }),

  ...H2_CLIENTS,
};

/** Path, type and text of a request, and what has to come back. */
const BODIES = [
  ['/json/1', 'application/json', '{"secret":1,"kept":[1,2,3]}', '{"kept":2}'],
  [
    '/xml/1',
    'application/xml',
    '<order><tag>a</tag><total>9.5</total></order>',
    `<?xml version="1.0" encoding="UTF-8"?>\n<order><secret>1</secret><kept>2</kept></order>`,
  ],
  ['/keyed/1', 'text/plain', 'x'.repeat(500), '{"secret":1,"kept":2}'],
];

function bodyRequest(target, path, type, text) {
  const size = target.random() < 0.3 ? 1 : 64;
  const packed = target.random() < 0.3;
  const body = packed ? gzipSync(text) : Buffer.from(text);
  const coding = packed ? 'content-encoding: gzip\r\n' : '';
  const chunks = [];
  for (let at = 0; at < body.length; at += size) {
    const chunk = body.subarray(at, at + size);
    chunks.push(Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n'));
  }
  return Buffer.concat([
    Buffer.from(
      `POST ${path} HTTP/1.1\r\nhost: soak\r\ncontent-type: ${type}\r\n${coding}` +
        'transfer-encoding: chunked\r\ntrailer: x-digest\r\n\r\n',
    ),
    ...chunks,
    Buffer.from('0\r\nx-digest: abc\r\n\r\n'),
  ]);
}

function requestText(target, path = target.path()) {
  return `GET ${path} HTTP/1.1\r\nhost: soak\r\nx-user-id: ${target.user()}\r\n\r\n`;
}

const HOSTILE = [
  'GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n',
  'POST /orders/1 HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
  'POST /orders/1 HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
  'POST /json/1 HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-type: text/plain\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}',
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

/** One request, and `body` with 200 back. */
async function ask(socket, received, request, body) {
  received.text = '';
  socket.write(request);
  let answer = null;
  const came = await until(() => {
    answer = answerIn(received.text);
    return answer !== null;
  }, socket);
  if (!came)
    return `${socket.destroyed ? 'closed' : 'late'} after ${JSON.stringify(received.text.slice(0, 200))}`;
  if (answer.status !== 200 || answer.body !== body || answer.rest !== '')
    return `not what was asked for: ${JSON.stringify(received.text.slice(0, 800))}`;
  return true;
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
    const refused = () => resolve('no connection');
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
