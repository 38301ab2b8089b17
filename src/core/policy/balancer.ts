/**
 * Which endpoint of a version the next attempt goes to: round robin, the less busy of two, or by the hash of a key.
 * Leaves out what is unwell, eases in what has come back. Knows no sockets; time and chance are told.
 * @module
 */

import { firstAtOrAfter, NO_RING, type Ring, ringOf } from './hash-ring.ts';
import { type Rotation, rotationOf, type ZonePreference } from './rotation.ts';
import type { BalanceTarget } from './target-state.ts';

export type BalanceKind = 'roundRobin' | 'leastRequests' | 'hash';

export interface BalanceOptions {
  readonly kind: BalanceKind;
  /** Time over which a newly admitted endpoint gets its full share; 0: at once. */
  readonly slowStartMs: number;
  /** Null: zones do not matter. */
  readonly zone: ZonePreference | null;
}

/** By hash, an endpoint may be this much busier than its share before keys move on to the next. */
const BOUND = 1.25;
/** Share of a newly admitted endpoint at the start of its slow start. */
const SLOW_START_FLOOR = 0.1;
const RANGE = 2 ** 32;
/** Draws that may fall on an endpoint that is eased in or was tried, before any is taken. */
const MAX_DRAWS = 8;

export class Balancer<T extends BalanceTarget> {
  readonly #options: BalanceOptions;
  readonly #random: () => number;
  #targets: readonly T[] = [];
  #ring: Ring = NO_RING;
  #rotation: Rotation<T> = { targets: [], weights: [], well: [], panicking: false, localShare: 1 };
  /** Cumulative weights of the rotation; empty while all weigh the same. */
  #edges: readonly number[] = [];
  #next = 0;
  /** Each one's claim to be next, by smooth weighted round robin. */
  #claims: number[] = [];
  /** By hash: weight of each target in the rotation, 0 outside. */
  #weightOf: Float64Array = new Float64Array(0);
  /** When an ejection ends and the rotation must be made anew. */
  #refreshAtMs = Number.POSITIVE_INFINITY;
  #easedInAtMs = Number.NEGATIVE_INFINITY;

  /** `random` is uniform in [0, 1). */
  constructor(targets: readonly T[], options: BalanceOptions, random: () => number, nowMs: number) {
    this.#options = options;
    this.#random = random;
    this.replace(targets, nowMs);
  }

  get targets(): readonly T[] {
    return this.#targets;
  }

  get usesKey(): boolean {
    return this.#options.kind === 'hash';
  }

  get inRotation(): number {
    return this.#rotation.targets.length;
  }

  /** Fewer than half are well: health is ignored. */
  get panicking(): boolean {
    return this.#rotation.panicking;
  }

  /** 0–1: share of attempts that stay in the gateway's zone; 1 when zones do not matter. */
  get localShare(): number {
    return this.#rotation.localShare;
  }

  /** The next attempt finds these and no others. */
  replace(targets: readonly T[], nowMs: number): void {
    this.#targets = targets;
    this.#ring = this.usesKey && targets.length > 0 ? ringOf(targets) : NO_RING;
    this.refresh(nowMs);
  }

  /** Someone's health has changed. */
  refresh(nowMs: number): void {
    const rotation = rotationOf(this.#targets, this.#options.zone, nowMs);
    this.#rotation = rotation;
    let refreshAtMs = Number.POSITIVE_INFINITY;
    let newestMs = Number.NEGATIVE_INFINITY;
    for (const { state } of this.#targets) {
      if (state.ejectedUntilMs > nowMs) refreshAtMs = Math.min(refreshAtMs, state.ejectedUntilMs);
      // Back from an ejection that has ended.
      else state.admittedAtMs = Math.max(state.admittedAtMs, state.ejectedUntilMs);
      newestMs = Math.max(newestMs, state.admittedAtMs);
    }
    this.#refreshAtMs = refreshAtMs;
    this.#easedInAtMs = newestMs + this.#options.slowStartMs;
    const { weights } = rotation;
    let sum = 0;
    this.#edges = weights.every((weight) => weight === weights[0])
      ? []
      : weights.map((weight) => {
          sum += weight;
          return sum;
        });
    this.#claims = weights.map(() => 0);
    this.#next = weights.length === 0 ? 0 : this.#next % weights.length;
    if (!this.usesKey) return;
    this.#weightOf = Float64Array.from(
      this.#targets,
      (target) => weights[rotation.targets.indexOf(target)] ?? 0,
    );
  }

