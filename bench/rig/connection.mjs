/**
 * One keep-alive connection of the load generator over a plain socket: one request at a time, its answer read
 * to the last byte. Understands Content-Length and chunked bodies; knows not what answer is right.
 * @module
 */

import { connect } from 'node:net';

const END_OF_HEAD = '\r\n\r\n';
const LAST_CHUNK = '0\r\n\r\n';
const CLOSE = /\r\nconnection: *close/i;
const LENGTH = /\r\ncontent-length: *(\d+)/i;
const CHUNKED = /\r\ntransfer-encoding: *chunked/i;

export class Connection {
  #socket;
  #onAnswer = null;
  #onLost = null;
  #chunks = [];
  #received = 0;
  #needed = 0;
  #head = null;
  #error = '';
  /** Answers received. */
  answers = 0;
  /** Closed by either side, or about to be: take another one. */
  ended = false;
  /** The last answer said Connection: close. */
  toldToClose = false;

  constructor(socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.#onData(chunk));
    socket.on('error', (error) => {
      this.#error = error.code ?? error.message;
    });
    // The other side closes: an answer that is not complete by now never will be.
    socket.on('end', () => socket.destroy());
    socket.on('close', () => {
      this.ended = true;
      const lost = this.#onLost;
      this.#onLost = null;
      this.#onAnswer = null;
      lost?.(this.#error === '' ? `closed after ${this.#received} bytes` : this.#error);
    });
  }

  /** Resolves with a connection, rejects with the socket's error. */
  static open({ host, port }) {
    return new Promise((resolve, reject) => {
      const socket = connect(port, host);
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new Connection(socket));
      });
    });
  }

  /** `onAnswer(status, head, body)` or `onLost(reason)` is called once. */
  send(request, onAnswer, onLost) {
    this.#onAnswer = onAnswer;
    this.#onLost = onLost;
    this.#received = 0;
    this.#socket.write(request);
  }

  close() {
    this.ended = true;
    this.#socket.destroy();
  }

  #onData(chunk) {
    this.#chunks.push(chunk);
    this.#received += chunk.length;
    if (this.#head === null) {
      const bytes = this.#joined();
      const end = bytes.indexOf(END_OF_HEAD);
      if (end === -1) return;
      this.#head = bytes.latin1Slice(0, end + 2);
      const length = LENGTH.exec(this.#head);
      this.#needed = length === null ? -1 : end + END_OF_HEAD.length + Number(length[1]);
    }
    if (this.#needed === -1) this.#finishChunked();
    else if (this.#received >= this.#needed) {
      const bytes = this.#joined();
      const from = this.#head.length + 2;
      // Bytes beyond the announced length are left in: the check of the body will see them.
      this.#finish(bytes.subarray(from));
    }
  }

  #finishChunked() {
    if (!CHUNKED.test(this.#head)) {
      this.#finish(Buffer.from('neither Content-Length nor chunked'));
      return;
    }
    const bytes = this.#joined();
    if (bytes.latin1Slice(bytes.length - LAST_CHUNK.length) !== LAST_CHUNK) return;
    const body = decodeChunks(bytes.subarray(this.#head.length + 2));
    if (body !== null) this.#finish(body);
  }

  #joined() {
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0];
  }

  #finish(body) {
    const head = this.#head;
    const onAnswer = this.#onAnswer;
    this.#chunks = [];
    this.#head = null;
    this.#onAnswer = null;
    this.#onLost = null;
    this.answers += 1;
    if (CLOSE.test(head)) {
      this.toldToClose = true;
      this.close();
    }
    onAnswer?.(Number(head.slice(9, 12)), head, body);
  }
}

/** Null while the last chunk is missing. */
function decodeChunks(bytes) {
  const parts = [];
  for (let at = 0; ; ) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd === -1) return null;
    const size = Number.parseInt(bytes.latin1Slice(at, lineEnd), 16);
    if (size === 0) return Buffer.concat(parts);
    const from = lineEnd + 2;
    if (from + size + 2 > bytes.length) return null;
    parts.push(bytes.subarray(from, from + size));
    at = from + size + 2;
  }
}
