/**
 * The floor that streams allow: node:http on both sides and `pipe`, without any policy and without care for
 * headers. Not safe to use as a proxy. `node bare-node.mjs <upstream port>`.
 * @module
 */

import { Agent, createServer, request } from 'node:http';

const port = Number(process.argv[2]);
const agent = new Agent({ keepAlive: true, maxSockets: 1024, maxFreeSockets: 1024 });

const server = createServer((incoming, outgoing) => {
  const { method, url, headers } = incoming;
  const forwarded = request({ host: '127.0.0.1', port, agent, method, path: url, headers }, (answer) => {
    outgoing.writeHead(answer.statusCode, answer.rawHeaders);
    answer.pipe(outgoing);
  });
  forwarded.on('error', () => outgoing.writeHead(502).end());
  incoming.pipe(forwarded);
});
server.listen(0, '127.0.0.1', () => process.stdout.write(`listening ${server.address().port}\n`));
