/**
 * What is asked and what must come back: both the upstream and the load generator compute it from here, so that
 * every single answer can be checked. Knows no sockets.
 * @module
 */

/** Different requests: each path has a body of its own, so that answers cannot be mixed up unnoticed. */
export const PATHS = 64;
/** Different users: enough to meet both versions, few enough to keep their requests ready-made. */
export const USERS = 1024;

export function pathOf(index) {
  return `/orders/${String(index).padStart(4, '0')}`;
}

/** The body of a path: `bytes` long, and different for each path throughout. */
export function bodyOf(index, bytes) {
  const text = `${pathOf(index)} `;
  return Buffer.alloc(bytes, text);
}

/** The whole request of a user as it goes over the wire. */
export function requestOf(user, host) {
  return Buffer.from(
    `GET ${pathOf(user % PATHS)} HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: sluice-bench\r\n` +
      `Accept: */*\r\nX-User-Id: user-${String(user).padStart(6, '0')}\r\n\r\n`,
    'latin1',
  );
}

/** The whole answer of a version as it goes over the wire. */
export function answerOf(index, version, bytes) {
  const head =
    `HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: ${bytes}\r\n` +
    `X-Version: ${version}\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nCache-Control: no-store\r\n\r\n`;
  return Buffer.concat([Buffer.from(head, 'latin1'), bodyOf(index, bytes)]);
}

/** What a version that has turned bad answers to everything, as it goes over the wire. */
export function failureOf(version) {
  const body = 'cannot read the order book';
  return Buffer.from(
    `HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\n` +
      `X-Version: ${version}\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nCache-Control: no-store\r\n\r\n${body}`,
    'latin1',
  );
}
