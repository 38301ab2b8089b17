/**
 * All scenarios of the policy bench, in the order of its table, and which sections of docs/policies.md it leaves out.
 * @module
 */

import { scenario } from './scenario.mjs';
import { BODIES } from './scenarios/bodies.mjs';
import { EDGE } from './scenarios/edge.mjs';
import { IDENTITY } from './scenarios/identity.mjs';
import { CACHE, LIFECYCLE, OBSERVABILITY, PRESETS } from './scenarios/rest.mjs';
import { TRAFFIC } from './scenarios/traffic.mjs';
import { TRANSFORMATION } from './scenarios/transformation.mjs';
import { RESILIENCE, UPSTREAMS } from './scenarios/upstreams.mjs';

/** The bare route beside itself: what two processes that do the same differ by. At the start, middle and end. */
const [twins1, twins2, twins3] = [1, 2, 3].map((n) =>
  scenario({ id: `nothing-${n}`, label: 'nothing (two bare routes)', doc: null, on: () => ({}) }),
);

export const SCENARIOS = [
  twins1,
  ...IDENTITY,
  ...EDGE,
  ...TRAFFIC,
  twins2,
  ...RESILIENCE,
  ...UPSTREAMS,
  ...TRANSFORMATION,
  ...BODIES,
  ...CACHE,
  ...LIFECYCLE,
  ...OBSERVABILITY,
  ...PRESETS,
  twins3,
];

/** Sections of docs/policies/ without a cost of their own per request. */
export const LEFT_OUT = {
  'edge.md#routes-and-paths': 'every request has a route: part of the bare route',
  'edge.md#limits-of-a-listener': 'always on: part of the bare route',
  'mirroring.md#mirror-steps-of-a-rollout': 'a step of a rollout that turns mirroring on, which has a row',
  'upstreams.md#discovery': 'works beside the requests; what it finds are endpoints as any',
  'streams.md#upgrades': 'costs per connection; afterwards bytes pass without policies',
  'streams.md#event-streams': 'needs no policy',
  'streams.md#grpc': 'needs no policy: HTTP/2 on both sides, which has rows of its own',
  'observability.md#metrics': 'always on: part of the bare route',
  'cache.md#purge-on-success': 'costs on changes alone: what each purge costs is that of the purge channel',
};

export function scenarioOf(id) {
  const found = SCENARIOS.find((each) => each.id === id);
  if (found === undefined)
    throw new Error(`no scenario ${id}: there are ${SCENARIOS.map((s) => s.id).join(', ')}`);
  return found;
}
