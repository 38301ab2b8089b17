/**
 * Keeps Node from ending an HTTP/2 session in the middle of reading from it. Knows sessions of either side; decides nothing.
 * @module
 */

import type { Http2Session } from 'node:http2';

/**
 * Node destroys a session from within events of frames that have just come, such as a request after a GOAWAY. nghttp2 before
 * 1.69 then goes on with what else it has read, and a frame of a wrong length fails an assertion: one packet would end the
 * process (CVE-2026-27135; Node 20 keeps 1.61). Afterwards is early enough.
 */
export function destroyLater(session: Http2Session): void {
  const destroy = session.destroy.bind(session);
  session.destroy = (error?: Error, code?: number): void => {
    setImmediate(() => destroy(error, code));
  };
}
