/**
 * How late the event loop is: a timer that should fire at fixed times, and a histogram of by how much it misses them.
 * Owns the timer; knows nothing of what keeps the loop busy.
 * @module
 */

import { Histogram, type Registry } from 'prom-client';

const EVERY_MS = 20;
const BUCKETS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1];

/** Starts to measure. Gives the function that ends it. */
export function watchLoopDelay(registry: Registry, monotonicMs: () => number): () => void {
  const histogram = new Histogram({
    name: 'sluice_event_loop_delay_seconds',
    help: 'Time by which the event loop is late for a timer; sampled 50 times a second.',
    buckets: BUCKETS_S,
    registers: [registry],
  });
  let dueMs = monotonicMs() + EVERY_MS;
  const timer = setInterval(() => {
    const nowMs = monotonicMs();
    histogram.observe(Math.max(0, nowMs - dueMs) / 1000);
    dueMs = nowMs + EVERY_MS;
  }, EVERY_MS);
  timer.unref();
  return () => clearInterval(timer);
}
