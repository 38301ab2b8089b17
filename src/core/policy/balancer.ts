/**
 * Which endpoint of a version the next attempt goes to: round robin, the less busy of two, or by the hash of a key.
 * Leaves out what is unwell, eases in what has come back. Knows no sockets; time and chance are told.
 * @module
 */

import { murmur3 } from '../split/hash.ts';

export type BalanceKind = 'roundRobin' | 'leastRequests' | 'hash';

/** What is known of an endpoint; outlives configurations. Times are monotonic milliseconds. */
export class TargetState {
  /** Attempts under way. */
  inFlight = 0;
  /** By its health checks; true until they say otherwise. */
  healthy = true;
  /** Out of rotation until then, for failing attempts. */
  ejectedUntilMs = Number.NEGATIVE_INFINITY;
  failuresInARow = 0;
  /** Ejections without a long time in rotation between them, and in all. */
  ejectionsInARow = 0;
  ejections = 0;
  /** When it last came (back) into rotation; its share rises from then on. */
  admittedAtMs: number;

  constructor(admittedAtMs = Number.NEGATIVE_INFINITY) {
    this.admittedAtMs = admittedAtMs;
  }
}

export interface BalanceTarget {
  /** Names it on the hash ring. */
  readonly id: string;
  /** At least 1. */
  readonly weight: number;
  readonly state: TargetState;
}

export interface BalanceOptions {
  readonly kind: BalanceKind;
  /** Time over which a newly admitted endpoint gets its full share; 0: at once. */
  readonly slowStartMs: number;
}

/** With fewer than this share in rotation, all are: what is left would only be run over. */
const PANIC_SHARE = 0.5;
/** Points on the ring per unit of weight, at most this many in all. */
const POINTS_PER_WEIGHT = 128;
const MAX_POINTS = 65_536;
/** By hash, an endpoint may be this much busier than its share before keys move on to the next. */
const BOUND = 1.25;
/** Share of a newly admitted endpoint at the start of its slow start. */
const SLOW_START_FLOOR = 0.1;
const RING_SEED = 0x0ba1a4ce;
const RANGE = 2 ** 32;
/** Draws that may fall on an endpoint that is eased in or was tried, before any is taken. */
const MAX_DRAWS = 8;

/** The hash by which keys and endpoints lie on the ring. */
export function ringHash(key: string): number {
  return murmur3(key, RING_SEED);
}

export class Balancer<T extends BalanceTarget> {
  readonly targets: readonly T[];
  /** Fewer than half are well: health is ignored. */
  panicking = false;
  readonly #kind: BalanceKind;
  readonly #slowStartMs: number;
  readonly #random: () => number;
  readonly #ring: Ring;
  #rotation: readonly T[];
  /** Cumulative weights of the rotation; empty while all weigh the same. */
  #edges: readonly number[] = [];
  #next = 0;
  /** Each one's claim to be next, by smooth weighted round robin. */
  #claims: number[] = [];
  /** When an ejection ends and the rotation must be made anew. */
  #refreshAtMs = Number.POSITIVE_INFINITY;
  #easedInAtMs = Number.NEGATIVE_INFINITY;

  /** `targets` is not empty. `random` is uniform in [0, 1). */
  constructor(targets: readonly T[], options: BalanceOptions, random: () => number, nowMs: number) {
    this.targets = targets;
    this.#kind = options.kind;
    this.#slowStartMs = options.slowStartMs;
    this.#random = random;
    this.#ring = options.kind === 'hash' ? ringOf(targets) : NO_RING;
    this.#rotation = targets;
    this.refresh(nowMs);
  }

  get usesKey(): boolean {
    return this.#kind === 'hash';
  }

  get inRotation(): number {
    return this.#rotation.length;
  }

