/**
 * The clients of the soak that speak HTTP/2: good ones, ones that leave, ones that call off what they ask for, slow readers,
 * tunnels and garbage. Each plays its part once, as those of `clients.mjs`.
 * @module
 */

import { connect } from 'node:http2';
import { connect as connectTcp } from 'node:net';

export const H2_CLIENTS = {
  /** Some requests at a time on one connection, each answered in full. */
  'good h2': (target) =>
    session(target, async (h2) => {
      const answers = Array.from({ length: 20 }, () => answered(h2.request({ ':path': target.path() })));
      const statuses = await Promise.all(answers);
      return statuses.every((status) => status === 200) || `answered with ${statuses}`;
    }),

  /** Ends its connection with requests under way, or bodies that have not ended. */
  'leaving h2': (target) =>
    session(target, async (h2, socket) => {
      for (let count = 0; count < 5; count += 1) quiet(h2.request({ ':path': target.path() })).resume();
      quiet(
        h2.request(
          { ':method': 'POST', ':path': '/json/1', 'content-type': 'application/json' },
          { endStream: false },
        ),
      ).write('{');
      await pause(target.random() * 20);
      socket.end();
      return true;
    }),

  /** Calls off one request after another until it is cut off. */
  'resetting h2': (target, going) =>
    session(target, async (h2) => {
      while (going() && !h2.closed && !h2.destroyed) {
        for (let count = 0; count < 10 && !h2.closed && !h2.destroyed; count += 1)
          quiet(h2.request({ ':path': target.path() })).close(8);
        await pause(100);
      }
      return true;
    }),

  /** Asks for many answers and opens no window for what is in them. */
  'deaf h2': (target, going) =>
    session(target, async (h2) => {
      for (let count = 0; count < 50; count += 1) quiet(h2.request({ ':path': target.path() }));
      await pauseWhile(going, 3_000);
      return true;
    }),

  /** A tunnel by extended CONNECT (RFC 8441) that gets back what it sends, and leaves in one way or another. */
  'tunnel h2': (target) =>
    session(target, async (h2) => {
      if (h2.remoteSettings?.enableConnectProtocol !== true) await first(h2, 'remoteSettings');
      const fields = { ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/live/1' };
      const stream = quiet(h2.request({ ...fields, 'sec-websocket-version': '13' }, { endStream: false }));
      const status = (await first(stream, 'response'))?.[':status'];
      if (status !== 200) return `tunnel refused: ${status}`;
      stream.write('hello');
      const back = await first(stream, 'data');
      if (target.random() < 0.5) stream.close(8);
      else stream.end();
      return String(back) === 'hello' || `came back: ${back}`;
    }),

  /** Frames that have no business where they are. */
  'hostile h2': (target) =>
    new Promise((resolve) => {
      const socket = connectTcp(target.port, '127.0.0.1');
      socket.on('error', () => {});
      socket.on('close', () => resolve(true));
      socket.resume();
      const junk = Buffer.from(Array.from({ length: 60 }, () => Math.floor(target.random() * 256)));
      // Settings, then a head that is continued on another stream.
      socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0', 'latin1');
      socket.write(target.random() < 0.5 ? junk : Buffer.from('000000010000000001000000090400000003', 'hex'));
      setTimeout(() => socket.end(), target.random() * 50);
      setTimeout(() => socket.destroy(), 1_000);
    }),
};

/** One connection from open to closed, whatever happens in between. */
function session({ port }, play) {
  return new Promise((resolve) => {
    const socket = connectTcp(port, '127.0.0.1');
    const h2 = connect(`http://127.0.0.1:${port}`, { createConnection: () => socket });
    h2.on('error', () => {});
    let playing = Promise.resolve('no connection');
    h2.once('connect', () => {
      playing = play(h2, socket)
        .catch((error) => String(error))
        .finally(() => h2.destroy());
    });
    h2.once('close', () => resolve(playing));
  });
}

/** What comes with an event, or nothing if the session or stream is over before. */
function first(emitter, event) {
  return new Promise((resolve) => {
    emitter.once(event, resolve);
    emitter.once('close', () => resolve(undefined));
  });
}

function quiet(stream) {
  return stream.on('error', () => {});
}

function answered(stream) {
  return new Promise((resolve) => {
    let status = 0;
    quiet(stream).on('response', (headers) => {
      status = headers[':status'];
    });
    stream.resume();
    stream.on('close', () => resolve(status));
  });
}

async function pauseWhile(going, ms) {
  for (let waitedMs = 0; waitedMs < ms && going(); waitedMs += 100) await pause(100);
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
