/**
 * How many requests an upstream can have at once before they only wait for each other, learnt from how long it takes:
 * Gradient2, as Netflix published it, with a baseline that load cannot drag along. Knows no requests; time is told.
 * @module
 */

export interface AdaptiveLimits {
  /** The limit never leaves these bounds. */
  readonly min: number;
  readonly max: number;
  /** Where it begins, between them. */
  readonly initial: number;
}

/** `dropped`: the upstream refused, broke off or did not answer. `neutral` says nothing about its load. */
export type LoadOutcome = 'ok' | 'dropped' | 'neutral';

/** A window is judged when it is this old and has this many samples. */
const WINDOW_MS = 250;
const WINDOW_SAMPLES = 10;
/** Times may grow by this factor before the limit falls. */
const TOLERANCE = 1.5;
/** Weight of a window's limit against the one before. */
const SMOOTHING = 0.2;
/** Whatever the times say, a window asks for no less than this share of the limit. */
const LOWEST_GRADIENT = 0.5;
/** Where that and the room to grow (the root of the limit) are in balance: times alone push it no further down. */
const LOWEST_BY_TIMES = 4;
/** Weight of a window in the baseline: of a slower one, of a faster one. */
const LEARN_SLOWER = 0.05;
const LEARN_FASTER = 0.25;
/** A window with a larger share of dropped requests counts as overload, whatever the times say. */
const DROPPED_SHARE = 0.1;
const BACKOFF = 0.9;
/** Times kept of a window; of a busier one a spread of them. */
const MAX_SAMPLES = 512;

export class AdaptiveLimit {
  readonly limits: AdaptiveLimits;
  /** What requests take without a queue, milliseconds; 0: not known yet. */
  baselineMs = 0;
  #limit: number;
  readonly #samples = new Float64Array(MAX_SAMPLES);
  #count = 0;
  #dropped = 0;
  /** Most requests at once in this window. */
  #peak = 0;
  #sinceMs = -1;

  constructor(limits: AdaptiveLimits) {
    this.limits = limits;
    this.#limit = limits.initial;
  }

  /** Requests that may be under way, whole. */
  get limit(): number {
    return Math.floor(this.#limit);
  }

  /** One request ended. `inFlight` counts it too. `latencyMs` matters for `ok` only. */
  note(outcome: LoadOutcome, latencyMs: number, inFlight: number, nowMs: number): void {
    if (outcome === 'neutral') return;
    if (this.#sinceMs < 0) this.#sinceMs = nowMs;
    if (inFlight > this.#peak) this.#peak = inFlight;
    if (outcome === 'dropped') this.#dropped += 1;
    else {
      this.#samples[this.#count % MAX_SAMPLES] = latencyMs;
      this.#count += 1;
    }
    if (nowMs - this.#sinceMs < WINDOW_MS || this.#count + this.#dropped < WINDOW_SAMPLES) return;
    this.#judge();
    this.#count = 0;
    this.#dropped = 0;
    this.#peak = 0;
    this.#sinceMs = -1;
  }

  #judge(): void {
    if (this.#dropped > (this.#count + this.#dropped) * DROPPED_SHARE) {
      this.#set(this.#limit * BACKOFF);
      return;
    }
    const medianMs = Math.max(median(this.#samples, Math.min(this.#count, MAX_SAMPLES)), Number.MIN_VALUE);
    // Half empty: neither is the limit what holds requests back, nor do their times come from waiting for each other.
    const idle = this.#peak < this.#limit / 2;
    this.#learn(medianMs, idle);
    if (idle) return;
    const gradient = Math.max(LOWEST_GRADIENT, Math.min(1, (TOLERANCE * this.baselineMs) / medianMs));
    const wanted = this.#limit * gradient + Math.sqrt(this.#limit);
    this.#set(this.#limit * (1 - SMOOTHING) + wanted * SMOOTHING);
  }

  /**
   * Times under load would teach a baseline that already has the load in it, and the limit would follow it up and up.
   * So slower times count only where there is no load, or where the limit cannot fall any further: an upstream that
   * has become slower for good brings it there by itself.
   */
  #learn(medianMs: number, idle: boolean): void {
    if (this.baselineMs === 0) this.baselineMs = medianMs;
    else if (medianMs < this.baselineMs) this.baselineMs += (medianMs - this.baselineMs) * LEARN_FASTER;
    else if (idle || this.#limit < Math.max(this.limits.min, LOWEST_BY_TIMES) + 1) {
      this.baselineMs += (medianMs - this.baselineMs) * LEARN_SLOWER;
    }
  }

  #set(limit: number): void {
    this.#limit = Math.min(this.limits.max, Math.max(this.limits.min, limit));
  }
}

function median(samples: Float64Array, count: number): number {
  return samples.slice(0, count).sort()[count >> 1] ?? 0;
}
