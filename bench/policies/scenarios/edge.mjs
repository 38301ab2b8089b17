/**
 * Scenarios of docs/policies/edge.md and streams.md: how clients come in.
 * @module
 */

import { CALL_JSON } from '../pages.mjs';
import { get, scenario } from '../scenario.mjs';
import { endpoint } from '../world.mjs';

const overHttp2 = (world) => ({
  service: { protocol: 'h2' },
  version: { endpoints: [endpoint(world.ports.h2)] },
});

export const EDGE = [
  scenario({
    id: 'tls',
    label: 'TLS 1.3 for clients, kept alive',
    doc: 'edge.md#tls-for-clients',
    needs: 'certificate',
    on: ({ certificate }) => ({ listener: { tls: { certificates: [certificate] } } }),
    client: { on: { tls: true } },
  }),
  scenario({
    id: 'proxy-protocol',
    label: 'PROXY protocol, kept alive',
    doc: 'edge.md#proxy-protocol',
    on: () => ({ listener: { proxyProtocol: { from: ['127.0.0.0/8'] } } }),
    client: { on: { proxy: true } },
  }),
  scenario({
    id: 'ip',
    label: 'address rules',
    doc: 'edge.md#address-rules',
    on: () => ({
      route: { ip: { allow: ['127.0.0.0/8', '10.0.0.0/8', '2001:db8::/32'], deny: ['10.9.0.0/16'] } },
    }),
  }),
  scenario({
    id: 'bots',
    label: 'bots',
    doc: 'edge.md#bots',
    on: () => ({
      route: {
        bots: {
          deny: ['scrapy', 'python-requests/*', '*headless*chrome*'],
          require: ['user-agent', 'accept'],
          allow: [{ agent: 'Googlebot', ips: ['66.249.64.0/19'] }],
        },
      },
    }),
  }),
  scenario({
    id: 'trusted-proxies',
    label: 'address behind two proxies',
    doc: 'edge.md#addresses-behind-proxies',
    on: () => ({ top: { trustedProxies: ['127.0.0.0/8', '10.0.0.0/8'] } }),
    ask: get('/page', { 'x-forwarded-for': '203.0.113.9, 10.0.0.7' }),
  }),
  scenario({
    id: 'http2-clients',
    label: 'HTTP/2 from clients',
    doc: 'streams.md#http2-from-clients',
    on: () => ({ listener: { http2: true } }),
    client: { on: { http2: true } },
  }),
  scenario({
    id: 'transcode',
    label: 'JSON to gRPC, over JSON to HTTP/2',
    doc: 'streams.md#json-to-grpc',
    off: overHttp2,
    on: (world) => ({
      ...overHttp2(world),
      route: {
        match: { prefix: '/v1' },
        transcode: {
          proto: world.protoFile,
          methods: { 'bench.Pages/Get': { get: '/v1/pages/{id}' } },
        },
      },
    }),
    ask: get('/v1/pages/7'),
    expect: { off: { body: CALL_JSON }, on: { body: CALL_JSON } },
  }),
];
