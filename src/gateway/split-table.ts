/**
 * The splits that this gateway serves: applies newer documents from the weight channel, acknowledges them, and
 * takes a canary's weight back when its lease runs out. Knows neither requests nor upstreams.
 * @module
 */

import {
  type AppliedState,
  initialSplit,
  type MatchOverride,
  type SplitDocument,
  supersedes,
  withoutCanary,
} from '../core/domain/split-document.ts';
import { type Assigner, compileAssigner } from '../core/split/assign.ts';
import type { WeightChannel, WeightListener } from '../ports/weight-channel.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { SplitFiles } from './split-files.ts';

/** How often leases are looked at. */
const LEASE_CHECK_MS = 250;
/** How often everything applied is acknowledged again, as a sign of life. */
const ACKNOWLEDGE_MS = 2_000;

/** What the split table must know of a service. */
export interface SplitService {
  readonly name: string;
  /** In the order of the configuration. */
  readonly versions: readonly string[];
  readonly defaultVersion: string;
  readonly salt: string;
}

/** The part that requests read. The object stays the same for the life of the gateway; its fields change. */
export interface SplitSlot {
  readonly service: string;
  assign: Assigner;
  matches: readonly MatchOverride[];
  revision: number;
}

export interface AppliedSplit {
  readonly service: string;
  /** The newest document that was accepted. */
  readonly split: SplitDocument;
  readonly state: AppliedState;
  /** Basis points by version as served now: without the canary while `state` is `lease-expired`. */
  readonly served: SplitDocument['weights'];
}

export interface SplitTableOptions {
  readonly channel: WeightChannel;
  /** Null: nothing is kept on disk. */
  readonly files: SplitFiles | null;
  readonly monotonicMs: () => number;
  readonly logger: Logger;
  readonly gateway: string;
  readonly incarnation: string;
}

interface Held {
  service: SplitService;
  readonly slot: SplitSlot;
  split: SplitDocument;
  served: SplitDocument;
  state: AppliedState;
  /** When the lease was last heard of, monotonic; null: never, as for a document from disk. */
  renewedMs: number | null;
  /** Names a version that the configuration does not; looked at again after a reload. */
  refused: SplitDocument | null;
}

export class SplitTable {
  readonly #options: SplitTableOptions;
  readonly #held = new Map<string, Held>();
  readonly #timers: NodeJS.Timeout[] = [];
  #watching = new AbortController();
  #connected = false;

  constructor(options: SplitTableOptions) {
    this.#options = options;
  }

  /** Loads what is on disk, then watches. Resolves when the channel's first read has answered or failed. */
  async start(services: readonly SplitService[]): Promise<void> {
    for (const service of services) await this.#add(service);
    this.#timers.push(setInterval(() => this.#checkLeases(), LEASE_CHECK_MS));
    this.#timers.push(setInterval(() => this.#acknowledgeAll(), ACKNOWLEDGE_MS));
    for (const timer of this.#timers) timer.unref();
    await this.#watch();
  }

  /** Takes over the services of a new configuration. Slots of services that stay are the same objects. */
  async adoptServices(services: readonly SplitService[]): Promise<void> {
    const before = this.#held.size;
    for (const service of services) {
      const held = this.#held.get(service.name);
      if (held === undefined) await this.#add(service);
      else this.#adopt(held, service);
    }
    if (this.#held.size !== before) await this.#watchAnew();
  }

  /** Forgets all other services. */
  async retainServices(names: readonly string[]): Promise<void> {
    const before = this.#held.size;
    for (const name of this.#held.keys()) if (!names.includes(name)) this.#held.delete(name);
    if (this.#held.size !== before) await this.#watchAnew();
  }

  /** The slot of a service that was given to `start` or `replaceServices`. */
  slot(service: string): SplitSlot {
    const held = this.#held.get(service);
    if (held === undefined) throw new Error(`no split is held for service ${service}`);
    return held.slot;
  }

  snapshot(): readonly AppliedSplit[] {
    return [...this.#held.values()].map(({ service, split, served, state }) => ({
      service: service.name,
      split,
      state,
      served: served.weights,
    }));
  }

  /** Whether the channel answered last. */
  get connected(): boolean {
    return this.#connected;
  }

  async close(): Promise<void> {
    this.#watching.abort();
    for (const timer of this.#timers.splice(0)) clearInterval(timer);
    await this.#options.files?.settled();
  }

  async #add(service: SplitService): Promise<void> {
    const initial = initialSplit(service.name, service.defaultVersion);
    const slot: SplitSlot = {
      service: service.name,
      assign: () => service.defaultVersion,
      matches: [],
      revision: 0,
    };
    const held: Held = {
      service,
      slot,
      split: initial,
      served: initial,
      state: 'applied',
      renewedMs: null,
      refused: null,
    };
    this.#held.set(service.name, held);
    const stored = (await this.#options.files?.load(service.name)) ?? null;
    if (stored !== null && unknownVersion(stored, service) === undefined) held.split = stored;
    // A canary's weight from disk may have been taken back meanwhile: it waits for the channel's word.
    held.state = canaryBp(held.split) > 0 ? 'lease-expired' : 'applied';
    this.#serve(held);
  }

  #adopt(held: Held, service: SplitService): void {
    held.service = service;
    if (held.split.revision === 0) held.split = initialSplit(service.name, service.defaultVersion);
    this.#serve(held);
    const refused = held.refused;
    held.refused = null;
    if (refused !== null) this.#onSplit(refused);
    const missing = unknownVersion(held.split, service);
    if (missing !== undefined) {
      this.#options.logger.error(
        { service: service.name, version: missing, revision: held.split.revision },
        'the split in force names a version that the configuration no longer has; its users get the default version',
      );
    }
  }

  #watchAnew(): Promise<void> {
    this.#watching.abort();
    this.#watching = new AbortController();
    return this.#watch();
  }

