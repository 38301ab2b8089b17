/**
 * Seeded random numbers, so that every run of a benchmark sees the same traffic: uniform, normal, Poisson, binomial.
 * Knows nothing about requests.
 * @module
 */

/** A generator (sfc32) of its own per seed and stream; the streams of one seed are independent of each other. */
export class Random {
  #a;
  #b;
  #c;
  #count = 1;

  constructor(seed, stream = 0) {
    this.#a = seed | 0;
    this.#b = Math.imul(stream + 1, 0x9e3779b1) | 0;
    this.#c = (seed ^ 0x5bf03635) | 0;
    for (let i = 0; i < 15; i += 1) this.uniform();
  }

  /** In [0, 1). */
  uniform() {
    const sum = (this.#a + this.#b + this.#count) | 0;
    this.#count = (this.#count + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 4294967296;
  }

  normal() {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }

  /** Exact below a mean of 64; above, the rounded normal (its skew no longer matters for any judge). */
  poisson(mean) {
    if (mean <= 0) return 0;
    if (mean > 64) return Math.max(0, Math.round(mean + Math.sqrt(mean) * this.normal()));
    if (mean > 16) return this.poisson(mean / 2) + this.poisson(mean / 2);
    const floor = Math.exp(-mean);
    let count = 0;
    for (let product = this.uniform(); product > floor; product *= this.uniform()) count += 1;
    return count;
  }

  /** How many of `of` happen at probability `rate`. */
  binomial(of, rate) {
    if (of <= 0 || rate <= 0) return 0;
    if (rate >= 1) return of;
    if (rate > 0.5) return of - this.binomial(of, 1 - rate);
    if (of * rate > 100) {
      const spread = Math.sqrt(of * rate * (1 - rate));
      return Math.min(of, Math.max(0, Math.round(of * rate + spread * this.normal())));
    }
    // The gaps between successes are geometric.
    const scale = Math.log1p(-rate);
    let count = 0;
    for (let at = this.#gap(scale); at < of; at += 1 + this.#gap(scale)) count += 1;
    return count;
  }

  #gap(scale) {
    return Math.floor(Math.log(1 - this.uniform()) / scale);
  }

  /** Sizes of at least 1 with this mean. */
  geometric(mean) {
    return mean <= 1 ? 1 : 1 + this.#gap(Math.log1p(-1 / mean));
  }
}
