/**
 * A gateway under good, slow, leaving and malicious clients for a while: its memory has to stay flat, it has to go on
 * answering, and nothing may be left open afterwards. Seeded; loopback only.
 * @module
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readFlags } from '../rig/flags.mjs';
import { median, table } from '../rig/numbers.mjs';
import { bodyOf, PATHS, pathOf, USERS } from '../rig/orders.mjs';
import { conclude } from '../rig/results.mjs';
import { gatewayYaml, scratchFolder, startSluice, startUpstream } from '../rig/sluice.mjs';
import { startBodyUpstream, withBodies } from './bodies.mjs';
import { CLIENTS } from './clients.mjs';

const flags = readFlags({
  seconds: 600,
  /** Clients of each kind at a time. */
  clients: 8,
  seed: 20_261_124,
  /** Growth of memory from the second to the last third that is still flat, percent. */
  growth: 10,
  dist: 'dist',
});
const SAMPLE_MS = 1_000;
/** Longer than any limit of a listener that a client sits out: `keepAlive`, 75 s, ends a connection whose client vanished. */
const SETTLE_MS = 90_000;
/**
 * From one client of a kind to the next, on average: without, those that leave at once take all that the gateway can do,
 * and what is measured is the queue of connections that wait to be accepted.
 */
const REST_MS = 100;
const ANSWER_BYTES = 4_096;

const folder = scratchFolder();
const upstream = await startUpstream(ANSWER_BYTES, null);
const bodies = await startBodyUpstream();
const configPath = join(folder, 'gateway.yaml');
writeFileSync(
  configPath,
  withBodies(
    gatewayYaml({ upstream, listen: '127.0.0.1:0', logPath: join(folder, 'access.log') }),
    bodies.port,
  ),
);
const gateway = await startSluice({
  dist: flags.dist,
  configPath,
  stateDir: join(folder, 'state'),
  name: 'soak',
  nodeFlags: ['--max-old-space-size=192'],
});

const answers = new Map(
  Array.from({ length: PATHS }, (_, index) => [
    pathOf(index),
    bodyOf(index, ANSWER_BYTES).toString('latin1'),
  ]),
);
const random = uniform(flags.seed);
const target = {
  port: gateway.port,
  random,
  path: () => pathOf(Math.floor(random() * PATHS)),
  bodyOf: (path) => answers.get(path),
  user: () => `user-${Math.floor(random() * USERS)}`,
};
const counts = Object.fromEntries(Object.keys(CLIENTS).map((kind) => [kind, { done: 0, failed: 0 }]));
/** What went wrong first, of each kind. */
const firstFailures = {};
let going = true;
const loops = Object.entries(CLIENTS).flatMap(([kind, once]) =>
  Array.from({ length: flags.clients }, () => repeat(kind, once)),
);

const samples = [];
for (let second = 0; second < flags.seconds; second += 1) {
  await pause(SAMPLE_MS);
  samples.push(residentMb(gateway.pid));
}
going = false;
await Promise.all(loops);
const left = await settled(gateway.adminPort);
const exitCode = await gateway.stop();
await upstream.stop();
await bodies.stop();

const third = Math.floor(samples.length / 3);
const [early, late] = [median(samples.slice(third, 2 * third)), median(samples.slice(2 * third))];
const growth = (100 * (late - early)) / early;
process.stdout.write(
  `${table(
    ['client', 'done', 'not as expected'],
    Object.entries(counts).map(([kind, { done, failed }]) => [kind, done, failed]),
  )}\n\n`,
);
for (const [kind, what] of Object.entries(firstFailures)) process.stdout.write(`${kind}: ${what}\n`);
process.stdout.write(
  `memory: ${early.toFixed(0)} MB in the second third, ${late.toFixed(0)} MB in the last, ${growth.toFixed(1)}% more\n` +
    `afterwards: ${left.inFlight} requests in flight, ${left.connections} connections after ${left.seconds} s; exit code ${exitCode}\n`,
);
/** Whose every part has to go as expected. */
const good = ['good', 'bodies', 'good h2', 'tunnel h2'].every(
  (kind) => counts[kind].failed === 0 && counts[kind].done > 0,
);
const ok = good && growth <= flags.growth && left.inFlight === 0 && left.connections === 0 && exitCode === 0;
conclude(
  'soak',
  flags,
  { counts, firstFailures, samplesMb: samples, growthPercent: growth, left, exitCode },
  ok,
);

/** One client after another of a kind; a kind that is meant to fail is done when its connection ends. */
async function repeat(kind, once) {
  while (going) {
    const asExpected = await once(target, () => going);
    counts[kind].done += 1;
    if (asExpected !== true) {
      counts[kind].failed += 1;
      firstFailures[kind] ??= asExpected;
    }
    await pause(2 * REST_MS * random());
  }
}

function residentMb(pid) {
  const [, kb] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(kb) / 1024;
}

/** What is open as soon as that is nothing, or when it should have been. */
async function settled(adminPort) {
  for (let seconds = 0; ; seconds += 1) {
    const open = await openThings(adminPort);
    if ((open.inFlight === 0 && open.connections === 0) || seconds * 1_000 >= SETTLE_MS)
      return { ...open, seconds };
    await pause(1_000);
  }
}

async function openThings(adminPort) {
  const text = await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text();
  const sum = (name) =>
    [...text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\d+)`, 'gm'))].reduce(
      (all, [, n]) => all + Number(n),
      0,
    );
  return { inFlight: sum('sluice_requests_in_flight'), connections: sum('sluice_listener_connections') };
}

function uniform(seed) {
  let state = seed % 2_147_483_647;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
