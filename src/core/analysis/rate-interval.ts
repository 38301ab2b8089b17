/**
 * An interval for a rate that stays right however often one looks: a beta-binomial mixture, inverted (Robbins 1970;
 * Howard et al., arXiv 1810.08240). Wider than the textbook's, as it has to hold at every number of requests at once.
 * @module
 */

export interface Interval {
  /** 0–1. */
  readonly low: number;
  readonly high: number;
}

/** All rates that `bad` of `total` do not refute at a level of `alpha`. */
export function rateInterval(bad: number, total: number, alpha = 0.05): Interval {
  if (total <= 0) return { low: 0, high: 1 };
  const mixed = logGamma(bad + 1) + logGamma(total - bad + 1) - logGamma(total + 2);
  const refuted = (rate: number): boolean =>
    mixed - term(bad, rate) - term(total - bad, 1 - rate) >= Math.log(1 / alpha);
  const estimate = bad / total;
  return {
    low: bad === 0 ? 0 : edge(0, estimate, refuted),
    high: bad === total ? 1 : edge(1, estimate, refuted),
  };
}

function term(count: number, rate: number): number {
  return count === 0 ? 0 : count * Math.log(rate);
}

/** Where `refuted` changes between `outside` and `inside`. */
function edge(outside: number, inside: number, refuted: (rate: number) => boolean): number {
  let far = outside;
  let near = inside;
  for (let i = 0; i < 60; i += 1) {
    const middle = (far + near) / 2;
    if (refuted(middle)) far = middle;
    else near = middle;
  }
  return near;
}

const LANCZOS = [
  0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
  12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
] as const;

/** Lanczos' approximation, for arguments of 1 and more. */
export function logGamma(x: number): number {
  const shifted = x - 1;
  const base = shifted + 7.5;
  const sum = LANCZOS.reduce((total, c, i) => (i === 0 ? c : total + c / (shifted + i)), 0);
  return 0.5 * Math.log(2 * Math.PI) + (shifted + 0.5) * Math.log(base) - base + Math.log(sum);
}
