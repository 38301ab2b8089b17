/**
 * Sends a scenario's requests to one gateway over a few connections, each with one request at a time, and checks the
 * answers. Knows HTTP/1.1 and HTTP/2, neither policies nor times.
 * @module
 */

import { readFileSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { Connection } from '../rig/connection.mjs';

const HOST = 'bench.test';
const STANDARD = { 'user-agent': 'sluice-bench', accept: '*/*' };
const PROXY_HEADER = 'PROXY TCP4 203.0.113.9 127.0.0.1 40000 80\r\n';
const MAX_EXAMPLES = 3;
const SHOWN = 300;

export class Driver {
  #port;
  #world;
  #next;
  #expect;
  #client;
  #connections;
  #open = [];
  #encoded = new WeakMap();
  #last = null;
  #faults = 0;
  #examples = [];

  /** `side`: `off` or `on`. */
  constructor({ scenario, side, world, port, connections }) {
    this.#port = port;
    this.#world = world;
    this.#next = scenario.ask(world);
    this.#expect = scenario.expect[side];
    this.#client = scenario.client[side];
    this.#connections = connections;
  }

  /**
   * Sends so many requests and waits for their answers. Every status is checked, of the last answer also the rest.
   * @returns {Promise<{faults: number, examples: string[]}>} what was not as expected
   */
  async run(count) {
    let left = count;
    this.#faults = 0;
    this.#examples = [];
    const work = async (index) => {
      while (left > 0) {
        left -= 1;
        try {
          const connection = await this.#connection(index);
          await this.#ask(connection);
        } catch (error) {
          this.#fault(String(error));
        }
      }
    };
    await Promise.all(Array.from({ length: this.#connections }, (_, index) => work(index)));
    this.#checkLast();
    return { faults: this.#faults, examples: this.#examples };
  }

  close() {
    for (const connection of this.#open) connection?.close();
    this.#open = [];
  }

  async #connection(index) {
    const open = this.#open[index];
    if (open !== undefined && !open.ended) return open;
    const made = await this.#connect();
    this.#open[index] = made;
    return made;
  }

  async #connect() {
    const { tls = false, http2 = false, proxy = false } = this.#client;
    if (http2) return Http2Connection.open(this.#port);
    const at = { host: '127.0.0.1', port: this.#port };
    const socket = tls
      ? connectTls({ ...at, ca: readFileSync(this.#world.certificate.cert), minVersion: 'TLSv1.3' })
      : connect(at);
    await new Promise((resolve, reject) => {
      socket.once(tls ? 'secureConnect' : 'connect', resolve);
      socket.once('error', reject);
    });
    if (proxy) socket.write(PROXY_HEADER);
    return new Connection(socket);
  }

  #ask(connection) {
    const request = this.#next();
    return new Promise((resolve) => {
      connection.send(
        connection instanceof Http2Connection ? request : this.#bytes(request),
        (status, head, body) => {
          this.#last = { status, head, body };
          if (!this.#expect.statuses.includes(status)) {
            this.#fault(`${request.path}: ${head} ${body.subarray(0, SHOWN)}`);
          }
          resolve();
        },
        (reason) => {
          this.#fault(`${request.path}: ${reason}`);
          resolve();
        },
      );
    });
  }

  #bytes(request) {
    const known = this.#encoded.get(request);
    if (known !== undefined) return known;
    const { method, path, headers, body, trailers } = request;
    const fields = { host: HOST, ...STANDARD, ...headers };
    if (trailers !== undefined) fields['transfer-encoding'] = 'chunked';
    else if (body.length > 0) fields['content-length'] = Buffer.byteLength(body);
    const head = Buffer.from(`${method} ${path} HTTP/1.1\r\n${linesOf(fields)}\r\n`);
    const bytes = Buffer.concat([
      head,
      ...(trailers === undefined ? [Buffer.from(body)] : inChunks(Buffer.from(body), trailers)),
    ]);
    this.#encoded.set(request, bytes);
    return bytes;
  }

  #checkLast() {
    if (this.#last === null) return;
    const { head, body } = this.#last;
    const { body: expected, head: pattern } = this.#expect;
    if (pattern !== null && !pattern.test(head)) this.#fault(`expected ${pattern}, got ${head}`);
    if (expected === null) return;
    const right = typeof expected === 'function' ? expected(body) : body.toString() === expected;
    if (!right) this.#fault(`another body than expected: ${body.subarray(0, SHOWN)}`);
  }

  #fault(example) {
    this.#faults += 1;
    if (this.#examples.length < MAX_EXAMPLES) this.#examples.push(example);
  }
}

function linesOf(fields) {
  return Object.entries(fields)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');
}

/** One chunk, and the trailers behind it. */
function inChunks(body, trailers) {
  return [
    Buffer.from(`${body.length.toString(16)}\r\n`),
    body,
    Buffer.from(`\r\n0\r\n${linesOf(trailers)}\r\n`),
  ];
}

/** As `Connection` of the rig, over HTTP/2 without TLS; one request at a time too. */
class Http2Connection {
  #session;
  ended = false;

  constructor(session) {
    this.#session = session;
    session.on('error', () => session.destroy());
    session.on('close', () => {
      this.ended = true;
    });
  }

  static open(port) {
    return new Promise((resolve, reject) => {
      const session = connectHttp2(`http://127.0.0.1:${port}`);
      session.once('error', reject);
      session.once('connect', () => resolve(new Http2Connection(session)));
    });
  }

  send({ method, path, headers, body }, onAnswer, onLost) {
    const stream = this.#session.request(
      { ':method': method, ':path': path, ':authority': HOST, ...STANDARD, ...headers },
      { endStream: body === '' },
    );
    const chunks = [];
    let fields = null;
    let failure = 'ended without an answer';
    stream.on('response', (received) => {
      fields = received;
    });
    stream.on('data', (chunk) => chunks.push(chunk));
    stream.on('error', (error) => {
      failure = error.message;
    });
    stream.on('close', () => {
      if (fields === null || stream.rstCode !== 0) return onLost(failure);
      onAnswer(fields[':status'], `HTTP/2 ${fields[':status']}\r\n${linesOf(fields)}`, Buffer.concat(chunks));
    });
    if (body !== '') stream.end(body);
  }

  close() {
    this.ended = true;
    this.#session.destroy();
  }
}
