import { constants } from 'node:http2';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Gateway } from '../../src/gateway/gateway.ts';
import { endpointOf, gatewayConfigOf, PLAIN_TLS, routeOf, serviceOf } from '../support/gateway-config.ts';
import { call, eventually, GatewayHarness } from '../support/gateway-harness.ts';
import { type H2Upstream, h2Upstream } from '../support/h2-upstream.ts';

const BODY = 'x'.repeat(900);
/** More resets than a server of nghttp2 takes in a short time before it ends the session. */
const REQUESTS = 1_500;

let harness: GatewayHarness;
let upstream: H2Upstream;
let gateway: Gateway;
let codes: number[];

beforeEach(async () => {
  harness = await GatewayHarness.open();
  codes = [];
  upstream = await h2Upstream(harness, (stream) => {
    stream.on('close', () => codes.push(stream.rstCode ?? -1));
    stream.respond({ ':status': 200, 'content-length': BODY.length });
    stream.end(BODY);
  });
  const versions = {
    v1: { endpoints: [endpointOf(upstream.url)], tls: PLAIN_TLS, protocol: 'h2' as const },
  };
  const config = gatewayConfigOf([serviceOf('orders', {}, { versions, defaultVersion: 'v1' })], {
    routes: [routeOf('orders')],
  });
  gateway = await harness.gateway(config);
});

afterEach(() => harness.close());

it('lets a stream of HTTP/2 come to its end when its length says that the body is complete', async () => {
  for (let sent = 0; sent < REQUESTS; sent += 10) {
    const replies = await Promise.all(Array.from({ length: 10 }, () => call(gateway, '/orders')));
    for (const { status, body } of replies) expect([status, body === BODY]).toEqual([200, true]);
  }
  await eventually(() => codes.length === REQUESTS);
  expect(codes.filter((code) => code !== constants.NGHTTP2_NO_ERROR)).toEqual([]);
  expect(upstream.sessions).toHaveLength(1);
  await eventually(() => harness.outcomes('v1', 'attempts', 'status2xx') === REQUESTS);
  expect(harness.outcomes('v1', 'attempts', 'clientAborted')).toBe(0);
});