  #watch(): Promise<void> {
    const listener: WeightListener = {
      onSplit: (split) => this.#onSplit(split),
      onRenewal: (service, revision) => this.#onRenewal(service, revision),
      onConnection: (connected) => {
        if (connected !== this.#connected) this.#options.logger.info({ connected }, 'weight channel');
        this.#connected = connected;
      },
    };
    return this.#options.channel.watch([...this.#held.keys()], listener, this.#watching.signal);
  }

  #onSplit(split: SplitDocument): void {
    const held = this.#held.get(split.service);
    if (held === undefined) return;
    const newer = supersedes(split, held.split);
    if (!newer && supersedes(held.split, split)) return;
    const missing = unknownVersion(split, held.service);
    if (missing !== undefined) {
      held.refused = split;
      this.#options.logger.error(
        { service: split.service, version: missing, revision: split.revision },
        'weights name a version that the configuration does not; the last good ones stay in force',
      );
      return;
    }
    held.refused = null;
    held.renewedMs = this.#options.monotonicMs();
    if (!newer && held.state === 'applied') return;
    held.split = split;
    held.state = 'applied';
    this.#serve(held);
    if (newer) this.#options.files?.save(split);
    this.#acknowledge(held);
  }

  #onRenewal(service: string, revision: number): void {
    const held = this.#held.get(service);
    if (held === undefined || held.split.revision !== revision) return;
    held.renewedMs = this.#options.monotonicMs();
    if (held.state === 'applied') return;
    this.#options.logger.info({ service, revision }, 'the lease was renewed; the canary serves again');
    held.state = 'applied';
    this.#serve(held);
    this.#acknowledge(held);
  }

  #checkLeases(): void {
    const nowMs = this.#options.monotonicMs();
    for (const held of this.#held.values()) {
      const { lease } = held.split;
      if (lease === null || lease.onExpiry === 'keep' || held.state !== 'applied') continue;
      if (held.renewedMs === null || nowMs - held.renewedMs < lease.ttlMs) continue;
      this.#options.logger.warn(
        { service: held.service.name, revision: held.split.revision, ttlMs: lease.ttlMs },
        'nobody renewed the lease of the canary; its share goes to the baseline',
      );
      held.state = 'lease-expired';
      this.#serve(held);
      this.#acknowledge(held);
    }
  }

  #serve(held: Held): void {
    held.served = held.state === 'applied' ? held.split : withoutCanary(held.split);
    held.slot.assign = compileAssigner(held.served, held.service.versions, held.service.salt);
    held.slot.matches = held.split.matches;
    held.slot.revision = held.split.revision;
  }

  #acknowledgeAll(): void {
    for (const held of this.#held.values()) this.#acknowledge(held);
  }

  #acknowledge(held: Held): void {
    const { channel, gateway, incarnation, logger } = this.#options;
    channel
      .acknowledge({
        gateway,
        incarnation,
        service: held.service.name,
        revision: held.split.revision,
        state: held.state,
      })
      .catch((error: unknown) => {
        // Said again in two seconds; until then the operator counts this gateway as silent, which is right.
        logger.debug({ err: error, service: held.service.name }, 'acknowledgement not delivered');
      });
  }
}

function canaryBp(split: SplitDocument): number {
  return split.canary === null ? 0 : (split.weights[split.canary] ?? 0);
}

/** A version that gets traffic by this split and that the service does not have. */
function unknownVersion(split: SplitDocument, service: SplitService): string | undefined {
  const named = Object.entries(split.weights)
    .filter(([, weightBp]) => weightBp > 0)
    .map(([version]) => version);
  return [split.baseline, ...named].find((version) => !service.versions.includes(version));
}
