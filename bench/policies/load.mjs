/**
 * The load generator's own process: drives pairs of gateways as its parent asks, and reads the CPU time of a gateway at
 * the very ends of each batch. Knows no clock but the kernel's count.
 * @module
 */

import { runTimeOf } from '../rig/process-tree.mjs';
import { serveVerbs } from '../rig/served-verbs.mjs';
import { Driver } from './driver.mjs';
import { scenarioOf } from './scenarios.mjs';

const CONNECTIONS = 8;
let drivers = {};

const verbs = {
  /** Takes up a scenario's pair: `ports` and `pids` by side. */
  open({ id, world, ports, pids }) {
    const scenario = scenarioOf(id);
    drivers = Object.fromEntries(
      Object.entries(ports).map(([side, port]) => [
        side,
        { driver: new Driver({ scenario, side, world, port, connections: CONNECTIONS }), pid: pids[side] },
      ]),
    );
  },

  /** One batch; `cpuUs` of the gateway for each request. */
  async batch({ side, count }) {
    const { driver, pid } = drivers[side];
    const before = runTimeOf(pid);
    const { faults, examples } = await driver.run(count);
    return { cpuUs: (runTimeOf(pid) - before) / count, faults, examples };
  },

  close() {
    for (const { driver } of Object.values(drivers)) driver.close();
    drivers = {};
  },
};

serveVerbs(verbs);
