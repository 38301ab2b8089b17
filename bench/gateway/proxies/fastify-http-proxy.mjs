/**
 * Fastify with @fastify/http-proxy and one route, without a log. `node fastify-http-proxy.mjs <upstream port>`.
 * @module
 */

import proxy from '@fastify/http-proxy';
import fastify from 'fastify';

const upstream = `http://127.0.0.1:${process.argv[2]}`;
const app = fastify({ logger: false });
await app.register(proxy, { upstream, prefix: '/orders', rewritePrefix: '/orders' });
await app.listen({ port: 0, host: '127.0.0.1' });
process.stdout.write(`listening ${app.server.address().port}\n`);
