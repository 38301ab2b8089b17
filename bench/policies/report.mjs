/**
 * Turns rounds into the table of the policy bench and says which differences can be told from none. Measures nothing.
 * @module
 */

import { median, table } from '../rig/numbers.mjs';

/** Fewer rounds give no interval of 95 %. */
export const MIN_ROUNDS = 6;

/**
 * The interval that holds the median of what was sampled with at least 95 %, whatever its distribution (order
 * statistics, by the binomial): of 6 samples the smallest to the largest, of 12 the third to the third largest.
 */
export function medianInterval(samples) {
  const sorted = samples.toSorted((a, b) => a - b);
  const n = sorted.length;
  // Chance that at most k of n samples are on one side of the median.
  let tail = 0.5 ** n;
  let term = tail;
  let k = 0;
  while (k + 1 < n / 2) {
    term *= (n - k) / (k + 1);
    if (2 * (tail + term) > 0.05) break;
    tail += term;
    k += 1;
  }
  return { low: sorted[k], mid: median(sorted), high: sorted[n - 1 - k] };
}

/** What a scenario costs: medians, and the difference within each round with its interval. */
export function costOf(scenario, { off, on, faults }) {
  return {
    id: scenario.id,
    label: scenario.label,
    doc: scenario.doc,
    off: median(off),
    on: median(on),
    difference: medianInterval(on.map((us, round) => us - off[round])),
    rounds: { off, on },
    faults,
  };
}

/** The largest difference that two bare routes have shown in this run: what no policy has to answer for. */
export function noiseOf(costs) {
  const twins = costs.filter(({ doc }) => doc === null);
  return Math.max(
    0,
    ...twins.map(({ difference: { low, mid, high } }) => Math.max(Math.abs(mid), (high - low) / 2)),
  );
}

export function inWords({ doc, difference: { low, mid, high } }, noise) {
  if (doc === null) return 'nothing was on';
  if (low <= 0 && high >= 0) return 'within the spread';
  if (Math.abs(mid) <= noise) return 'within the noise';
  return mid > 0 ? 'costs' : 'saves';
}

export function tableOf(costs, noise) {
  const signed = (us) => (us < 0 ? us.toFixed(1) : `+${us.toFixed(1)}`);
  return table(
    ['policy', 'off', 'on', 'difference', '95% interval', 'in words'],
    costs.map((cost) => [
      cost.label,
      cost.off.toFixed(1),
      cost.on.toFixed(1),
      signed(cost.difference.mid),
      `${signed(cost.difference.low)} to ${signed(cost.difference.high)}`,
      inWords(cost, noise),
    ]),
  );
}
