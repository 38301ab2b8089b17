/**
 * The upstream: two versions of one service over plain sockets, as cheap as Node can be, so that the proxy in
 * front is what is measured. Answers GET requests without a body only. `node upstream.mjs <bytes>`; on SIGUSR2
 * v2 turns bad for good, and the moment is printed.
 * @module
 */

import { createServer } from 'node:net';
import { sharedNowMs } from './clock.mjs';
import { answerOf, failureOf, PATHS, pathOf } from './orders.mjs';

const END_OF_HEAD = '\r\n\r\n';
const bytes = Number(process.argv[2] ?? 1024);
const failing = new Set();

for (const version of ['v1', 'v2']) {
  const answers = new Map();
  for (let index = 0; index < PATHS; index += 1) answers.set(pathOf(index), answerOf(index, version, bytes));
  const server = createServer({ noDelay: true }, (socket) => serve(socket, answers, version));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  process.stdout.write(`${version} ${server.address().port}\n`);
}

process.on('SIGUSR2', () => {
  failing.add('v2');
  process.stdout.write(`v2 fails since ${sharedNowMs()}\n`);
});

function serve(socket, answers, version) {
  let rest = '';
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk) => {
    let text = rest + chunk.latin1Slice();
    for (let end = text.indexOf(END_OF_HEAD); end !== -1; end = text.indexOf(END_OF_HEAD)) {
      const from = text.indexOf(' ') + 1;
      // Some proxies append an empty query.
      const answer = answers.get(text.slice(from, text.indexOf(' ', from)).replace(/\?$/, ''));
      if (answer === undefined)
        socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
      else socket.write(failing.has(version) ? failureOf(version) : answer);
      text = text.slice(end + END_OF_HEAD.length);
    }
    rest = text;
  });
}
