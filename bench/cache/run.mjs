/**
 * The cache lab: the catalog of the shipped route pack under one seeded mix of requests, with and without its cache,
 * its normalised keys and purges. All variants run at the same time, so that the machine's moods meet them alike.
 * @module
 */

import { readFlags } from '../rig/flags.mjs';
import { cpuOf } from '../rig/process-tree.mjs';
import { conclude } from '../rig/results.mjs';
import { scratchFolder } from '../rig/sluice.mjs';
import { Visit } from './customers.mjs';
import { digestOf, requestMix } from './mix.mjs';
import { brokenPromises, figuresOf, tableOf } from './report.mjs';
import { startVariants } from './variants.mjs';

const DEFAULTS = {
  seed: 20_261_124,
  seconds: 60,
  /** Reads a second, of each variant. */
  rate: 150,
  users: 60,
  products: 1_000,
  /** Updates a second. */
  updates: 1,
  /** Milliseconds that the upstream needs for a product; twice that for a list. */
  render: 20,
  /** Seconds for an answer, instead of the pack's own two: for machines that are busy with other things. 0: those. */
  patience: 0,
  quick: false,
  dist: 'dist',
};
const QUICK = { seconds: 6, updates: 4, products: 300 };
/** Two variants never ask at the same moment. */
const APART_MS = 1;
const LEAD_MS = 200;
/** Within the route's burst of 40 for each address. */
const WARM_PEOPLE = 12;
const WARM_REQUESTS = 30;

const quick = process.argv.includes('--quick');
const flags = readFlags(quick ? { ...DEFAULTS, ...QUICK } : DEFAULTS);
const { seed, seconds, rate, users, products, updates, render } = flags;

const mix = requestMix({ seed, seconds, rate, users, products, updates });
const digest = digestOf(mix);
const reads = mix.filter(({ kind }) => kind === 'read').length;
const variants = await startVariants({
  dist: flags.dist,
  folder: scratchFolder(),
  products,
  renderMs: render,
  patience: flags.patience,
});
process.stdout.write(
  `${reads} reads by ${users} customers and ${mix.length - reads} updates of ${products} products in ${seconds} s; ` +
    `seed ${seed}, sequence ${digest}; the same to each variant\n\n`,
);

const visits = variants.map((variant) => new Visit(variant, products));
for (const visit of visits) await visit.warmUp(WARM_PEOPLE, WARM_REQUESTS);
const before = await Promise.all(variants.map(look));
const startMs = performance.now() + LEAD_MS;
await Promise.all(visits.map((visit, index) => visit.play(mix, startMs + index * APART_MS)));
const after = await Promise.all(variants.map(look));
const figures = variants.map((variant, index) =>
  figuresOf(variant, visits[index], before[index], after[index]),
);
const exitCodes = await Promise.all(variants.map(({ gateway }) => gateway.stop()));
await Promise.all(variants.map(({ upstream }) => upstream.stop()));

const broken = brokenPromises(figures);
if (exitCodes.some((code) => code !== 0)) broken.push(`gateways ended with ${exitCodes.join(', ')}`);
process.stdout.write(`${tableOf(figures)}\n\n`);
process.stdout.write(
  'outdated answers: older than an update that was complete (its answer, and its purge where there is one) before ' +
    'they were asked for\n',
);
process.stdout.write(broken.length === 0 ? 'all promises kept\n' : `BROKEN:\n${broken.join('\n')}\n`);
conclude('cache', flags, { digest, figures, broken }, broken.length === 0, 'lab:cache');

/** What upstream and gateway of a variant have done and taken so far. */
async function look({ upstream, upstreamPort, gateway }) {
  const total = ({ user, kernel }) => user + kernel;
  const did = await (await fetch(`http://127.0.0.1:${upstreamPort}/did`)).json();
  return { did, upstreamUs: total(cpuOf(upstream.pid)), gatewayUs: total(cpuOf(gateway.pid)) };
}
