/**
 * Scenarios of docs/policies/traffic.md and mirroring.md: who may ask how much, and what is asked twice.
 * @module
 */

import { each, get, post, scenario } from '../scenario.mjs';
import { bearer, endpoint, identityOf } from '../world.mjs';

const ORDER = '{"sku":"sku-0001","count":2}';
const route = (policies) => () => ({ route: policies });
const rates = route({ rateLimits: [{ name: 'bench', rate: '10000/s', burst: 1_000_000, key: ['ip'] }] });
const quotas = route({ quotas: [{ name: 'bench', limit: 1_000_000_000, per: 'day' }] });
const known = (world) => ({ top: { identity: identityOf(world) }, route: { auth: { jwt: 'main' } } });
const once = (world) => ({
  ...known(world),
  route: { auth: { jwt: 'main' }, idempotency: { ttl: '1h', whenDown: 'allow' } },
});
const newKeys = each((world, n) => ({
  method: 'POST',
  path: '/page',
  headers: {
    'content-type': 'application/json',
    authorization: bearer(world),
    'idempotency-key': `"k-${n}"`,
  },
  body: ORDER,
}));

export const TRAFFIC = [
  scenario({ id: 'rate', label: 'rate limit, in process', doc: 'traffic.md#rate-limits', on: rates }),
  scenario({
    id: 'rate-redis',
    label: 'rate limit, over Redis',
    doc: 'traffic.md#rate-limits',
    redis: true,
    on: rates,
  }),
  scenario({ id: 'quota', label: 'quota, in process', doc: 'traffic.md#quotas', on: quotas }),
  scenario({
    id: 'quota-redis',
    label: 'quota, over Redis',
    doc: 'traffic.md#quotas',
    redis: true,
    on: quotas,
  }),
  scenario({
    id: 'concurrency',
    label: 'concurrency caps, route and key',
    doc: 'traffic.md#concurrency-caps',
    on: route({ concurrency: { max: 1000, perKey: { max: 100, key: ['ip'] } } }),
  }),
  scenario({
    id: 'adaptive',
    label: 'adaptive limit, not reached',
    doc: 'traffic.md#adaptive-limits',
    on: route({ adaptive: { min: 50, max: 200 } }),
  }),
  scenario({
    id: 'idempotency-first',
    label: 'idempotency key, first use',
    doc: 'traffic.md#idempotency-keys',
    off: known,
    on: once,
    ask: newKeys,
  }),
  scenario({
    id: 'idempotency-first-redis',
    label: 'idempotency key, first use, over Redis',
    doc: 'traffic.md#idempotency-keys',
    redis: true,
    off: known,
    on: once,
    ask: newKeys,
  }),
  scenario({
    id: 'idempotency-replay',
    label: 'idempotency key, replay',
    doc: 'traffic.md#idempotency-keys',
    off: known,
    on: once,
    ask: post('/page', ORDER, (world) => ({ authorization: bearer(world), 'idempotency-key': '"k-0"' })),
    // While the first of them is under way the others are told so.
    expect: { on: { statuses: [200, 409], head: /\r\nidempotency-replayed: true/i } },
  }),
  scenario({
    id: 'mirror',
    label: 'mirroring a tenth',
    doc: 'mirroring.md#mirroring',
    off: ({ ports }) => ({ service: { versions: twoVersions(ports) } }),
    on: ({ ports }) => ({
      service: { versions: twoVersions(ports) },
      route: { mirror: { version: 'v2', share: '10%', by: 'random' } },
    }),
    ask: get('/page'),
  }),
];

function twoVersions(ports) {
  return { v1: { endpoints: [endpoint(ports.first)] }, v2: { endpoints: [endpoint(ports.second)] } };
}
