/**
 * fast-gateway with one route, as its own documentation starts it. `node fast-gateway.mjs <upstream port>`.
 * @module
 */

import gateway from 'fast-gateway';

const target = `http://127.0.0.1:${process.argv[2]}`;
const router = gateway({ routes: [{ prefix: '/orders', prefixRewrite: '/orders', target }] });
const server = await router.start(0, '127.0.0.1');
process.stdout.write(`listening ${server.address().port}\n`);
