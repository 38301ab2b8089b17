/**
 * The load generator's own process: runs what its parent asks for, and reads the CPU time of the process under
 * test at the very ends of the window. Knows no benchmark.
 * @module
 */

import { LoadRun } from './load-run.mjs';
import { cpuOf } from './process-tree.mjs';
import { serveVerbs } from './served-verbs.mjs';

/** A proxy that needs longer for its warm-up is measured as it is. */
const MAX_WARMUP_MS = 20_000;

let run = null;

const verbs = {
  /** Warm-up and one window, from beginning to end. */
  async measure({ warmupRequests = 0, warmupMs, windowMs, pid, ...options }) {
    const load = new LoadRun(options);
    load.start();
    const warmUntilMs = performance.now() + MAX_WARMUP_MS;
    while (load.answered < warmupRequests && performance.now() < warmUntilMs) await sleep(20);
    await sleep(warmupMs);
    load.beginWindow();
    const before = pid === null ? null : cpuOf(pid);
    const startMs = performance.now();
    await sleep(windowMs);
    const elapsedMs = performance.now() - startMs;
    const after = pid === null ? null : cpuOf(pid);
    const window = load.window();
    const totals = await load.stop();
    const cpuUs =
      before && after ? { user: after.user - before.user, kernel: after.kernel - before.kernel } : null;
    return { elapsedMs, ...window, ...totals, cpuUs };
  },

  /** Goes on until `finish`. */
  async begin(options) {
    run = new LoadRun(options);
    run.start();
  },

  /** Totals of the run so far, and what happened since the last time this was asked. */
  async look() {
    const window = run.window();
    run.beginWindow();
    return { ...window, ...run.totals() };
  },

  async finish() {
    const window = run.window();
    return { ...window, ...(await run.stop()) };
  },
};

serveVerbs(verbs);

function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
