/**
 * E-processes: wealth that a bettor against "the limit holds" has made, which stays small as long as it does hold.
 * By Ville's inequality a wealth of 1/α is reached with a probability of α at most, however often one looks. Pure
 * arithmetic on counts per second; knows no rules, windows or time of day.
 *
 * The bet on a ratio is the conditional likelihood ratio of Lindon and Malek (arXiv 2011.03567), per second, so that
 * traffic, weight and error rate may move; restarts follow Shin, Ramdas and Rinaldo (arXiv 2203.03532).
 * @module
 */

/** Effect sizes that the mixture bets on, as multiples of the limit, and what share of the stake each gets. */
const EFFECTS = [1.15, 1.35, 1.6, 2, 2.6, 3.5, 5, 8, 16, 40, 150, 1000] as const;
const STAKES = normalised([1, 1.5, 2, 3, 3, 2.5, 2, 1.5, 1, 1, 1, 1]);
/** Effects that speak for a canary that is better than the limit, for advancing. */
const RELIEFS = [0.9, 0.75, 0.6, 0.5, 0.35, 0.2, 0.05] as const;

interface Effects {
  readonly sizes: readonly number[];
  readonly logs: readonly number[];
  /** A part of the stake waits for regressions that start late. */
  readonly payIn: boolean;
}

const AGAINST: Effects = { sizes: EFFECTS, logs: EFFECTS.map(Math.log), payIn: true };
const FOR: Effects = { sizes: RELIEFS, logs: RELIEFS.map(Math.log), payIn: false };

/** Share of the stake that bets from the first second; the rest is paid in over time. */
const AT_START = 0.6;
/** Half of what is left to pay in has been paid in after this many seconds. */
const HALF_PAID_S = 1800;
const WAITING = (1 - AT_START) * HALF_PAID_S;
/** More certainty than this changes nothing; keeps sums finite. */
const MAX_PART = 1e15;

/** What a bettor owns, one part per effect. Immutable, small, and JSON as it is. */
export interface Wealth {
  /** Seconds that were bet on or could have been: times the payments of a late start. */
  readonly seconds: number;
  readonly parts: readonly number[];
}

/** Counts of one second; each bad event is one of its requests. */
export interface SecondCounts {
  readonly canary: number;
  readonly baseline: number;
  readonly canaryBad: number;
  readonly baselineBad: number;
}

export interface RateCounts {
  readonly total: number;
  readonly bad: number;
}

export interface BetLimits {
  /** At most this much log-wealth from one second: one burst alone proves nothing. */
  readonly cap: number;
  /** Mean size of a cluster of failures, ≥ 1: so many count as one. */
  readonly clustering: number;
}

/** The cap at a level of `alpha`: evidence takes three distinct seconds or more. */
export function capAt(alpha: number): number {
  return Math.log(1 / alpha) / 2;
}

/** A stake of 1, of which part waits for regressions that start late. */
export function emptyWealth(): Wealth {
  return { seconds: 0, parts: STAKES.map((stake) => stake * AT_START) };
}

/** A stake of 1 on relief, all of it at once: advancing asks about this step only. */
export function emptyRelief(): Wealth {
  return { seconds: 0, parts: RELIEFS.map(() => 1 / RELIEFS.length) };
}

/** The evidence: an e-value at every moment. */
export function total(wealth: Wealth): number {
  let sum = 0;
  for (const part of wealth.parts) sum += part;
  return sum;
}

/** Bets one second against "the canary's rate is at most `factor` times the baseline's", which may move as it likes. */
export function betRatio(wealth: Wealth, factor: number, counts: SecondCounts, limits: BetLimits): Wealth {
  return bet(wealth, AGAINST, ratioOdds(factor, counts), limits);
}

/** Bets one second against "the canary's rate is at most `rate`" (0 < rate < 1). */
export function betRate(wealth: Wealth, rate: number, counts: RateCounts, limits: BetLimits): Wealth {
  return bet(wealth, AGAINST, rateOdds(rate, counts), limits);
}

/** Bets one second against "the canary's rate is at least `factor` times the baseline's": evidence that it is not. */
export function betRatioRelief(
  wealth: Wealth,
  factor: number,
  counts: SecondCounts,
  limits: BetLimits,
): Wealth {
  return bet(wealth, FOR, ratioOdds(factor, counts), limits);
}

/** Bets one second against "the canary's rate is at least `rate`": evidence that it is lower. */
export function betRateRelief(wealth: Wealth, rate: number, counts: RateCounts, limits: BetLimits): Wealth {
  return bet(wealth, FOR, rateOdds(rate, counts), limits);
}

/**
 * As if all seconds up to the `seconds`-th had passed without anything to bet on: the payments of the seconds between
 * add up to a difference.
 */
export function idleUntil(wealth: Wealth, seconds: number): Wealth {
  if (wealth.seconds >= seconds) return wealth;
  const from = wealth.seconds + 1 + HALF_PAID_S;
  const payment = WAITING / from - WAITING / (seconds + 1 + HALF_PAID_S);
  return { seconds, parts: wealth.parts.map((part, at) => part + (STAKES[at] as number) * payment) };
}

/**
 * One second as draws from two kinds: `bad` of `all` were of the canary's kind, whose odds at the limit are `own` to
 * `other`. An effect multiplies `own`.
 */
interface Odds {
  readonly bad: number;
  readonly all: number;
  readonly own: number;
  readonly other: number;
}

/** Whether a second says anything about a ratio. */
export function tells(counts: SecondCounts | null): boolean {
  return counts !== null && ratioOdds(1, counts) !== null;
}

/** In whose arm do the failures fall? Null: an arm without requests, or nobody with failures, says nothing. */
function ratioOdds(factor: number, { canary, baseline, canaryBad, baselineBad }: SecondCounts): Odds | null {
  const all = canaryBad + baselineBad;
  if (canary === 0 || baseline === 0 || all === 0) return null;
  return { bad: canaryBad, all, own: factor * canary, other: baseline };
}

/** Which of the requests fail? Null without any. */
function rateOdds(rate: number, { total: all, bad }: RateCounts): Odds | null {
  return all === 0 ? null : { bad, all, own: rate, other: 1 - rate };
}

/** One loop, as this is most of what a judge does: pays in what is due, then multiplies by the likelihood ratio. */
function bet(
  { seconds, parts }: Wealth,
  { sizes, logs, payIn }: Effects,
  odds: Odds | null,
  { cap, clustering }: BetLimits,
): Wealth {
  const now = seconds + 1;
  const payment = payIn ? WAITING / ((now + HALF_PAID_S) * (now + 1 + HALF_PAID_S)) : 0;
  const next = new Array<number>(parts.length);
  for (let at = 0; at < parts.length; at += 1) {
    const part = (parts[at] as number) + (payIn ? (STAKES[at] as number) * payment : 0);
    next[at] = part;
    if (odds === null) continue;
    const { bad, all, own, other } = odds;
    const log =
      bad * (logs[at] as number) + all * Math.log((own + other) / ((sizes[at] as number) * own + other));
    next[at] = Math.min(MAX_PART, part * Math.exp(Math.min(log, cap) / clustering));
  }
  return { seconds: now, parts: next };
}

function normalised(weights: readonly number[]): readonly number[] {
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}
