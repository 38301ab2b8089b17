/**
 * Scenarios of docs/policies/resilience.md and upstreams.md: what happens when something fails, and how an attempt finds
 * its endpoint.
 * @module
 */

import { MISSING } from '../pages.mjs';
import { get, scenario } from '../scenario.mjs';
import { endpoint } from '../world.mjs';

const FALLBACK = { response: { status: 200, contentType: 'application/json', body: '{"items":[]}' } };
const two = ({ ports }, fields = {}) => ({
  version: { endpoints: [ports.first, ports.second].map((port) => ({ url: endpoint(port), ...fields })) },
});
/** Two endpoints without and with settings of the service. */
const service = (settings) => ({
  off: (world) => two(world),
  on: (world) => ({ ...two(world), service: settings }),
});
const route = (policies) => () => ({ route: policies });

export const RESILIENCE = [
  scenario({
    id: 'timeouts',
    label: 'times for attempts and whole responses',
    doc: 'resilience.md#timeouts',
    on: route({ timeout: { connect: '10s', attempt: '20s', complete: '20s' } }),
  }),
  scenario({
    id: 'breaker',
    label: 'circuit breaker, closed',
    doc: 'resilience.md#circuit-breaker',
    on: route({ breaker: { errorRate: '20%', slow: { over: '500ms', share: '50%' } } }),
  }),
  scenario({
    id: 'fallback',
    label: 'fallback, not needed',
    doc: 'resilience.md#fallback',
    on: route({ fallback: FALLBACK }),
  }),
  scenario({
    id: 'fallback-used',
    label: 'fallback, stands in for a 503',
    doc: 'resilience.md#fallback',
    on: route({ fallback: FALLBACK }),
    ask: get('/down'),
    expect: { off: { statuses: [503], body: MISSING }, on: { body: '{"items":[]}' } },
  }),
  scenario({
    id: 'hedge',
    label: 'hedging, not needed',
    doc: 'resilience.md#hedged-requests',
    off: (world) => two(world),
    on: (world) => ({ ...two(world), route: { hedge: { after: '1s' } } }),
  }),
  scenario({
    id: 'outlier',
    label: 'outlier ejection, nobody ejected',
    doc: 'resilience.md#outlier-ejection',
    ...service({ outlier: { failures: 5, ejection: '30s' } }),
  }),
  scenario({
    id: 'retry',
    label: 'one retry, not needed',
    doc: 'resilience.md#quick-retries',
    on: route({ retry: { attempts: 1, onlyIfFirstAttemptUnder: '50ms' } }),
  }),
  scenario({
    id: 'retry-used',
    label: 'one retry, for a tenth',
    doc: 'resilience.md#retries',
    on: route({ retry: { attempts: 1, backoff: { base: '1ms', max: '1ms' } } }),
    ask: get('/flaky'),
    // A retry may meet another connection's tenth answer, or the end of its budget.
    expect: { off: { statuses: [200, 503], body: null }, on: { statuses: [200, 503], body: null } },
  }),
];

export const UPSTREAMS = [
  scenario({
    id: 'upstream-tls',
    label: 'TLS to the upstream, kept alive',
    doc: 'upstreams.md#tls-to-upstreams',
    needs: 'certificate',
    on: ({ ports, certificate }) => ({
      service: { tls: { ca: certificate.cert } },
      version: { endpoints: [endpoint(ports.tls, 'https')] },
    }),
  }),
  scenario({
    id: 'upstream-h2',
    label: 'HTTP/2 to the upstream',
    doc: 'upstreams.md#upstream-protocol',
    on: ({ ports }) => ({ service: { protocol: 'h2' }, version: { endpoints: [endpoint(ports.h2)] } }),
  }),
  scenario({
    id: 'two-endpoints',
    label: 'two endpoints in turn, over one',
    doc: 'upstreams.md#balancing',
    on: (world) => two(world),
  }),
  scenario({
    id: 'least-requests',
    label: 'least requests, over in turn',
    doc: 'upstreams.md#balancing',
    ...service({ balance: 'leastRequests' }),
  }),
  scenario({
    id: 'hash',
    label: 'consistent hash, over in turn',
    doc: 'upstreams.md#balancing',
    ...service({ balance: 'hash' }),
  }),
  scenario({
    id: 'health',
    label: 'health checks, all well',
    doc: 'upstreams.md#health-checks',
    ...service({ health: { path: '/healthz', interval: '5s' } }),
  }),
  scenario({
    id: 'zones',
    label: 'zones, all well in ours',
    doc: 'upstreams.md#zones',
    off: (world) => two(world),
    on: (world) => ({ ...two(world, { zone: 'here' }), top: { zone: 'here' } }),
  }),
];
