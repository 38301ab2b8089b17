/**
 * What a query to Prometheus would see of a stream: counters as they were at the last scrapes, `rate` with its
 * extrapolation, series that do not exist before their first event. Knows no judge.
 * @module
 */

/** One counter as it stood at the end of each second, as a scraped series. */
export class Series {
  #atEnd;
  #firstS;
  #offsetS;
  #everyS;

  /** `atEnd[s]`: the counter at the end of second s. `offsetS`: of the scrapes, whole seconds. */
  constructor(atEnd, offsetS, everyS = 15) {
    this.#atEnd = atEnd;
    this.#offsetS = offsetS;
    this.#everyS = everyS;
    this.#firstS = atEnd.findIndex((count) => count > 0);
  }

  /** `rate(series[windowS])` at `nowS` (seconds from the start of the arrays); null: absent. */
  rate(nowS, windowS) {
    const every = this.#everyS;
    const exists = this.#firstS < 0 ? Number.POSITIVE_INFINITY : this.#firstS + 1;
    const lastK = Math.floor((nowS - this.#offsetS) / every);
    const windowK = Math.floor((nowS - windowS - this.#offsetS) / every) + 1;
    const firstK = Math.max(windowK, Math.ceil((exists - this.#offsetS) / every));
    if (lastK - firstK < 1) return null;
    return extrapolatedRate(this.#sample(firstK), this.#sample(lastK), lastK - firstK + 1, nowS, windowS);
  }

  /** The counter itself at `nowS`. */
  at(nowS) {
    return this.#atEnd[nowS - 1] ?? 0;
  }

  #sample(k) {
    const atS = this.#offsetS + k * this.#everyS;
    return { atS, value: this.at(atS) };
  }
}

/** From the first and last of `samples` samples in (nowS − windowS, nowS], per second. */
export function extrapolatedRate(first, last, samples, nowS, windowS) {
  const increase = last.value - first.value;
  const sampledS = last.atS - first.atS;
  const gapS = sampledS / (samples - 1);
  const toEnd = nowS - last.atS;
  const toStart = first.atS - (nowS - windowS);
  const near = (edgeS) => (edgeS < 1.1 * gapS ? edgeS : gapS / 2);
  const toZero = increase > 0 ? sampledS * (first.value / increase) : Number.POSITIVE_INFINITY;
  const covered = sampledS + Math.min(near(toStart), toZero) + near(toEnd);
  return (increase * (covered / sampledS)) / windowS;
}

/** `sum()`: null (empty) only of nothing but absent series. */
export function sum(rates) {
  const present = rates.filter((rate) => rate !== null);
  return present.length === 0 ? null : present.reduce((total, rate) => total + rate, 0);
}

/** `a / b`: empty if either side is; 0/0 is NaN, x/0 infinite. */
export function divide(a, b) {
  return a === null || b === null ? null : a / b;
}

/**
 * `histogram_quantile`: `bounds` of the buckets, ascending, without +Inf; `rates` of each bucket (not cumulative),
 * one more than bounds. NaN without observations, the top bound if the rank is beyond it.
 */
export function histogramQuantile(q, bounds, rates) {
  const total = rates.reduce((all, rate) => all + rate, 0);
  if (!(total > 0)) return Number.NaN;
  const rank = q * total;
  let below = 0;
  for (const [at, bound] of bounds.entries()) {
    const rate = rates[at];
    if (below + rate >= rank && rate > 0) {
      const from = at === 0 ? 0 : bounds[at - 1];
      return from + (bound - from) * ((rank - below) / rate);
    }
    below += rate;
  }
  return bounds.at(-1);
}