  /** Someone's health has changed. */
  refresh(nowMs: number): void {
    const well = this.targets.filter(({ state }) => state.healthy && state.ejectedUntilMs <= nowMs);
    this.panicking = well.length < PANIC_SHARE * this.targets.length;
    this.#rotation = this.panicking ? this.targets : well;
    let refreshAtMs = Number.POSITIVE_INFINITY;
    let newestMs = Number.NEGATIVE_INFINITY;
    for (const { state } of this.targets) {
      if (state.ejectedUntilMs > nowMs) refreshAtMs = Math.min(refreshAtMs, state.ejectedUntilMs);
      // Back from an ejection that has ended.
      else state.admittedAtMs = Math.max(state.admittedAtMs, state.ejectedUntilMs);
      newestMs = Math.max(newestMs, state.admittedAtMs);
    }
    this.#refreshAtMs = refreshAtMs;
    this.#easedInAtMs = newestMs + this.#slowStartMs;
    const first = this.#rotation[0]?.weight;
    let sum = 0;
    this.#edges = this.#rotation.every(({ weight }) => weight === first)
      ? []
      : this.#rotation.map(({ weight }) => {
          sum += weight;
          return sum;
        });
    this.#claims = this.#rotation.map(() => 0);
    this.#next %= this.#rotation.length;
  }

  /** `keyHash` matters by hash only. `tried` are endpoints that this request has failed at, avoided if possible. */
  pick(nowMs: number, keyHash: number, tried: readonly T[] | null): T {
    if (nowMs >= this.#refreshAtMs) this.refresh(nowMs);
    if (this.#kind === 'hash') return this.#byHash(nowMs, keyHash, tried);
    const easing = nowMs < this.#easedInAtMs;
    let drawn = this.#draw();
    if (tried === null && !easing) return drawn;
    for (let draws = 0; draws < MAX_DRAWS; draws += 1) {
      const full = !easing || this.#random() < this.#easedShare(drawn, nowMs);
      if (full && tried?.includes(drawn) !== true) return drawn;
      drawn = this.#draw();
    }
    return this.#rotation.find((target) => tried?.includes(target) !== true) ?? drawn;
  }

  #draw(): T {
    return this.#kind === 'leastRequests' ? this.#lessBusyOfTwo() : this.#inTurn();
  }

  #inTurn(): T {
    if (this.#edges.length > 0) return this.#byClaim();
    const target = this.#rotation[this.#next] as T; // `#next` is always below the length.
    this.#next = (this.#next + 1) % this.#rotation.length;
    return target;
  }

  /** Smooth weighted round robin: everyone's claim grows by its weight, the largest is served and pays for all. */
  #byClaim(): T {
    let best = 0;
    let total = 0;
    for (let i = 0; i < this.#rotation.length; i += 1) {
      const weight = this.#rotation[i]?.weight ?? 0;
      total += weight;
      this.#claims[i] = (this.#claims[i] ?? 0) + weight;
      if ((this.#claims[i] ?? 0) > (this.#claims[best] ?? 0)) best = i;
    }
    this.#claims[best] = (this.#claims[best] ?? 0) - total;
    return this.#rotation[best] as T;
  }

  #lessBusyOfTwo(): T {
    const first = this.#atRandom();
    const second = this.#atRandom();
    return load(second) < load(first) ? second : first;
  }

  #atRandom(): T {
    const { length } = this.#rotation;
    if (this.#edges.length === 0) return this.#rotation[Math.floor(this.#random() * length)] as T;
    const point = this.#random() * (this.#edges[length - 1] ?? 0);
    let low = 0;
    while (low < length - 1 && (this.#edges[low] ?? 0) <= point) low += 1;
    return this.#rotation[low] as T;
  }

  /** Clockwise from the key: the first endpoint that is in rotation, not tried, and not much busier than its share. */
  #byHash(nowMs: number, keyHash: number, tried: readonly T[] | null): T {
    const { hashes, owners } = this.#ring;
    let weights = 0;
    let busy = 1;
    for (const { weight, state } of this.#rotation) {
      weights += weight;
      busy += state.inFlight;
    }
    const easing = nowMs < this.#easedInAtMs;
    // Decorrelated from the place on the ring, so that each key comes to the new endpoint at its own time.
    const patience = (Math.imul(keyHash ^ 0x5bd1e995, 0x9e3779b1) >>> 0) / RANGE;
    const start = firstAtOrAfter(hashes, keyHash);
    let fallback: T | undefined;
    for (let i = 0; i < hashes.length; i += 1) {
      const target = this.targets[owners[(start + i) % hashes.length] as number] as T;
      if (!this.panicking && !(target.state.healthy && target.state.ejectedUntilMs <= nowMs)) continue;
      if (tried?.includes(target) === true) continue;
      fallback ??= target;
      if (target.state.inFlight >= Math.ceil((BOUND * busy * target.weight) / weights)) continue;
      if (!easing || patience < this.#easedShare(target, nowMs)) return target;
    }
    return fallback ?? this.#inTurn();
  }

  /** 0–1: how much of its share an endpoint gets now. */
  #easedShare({ state }: T, nowMs: number): number {
    if (this.#slowStartMs === 0) return 1;
    return Math.max(SLOW_START_FLOOR, (nowMs - state.admittedAtMs) / this.#slowStartMs);
  }
}

function load({ state, weight }: BalanceTarget): number {
  return state.inFlight / weight;
}

/** Points in ascending order, and whose they are. */
interface Ring {
  readonly hashes: Uint32Array;
  readonly owners: Uint16Array;
}

const NO_RING: Ring = { hashes: new Uint32Array(0), owners: new Uint16Array(0) };

function ringOf(targets: readonly BalanceTarget[]): Ring {
  const weights = targets.reduce((sum, { weight }) => sum + weight, 0);
  const perWeight = Math.min(POINTS_PER_WEIGHT, MAX_POINTS / weights);
  const points = targets.flatMap(({ id, weight }, owner) =>
    Array.from({ length: Math.max(1, Math.round(weight * perWeight)) }, (_, i) => ({
      hash: ringHash(`${id}#${i}`),
      owner,
    })),
  );
  points.sort((a, b) => a.hash - b.hash || a.owner - b.owner);
  return {
    hashes: Uint32Array.from(points, ({ hash }) => hash),
    owners: Uint16Array.from(points, ({ owner }) => owner),
  };
}

function firstAtOrAfter(hashes: Uint32Array, hash: number): number {
  let low = 0;
  let high = hashes.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((hashes[middle] as number) < hash) low = middle + 1;
    else high = middle;
  }
  return low === hashes.length ? 0 : low;
}
