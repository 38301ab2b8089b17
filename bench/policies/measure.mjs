/**
 * Measures one scenario: two gateways of the same age, one without and one with the policy, in turn under the same
 * requests. Knows what is measured, not what it means.
 * @module
 */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startSluice } from '../rig/sluice.mjs';
import { gatewayFile } from './world.mjs';

const SIDES = ['off', 'on'];

/**
 * Starts the pair, warms both up, and alternates: off on, on off, off on, …
 * @returns `off` and `on`, microseconds of CPU per request in each round, and what was answered otherwise than expected
 */
export async function measure(
  scenario,
  { world, generator, dist, core, warmup, rounds, requests, redisUrl },
) {
  const gateways = await Promise.all(
    SIDES.map((side) => start(scenario, side, { world, dist, core, redisUrl })),
  );
  const of = (field) => Object.fromEntries(SIDES.map((side, i) => [side, gateways[i][field]]));
  const faults = [];
  const batch = async (side, count) => {
    const result = await generator.ask('batch', { side, count });
    if (result.faults > 0) faults.push({ side, faults: result.faults, examples: result.examples });
    return result.cpuUs;
  };
  const cpuUs = { off: [], on: [] };
  try {
    await generator.ask('open', { id: scenario.id, world, ports: of('port'), pids: of('pid') });
    for (const side of SIDES) await batch(side, warmup);
    for (let round = 0; round < rounds; round += 1) {
      for (const side of round % 2 === 0 ? SIDES : SIDES.toReversed()) {
        cpuUs[side].push(await batch(side, requests));
      }
    }
    await generator.ask('close');
  } finally {
    const codes = await Promise.all(gateways.map(({ stop }) => stop()));
    if (codes.some((code) => code !== 0)) faults.push({ side: 'both', exitCodes: codes });
  }
  return { ...cpuUs, faults };
}

function start(scenario, side, { world, dist, core, redisUrl }) {
  const name = `${scenario.id}-${side}`;
  const configPath = join(world.folder, `${name}.yaml`);
  writeFileSync(configPath, JSON.stringify(gatewayFile(world, scenario[side](world)), null, 2));
  return startSluice({
    dist,
    configPath,
    stateDir: join(world.folder, `${name}-state`),
    name,
    core,
    redisUrl: scenario.redis ? redisUrl : null,
  });
}