  /**
   * Null when there are no endpoints. `keyHash` matters by hash only. `tried` are endpoints that this request has
   * failed at, avoided if possible.
   */
  pick(nowMs: number, keyHash: number, tried: readonly T[] | null): T | null {
    if (this.#targets.length === 0) return null;
    if (nowMs >= this.#refreshAtMs) this.refresh(nowMs);
    if (this.usesKey) return this.#byHash(nowMs, keyHash, tried);
    const easing = nowMs < this.#easedInAtMs;
    let drawn = this.#draw();
    if (tried === null && !easing) return drawn;
    for (let draws = 0; draws < MAX_DRAWS; draws += 1) {
      const full = !easing || this.#random() < this.#easedShare(drawn, nowMs);
      if (full && tried?.includes(drawn) !== true) return drawn;
      drawn = this.#draw();
    }
    return this.#untried(tried) ?? drawn;
  }

  /** In rotation if there is one, else well in another zone. */
  #untried(tried: readonly T[] | null): T | undefined {
    const isUntried = (target: T): boolean => tried?.includes(target) !== true;
    return this.#rotation.targets.find(isUntried) ?? this.#rotation.well.find(isUntried);
  }

  #draw(): T {
    return this.#options.kind === 'leastRequests' ? this.#lessBusyOfTwo() : this.#inTurn();
  }

  #inTurn(): T {
    if (this.#edges.length > 0) return this.#byClaim();
    const { targets } = this.#rotation;
    const target = targets[this.#next] as T; // `#next` is always below the length.
    this.#next = (this.#next + 1) % targets.length;
    return target;
  }

  /** Smooth weighted round robin: everyone's claim grows by its weight, the largest is served and pays for all. */
  #byClaim(): T {
    const { targets, weights } = this.#rotation;
    let best = 0;
    let total = 0;
    for (let i = 0; i < targets.length; i += 1) {
      const weight = weights[i] ?? 0;
      total += weight;
      this.#claims[i] = (this.#claims[i] ?? 0) + weight;
      if ((this.#claims[i] ?? 0) > (this.#claims[best] ?? 0)) best = i;
    }
    this.#claims[best] = (this.#claims[best] ?? 0) - total;
    return targets[best] as T;
  }

  #lessBusyOfTwo(): T {
    const { targets, weights } = this.#rotation;
    const [first, second] = [this.#atRandom(), this.#atRandom()];
    const load = (at: number): number => (targets[at]?.state.inFlight ?? 0) / (weights[at] ?? 1);
    return targets[load(second) < load(first) ? second : first] as T;
  }

  /** Index into the rotation. */
  #atRandom(): number {
    const { length } = this.#rotation.targets;
    if (this.#edges.length === 0) return Math.floor(this.#random() * length);
    const point = this.#random() * (this.#edges[length - 1] ?? 0);
    let low = 0;
    while (low < length - 1 && (this.#edges[low] ?? 0) <= point) low += 1;
    return low;
  }

  /** Clockwise from the key: the first endpoint that is in rotation, not tried, and not much busier than its share. */
  #byHash(nowMs: number, keyHash: number, tried: readonly T[] | null): T {
    const { hashes, owners } = this.#ring;
    const { targets, weights, localShare } = this.#rotation;
    let sum = 0;
    let busy = 1;
    for (let i = 0; i < targets.length; i += 1) {
      sum += weights[i] ?? 0;
      busy += targets[i]?.state.inFlight ?? 0;
    }
    const easing = nowMs < this.#easedInAtMs;
    // Decorrelated from the place on the ring, so that each key comes to the new endpoint at its own time.
    const patience = (Math.imul(keyHash ^ 0x5bd1e995, 0x9e3779b1) >>> 0) / RANGE;
    const staysLocal = localShare === 1 ? null : patience < localShare;
    const start = firstAtOrAfter(hashes, keyHash);
    let fallback: T | undefined;
    for (let i = 0; i < hashes.length; i += 1) {
      const owner = owners[(start + i) % hashes.length] as number;
      const target = this.#targets[owner] as T;
      const weight = this.#weightOf[owner] ?? 0;
      if (weight === 0 || tried?.includes(target) === true) continue;
      fallback ??= target;
      if (staysLocal !== null && staysLocal !== this.#isLocal(target)) continue;
      if (target.state.inFlight >= Math.ceil((BOUND * busy * weight) / sum)) continue;
      if (!easing || patience < this.#easedShare(target, nowMs)) return target;
    }
    return fallback ?? this.#untried(tried) ?? this.#inTurn();
  }

  #isLocal({ zone }: T): boolean {
    return zone === this.#options.zone?.zone;
  }

  /** 0–1: how much of its share an endpoint gets now. */
  #easedShare({ state }: T, nowMs: number): number {
    const { slowStartMs } = this.#options;
    if (slowStartMs === 0) return 1;
    return Math.max(SLOW_START_FLOOR, (nowMs - state.admittedAtMs) / slowStartMs);
  }
}
