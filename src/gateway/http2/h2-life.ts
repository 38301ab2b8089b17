/**
 * Tells when an HTTP/2 connection is over though HTTP/2 does not say so: the client has ended its side, or nothing comes and
 * goes any more while requests are under way. Knows the connection; nothing of requests.
 * @module
 */

import type { ServerHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';

/** Looks at a connection in the time in which nothing has to come. */
const LOOKS = 4;
/** More is written than the ping with which one asks: a frame of 17 bytes, in a TLS record or not. */
const PING_BYTES = 64;

/**
 * Node leaves both to its users. A client that ends its side could neither end a body nor open a window any more, so its
 * requests are over. And after a connection error (RFC 9113 §5.4.1) Node says GOAWAY, reads no more, not even the end,
 * and keeps all that is open; so does whoever vanishes without a word. Who is alive answers pings.
 *
 * `silenceMs`: after that the connection is cut. `busy`: requests are under way; without, others limit its idle time.
 */
export function watchLife(
  session: ServerHttp2Session,
  socket: Socket,
  silenceMs: number,
  busy: () => boolean,
): void {
  socket.on('end', () => session.destroy());
  let read = 0;
  let written = 0;
  let quietLooks = 0;
  const timer = setInterval(() => {
    const passes = socket.bytesRead !== read || socket.bytesWritten - written > PING_BYTES;
    read = socket.bytesRead;
    written = socket.bytesWritten;
    quietLooks = passes || !busy() ? 0 : quietLooks + 1;
    if (quietLooks === 0 || session.destroyed) return;
    if (quietLooks >= LOOKS) session.destroy();
    else session.ping(() => {});
  }, silenceMs / LOOKS);
  socket.once('close', () => clearInterval(timer));
}
