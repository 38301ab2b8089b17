/**
 * The catalog's upstream in the cache lab: renders pages of products from what it has now, answers conditional requests
 * and takes updates. Says nothing of lifetimes, as many services do: those are the route's.
 * `node upstream.mjs <products> <milliseconds a page takes>`; `GET /did` answers what it did so far.
 * @module
 */

import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { pageOf, productPath, tagOf } from './shop.mjs';

const products = Number(process.argv[2]);
const renderMs = Number(process.argv[3]);
const TEXT = 'A plain and useful thing that somebody makes well. '.repeat(6);

const versions = new Uint32Array(products).fill(1);
const counts = { reads: 0, unchanged: 0, updates: 0, busyMs: 0 };

const server = createServer((request, response) => {
  request.resume();
  if (request.url === '/did') end(response, 200, {}, JSON.stringify(counts));
  else if (request.method === 'PUT') update(request, response);
  else read(request, response);
});
server.keepAliveTimeout = 120_000;
server.listen(0, '127.0.0.1', () => process.stdout.write(`listening ${server.address().port}\n`));

/** The wait stands for a database: a list takes it twice. */
function read(request, response) {
  counts.reads += 1;
  const page = pageOf(request.url, products);
  if (page === null) return end(response, 404, {}, '');
  const waitMs = page.ids.length === 1 ? renderMs : 2 * renderMs;
  counts.busyMs += waitMs;
  setTimeout(() => {
    const items = page.ids.map((id) => ({
      id,
      version: versions[id],
      price: (id * 7 + versions[id] * 13) % 10_000,
      name: `Product ${id}`,
      text: page.ids.length === 1 ? TEXT.repeat(5) : TEXT.slice(0, 60),
    }));
    const body = JSON.stringify({ locale: page.locale, items });
    const etag = `"${createHash('sha1').update(body).digest('base64url')}"`;
    const fields = { etag, 'surrogate-key': page.ids.map(tagOf).join(' ') };
    if (request.headers['if-none-match']?.includes(etag)) {
      counts.unchanged += 1;
      end(response, 304, fields, '');
    } else end(response, 200, { ...fields, 'content-type': 'application/json' }, body);
  }, waitMs);
}

function update(request, response) {
  counts.updates += 1;
  const page = pageOf(request.url, products);
  const [id] = page?.ids ?? [];
  if (id === undefined || request.url !== productPath(id)) return end(response, 404, {}, '');
  versions[id] += 1;
  end(response, 200, { 'content-type': 'application/json' }, JSON.stringify({ id, version: versions[id] }));
}

function end(response, status, fields, body) {
  response.writeHead(
    status,
    status === 304 ? fields : { ...fields, 'content-length': Buffer.byteLength(body) },
  );
  response.end(body);
}
