/**
 * Scenarios of docs/policies/cache.md, lifecycle.md, observability.md and presets.md.
 * @module
 */

import { join } from 'node:path';
import { each, get, scenario } from '../scenario.mjs';
import { endpoint } from '../world.mjs';

const route = (policies) => () => ({ route: policies });
const STORED = { ttl: '1h', query: { sort: true, exclude: ['utm_*'] } };
const traced = (sample) => (world) => ({
  top: { tracing: { otlp: `${endpoint(world.ports.services)}/v1/traces`, sample } },
});

export const CACHE = [
  scenario({
    id: 'cache-hit',
    label: 'cache hit (off: asks the upstream)',
    doc: 'cache.md#cache',
    on: route({ cache: STORED }),
    ask: get('/page?b=2&utm_source=x&a=1'),
    expect: { on: { head: /\r\ncache-status: sluice; hit/i } },
  }),
  scenario({
    id: 'cache-miss',
    label: 'cache miss, stored',
    doc: 'cache.md#cache',
    on: route({ cache: STORED }),
    ask: each((_world, n) => ({ path: `/page?n=${n}` })),
    expect: { on: { head: /\r\ncache-status: sluice; fwd=uri-miss.*stored/i } },
  }),
  scenario({
    id: 'cache-miss-redis',
    label: 'cache miss, stored here and in Redis',
    doc: 'cache.md#cache',
    redis: true,
    on: () => ({ top: { cache: { redis: true } }, route: { cache: STORED } }),
    ask: each((_world, n) => ({ path: `/page?n=${n}` })),
    expect: { on: { head: /\r\ncache-status: sluice; fwd=uri-miss.*stored/i } },
  }),
];

export const LIFECYCLE = [
  scenario({
    id: 'lifecycle',
    label: 'lifecycle, deprecated',
    doc: 'lifecycle.md#lifecycle',
    on: route({
      lifecycle: {
        deprecated: '2026-01-01',
        sunset: '2099-12-31',
        link: 'https://shop.example/docs',
        successor: '/v2',
      },
    }),
    expect: { on: { head: /\r\nsunset:/i } },
  }),
  scenario({
    id: 'versions-by-header',
    label: 'one of three routes by a header',
    doc: 'lifecycle.md#versions-by-header-or-media-type',
    on: () => ({
      routes: [{}, { headers: { 'accept-version': '2' } }, { headers: { 'accept-version': '3' } }].map(
        (conditions, n) => ({
          name: `pages-${n + 1}`,
          match: { prefix: '/', ...conditions },
          service: 'pages',
          retry: false,
        }),
      ),
    }),
    ask: get('/page', { 'accept-version': '2' }),
    expect: { on: { head: /\r\nvary: accept-version/i } },
  }),
];

export const OBSERVABILITY = [
  scenario({
    id: 'access-log',
    label: 'access log, to a file',
    doc: 'observability.md#access-log',
    on: ({ folder }) => ({ top: { accessLog: { file: join(folder, 'access.log') } } }),
  }),
  scenario({
    id: 'segments',
    label: 'segments: endpoint, route, method (off: none)',
    doc: 'observability.md#segments',
    off: () => ({ service: { segments: [] } }),
    on: () => ({ service: { segments: ['endpoint', 'route', 'method'] } }),
  }),
  scenario({
    id: 'traces-5',
    label: 'traces, 5% of the requests',
    doc: 'observability.md#traces',
    on: traced('5%'),
  }),
  scenario({
    id: 'traces-all',
    label: 'traces, all requests',
    doc: 'observability.md#traces',
    on: traced('100%'),
  }),
];

export const PRESETS = [
  scenario({
    id: 'preset-read',
    label: 'preset/read, all of it',
    doc: 'presets.md#presets',
    on: () => ({
      routes: [{ name: 'pages', match: { prefix: '/' }, service: 'pages', policy: 'preset/read' }],
    }),
  }),
];
