/**
 * Requests lost while weights change, while the configuration is reloaded, and while gateways restart one after
 * the other: none may be. Two gateways over a real Redis, real signals, a client that obeys Connection: close.
 * @module
 */

import { readFlags } from '../rig/flags.mjs';
import { table } from '../rig/numbers.mjs';
import { startOverRedis } from '../rig/over-redis.mjs';
import { conclude } from '../rig/results.mjs';
import { load, splitDocument } from '../rig/sluice.mjs';

const flags = readFlags({
  changes: 250,
  reloads: 30,
  /** Restarts of each gateway. */
  restarts: 4,
  /** Requests per second over both gateways; 0: as fast as the connections allow. */
  rate: 1500,
  connections: 48,
  /** The client closes a connection by itself after so many answers, so that new ones are made all the time. */
  'answers-per-connection': 40,
  dist: 'dist',
});
const NAMES = ['gateway-a', 'gateway-b'];
const CHANGE_EVERY_MS = 20;
const SETTLE_MS = 1_000;
const RELOAD_TIMEOUT_MS = 10_000;

const rig = await startOverRedis({ dist: flags.dist, names: NAMES });
const { redis, generator, gateways } = rig;
const { openRedis } = await load(flags.dist, 'adapters/redis/open-redis.js');
const backend = await openRedis({ url: redis.url });
// From now on at its own port: a restarted gateway comes back where clients know it.
const ports = gateways.map(({ port }) => port);
for (const [index, name] of NAMES.entries()) {
  await gateways[index].stop();
  configure(index, '5s');
  gateways[index] = await rig.start(name);
}

const exitCodes = [];
let revision = 0;
await write(3000);
const loadOptions = rig.load({
  connections: flags.connections,
  requestsPerSecond: flags.rate === 0 ? null : flags.rate,
  answersPerConnection: flags['answers-per-connection'],
});
await generator.ask('begin', loadOptions);
await pause(SETTLE_MS);
await generator.ask('look');

const phases = [];
phases.push(await phase('weight changes', changeWeights));
phases.push(await phase('reloads by SIGHUP', reload));
phases.push(await phase('restarts with drain', restart));
phases.push(await phase('restarts and weight changes', () => Promise.all([restart(), changeWeights()])));
const total = await generator.ask('finish');

await backend.close();
exitCodes.push(...(await rig.stop()));

const head = [
  'while',
  'events',
  'requests answered',
  'p99 ms',
  'max ms',
  'to the other gateway',
  'dropped or wrong',
];
const rows = phases.map(({ label, events, answered, p99Ms, maxMs, moved, failed }) => [
  label,
  events,
  answered,
  p99Ms.toFixed(1),
  maxMs.toFixed(1),
  moved,
  failed,
]);
process.stdout.write(`${table(head, rows)}\n\n`);
const badExits = exitCodes.filter((code) => code !== 0);
const failed = total.errorCount > 0 || total.notSent > 0 || badExits.length > 0;
if (failed) {
  const { errors, examples, notSent } = total;
  process.stdout.write(`FAILED: ${JSON.stringify({ errors, notSent, badExits })}\n${examples.join('\n')}\n`);
} else process.stdout.write(`${total.sent} requests sent, all answered and right\n`);
conclude('drops', flags, { phases, total, exitCodes }, !failed);

async function phase(label, act) {
  const before = await generator.ask('look');
  const events = await act();
  await pause(SETTLE_MS);
  const after = await generator.ask('look');
  return {
    label,
    events: Array.isArray(events) ? events.join(' + ') : events,
    ...after,
    moved: after.movedToOtherTarget - before.movedToOtherTarget,
    failed: after.errorCount - before.errorCount,
  };
}

async function changeWeights() {
  for (let i = 0; i < flags.changes; i += 1) {
    await write(i % 2 === 0 ? 9000 : 1000);
    await pause(CHANGE_EVERY_MS);
  }
  return flags.changes;
}

/** Each time with a changed file, so that there is something to swap. */
async function reload() {
  for (let i = 0; i < flags.reloads; i += 1) {
    for (const [index, name] of NAMES.entries()) {
      const gateway = gateways[index];
      const before = reloadsOf(gateway);
      configure(index, i % 2 === 0 ? '6s' : '5s');
      gateway.signal('SIGHUP');
      const untilMs = performance.now() + RELOAD_TIMEOUT_MS;
      while (reloadsOf(gateway) === before) {
        if (performance.now() > untilMs) {
          throw new Error(`${name} did not reload:\n${gateway.errors.slice(-5).join('\n')}`);
        }
        await pause(5);
      }
    }
  }
  return flags.reloads * NAMES.length;
}

async function restart() {
  for (let i = 0; i < flags.restarts; i += 1) {
    for (const [index, name] of NAMES.entries()) {
      exitCodes.push(await gateways[index].stop());
      gateways[index] = await rig.start(name);
      // Its clients come back as their connections to the other gateway end.
      await pause(SETTLE_MS);
    }
  }
  return flags.restarts * NAMES.length;
}

async function write(canaryBp) {
  revision += 1;
  const written = await backend.channel.write(splitDocument({ revision, canaryBp }));
  if (!written.ok) throw new Error(`revision ${revision} was refused: ${written.cause}`);
}

function configure(index, responseTimeout) {
  rig.configure(NAMES[index], { listen: `127.0.0.1:${ports[index]}`, responseTimeout });
}

function reloadsOf(gateway) {
  return gateway.errors.filter((line) => line.includes('"configuration reloaded"')).length;
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
