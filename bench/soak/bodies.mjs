/**
 * The part of the soak that has bodies and tunnels: an upstream that reads each body and sends back whatever comes in a
 * tunnel, and the routes that lead to it, with rules for JSON and XML and with trailers. Measures nothing.
 * @module
 */

import { createHash } from 'node:crypto';
import { createServer } from 'node:http';

const WEBSOCKET_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const RULES = 'request: { drop: [secret], maxBytes: 20000 }, response: { drop: [secret], maxBytes: 20000 }';

/** Resolves with its port and how to stop it. */
export async function startBodyUpstream() {
  const server = createServer((request, response) => {
    request.on('error', () => {});
    request.resume();
    request.on('end', () => {
      response.writeHead(200, { 'Content-Type': 'application/json', Trailer: 'x-digest' });
      response.addTrailers({ 'x-digest': 'abc' });
      response.end('{"secret":1,"kept":2}');
    });
  });
  server.on('upgrade', (request, socket) => {
    socket.on('error', () => socket.destroy());
    const proof = createHash('sha1').update(`${request.headers['sec-websocket-key']}${WEBSOCKET_GUID}`);
    socket.write(
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
        `Sec-WebSocket-Accept: ${proof.digest('base64')}\r\n\r\n`,
    );
    socket.pipe(socket);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: server.address().port,
    stop: () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  };
}

/** The rig's configuration with HTTP/2 on its listener and the routes of this upstream. */
export function withBodies(yaml, port) {
  const service = `  bodies:
    trailers: [x-digest]
    requestTrailers: [x-digest]
    versions: { v1: { endpoints: ["http://127.0.0.1:${port}"] } }
`;
  return `${yaml
    .replace(/^( {2}- address: .*)$/m, '$1\n    http2: true')
    .replace('services:\n', `services:\n${service}`)}
  - { name: json, match: { prefix: /json }, service: bodies, json: { ${RULES} } }
  - { name: xml, match: { prefix: /xml }, service: bodies, xml: { request: { root: order }, response: { root: order }, maxBytes: 20000 } }
  - { name: keyed, match: { prefix: /keyed }, service: bodies, compress: { minBytes: 0 } }
  - { name: live, match: { prefix: /live }, service: bodies, upgrade: [websocket], timeout: { idle: 5s } }
`;
}
