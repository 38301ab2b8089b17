/**
 * The splits that this gateway serves: applies newer documents from the weight channel, acknowledges them, and
 * takes a canary's weight back when its lease runs out. Knows neither requests nor upstreams.
 * @module
 */

import {
  type AppliedState,
  initialSplit,
  type SplitDocument,
  supersedes,
} from '../core/domain/split-document.ts';
import type { SplitOrigin, WeightChannel, WeightListener } from '../ports/weight-channel.ts';
import type { Logger } from '../telemetry/logger.ts';
import {
  type Held,
  initiallyHeld,
  isLent,
  mayServeCanary,
  type SplitService,
  type SplitSlot,
  serveHeld,
  unknownVersion,
} from './held-split.ts';
import type { SplitFiles } from './split-files.ts';
import { within } from './within.ts';

/** How often leases are looked at. */
const LEASE_CHECK_MS = 250;
/** How often everything applied is acknowledged again, as a sign of life. */
const ACKNOWLEDGE_MS = 2_000;
/** At start-up, a living operator has this long to confirm the weight of a canary. */
const CONFIRMATION_MS = 3_000;

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

export class SplitTable {
  readonly #options: SplitTableOptions;
  readonly #held = new Map<string, Held>();
  readonly #timers: NodeJS.Timeout[] = [];
  #watching = new AbortController();
  #connected = false;
  /** Until `start` has ended, a canary that nobody confirmed yet is not reported as taken back. */
  #starting = true;
  #onConfirmed: (() => void) | null = null;

  constructor(options: SplitTableOptions) {
    this.#options = options;
  }

  /**
   * Loads what is on disk, then watches. Resolves when the channel's first read has failed, or has answered and the
   * operator has renewed the leases found in it, which it does about twice a second if it lives; at most 3 s later.
   */
  async start(services: readonly SplitService[]): Promise<void> {
    for (const service of services) await this.#add(service);
    this.#timers.push(setInterval(() => this.#checkLeases(), LEASE_CHECK_MS));
    this.#timers.push(setInterval(() => this.#acknowledgeAll(), ACKNOWLEDGE_MS));
    for (const timer of this.#timers) timer.unref();
    await this.#watch();
    if (this.#awaitsConfirmation()) {
      const confirmed = new Promise<void>((resolve) => {
        this.#onConfirmed = resolve;
      });
      await within(confirmed, CONFIRMATION_MS);
    }
    this.#starting = false;
    for (const held of this.#held.values()) if (held.state === 'lease-expired') this.#reportExpired(held);
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
    this.#onConfirmed?.();
    for (const timer of this.#timers.splice(0)) clearInterval(timer);
    await this.#options.files?.settled();
  }

  async #add(service: SplitService): Promise<void> {
    const held = initiallyHeld(service);
    this.#held.set(service.name, held);
    const stored = (await this.#options.files?.load(service.name)) ?? null;
    if (stored !== null && unknownVersion(stored, service) === undefined) {
      held.split = stored;
      held.fromDisk = true;
    }
    // A canary's weight from disk may have been taken back meanwhile: it waits for the channel's word.
    held.state = isLent(held.split) ? 'lease-expired' : 'applied';
    this.#serve(held);
  }

  #adopt(held: Held, service: SplitService): void {
    held.service = service;
    if (held.split.revision === 0) held.split = initialSplit(service.name, service.defaultVersion);
    this.#serve(held);
    const refused = held.refused;
    held.refused = null;
    if (refused !== null) this.#onSplit(refused, 'stored');
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
      onSplit: (split, origin) => this.#onSplit(split, origin),
      onRenewal: (service, revision) => this.#onRenewal(service, revision),
      onConnection: (connected) => {
        if (connected !== this.#connected) this.#options.logger.info({ connected }, 'weight channel');
        this.#connected = connected;
      },
    };
    return this.#options.channel.watch([...this.#held.keys()], listener, this.#watching.signal);
  }

  #onSplit(split: SplitDocument, origin: SplitOrigin): void {
    const held = this.#held.get(split.service);
    if (held === undefined) return;
    const newer = supersedes(split, held.split);
    // A document that is known already renews nothing, whoever delivers it again; one from disk is confirmed.
    if (!newer && (!held.fromDisk || supersedes(held.split, split))) return;
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
    held.fromDisk = false;
    held.split = split;
    if (newer && origin === 'published') held.renewedMs = this.#options.monotonicMs();
    held.state = mayServeCanary(held, this.#options.monotonicMs()) ? 'applied' : 'lease-expired';
    this.#serve(held);
    if (newer) this.#options.files?.save(split);
    if (held.state === 'applied') this.#acknowledge(held);
    else if (!this.#starting) this.#reportExpired(held);
  }

  /** Whether a canary of the channel waits for the operator's word. Without a channel there is nobody to wait for. */
  #awaitsConfirmation(): boolean {
    return [...this.#held.values()].some(({ state, fromDisk }) => state === 'lease-expired' && !fromDisk);
  }

  #onRenewal(service: string, revision: number): void {
    const held = this.#held.get(service);
    if (held === undefined || held.fromDisk || held.split.revision !== revision) return;
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
      if (held.state !== 'applied' || mayServeCanary(held, nowMs)) continue;
      held.state = 'lease-expired';
      this.#serve(held);
      this.#reportExpired(held);
    }
  }

  #reportExpired(held: Held): void {
    this.#options.logger.warn(
      { service: held.service.name, revision: held.split.revision, ttlMs: held.split.lease?.ttlMs },
      'nobody renews the lease of the canary; its share goes to the baseline',
    );
    this.#acknowledge(held);
  }

  #serve(held: Held): void {
    serveHeld(held);
    if (!this.#awaitsConfirmation()) this.#onConfirmed?.();
  }

  #acknowledgeAll(): void {
    for (const held of this.#held.values()) this.#acknowledge(held);
  }

  #acknowledge(held: Held): void {
    if (this.#starting && held.state === 'lease-expired') return;
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
