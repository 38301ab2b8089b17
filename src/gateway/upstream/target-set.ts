/**
 * The endpoints of one version under one configuration: builds the targets, swaps them whole, starts and stops
 * what watches them. Gives endpoints back one by one as they go, so that what is under way at them can end.
 * @module
 */

import type { EndpointAddress, Service } from '../../config/gateway-model.ts';
import { Balancer } from '../../core/policy/balancer.ts';
import { randomFraction } from '../random-ids.ts';
import type { EndpointRegistry } from './endpoint.ts';
import type { HealthChecks } from './health-checks.ts';
import type { Target, TargetTable } from './target.ts';

export interface UpstreamParts {
  readonly endpoints: EndpointRegistry;
  readonly targets: TargetTable;
  readonly health: HealthChecks;
  readonly monotonicMs: () => number;
}

export interface TargetSetOptions {
  readonly service: Service;
  readonly version: string;
  /** Bounds a connection attempt of the pools, milliseconds. */
  readonly connectMs: number;
  /** Of the gateway; empty: unknown. */
  readonly zone: string;
}

export class TargetSet {
  readonly balancer: Balancer<Target>;
  readonly #parts: UpstreamParts;
  readonly #options: TargetSetOptions;
  readonly #key: string;
  #active = false;
  #unwatch: (() => void) | null = null;

  constructor(parts: UpstreamParts, options: TargetSetOptions, addresses: readonly EndpointAddress[]) {
    const { service, version, zone } = options;
    this.#parts = parts;
    this.#options = options;
    this.#key = `${service.name} ${version}`;
    const targets = this.#build(addresses);
    this.balancer = new Balancer(
      targets,
      {
        kind: service.balance,
        slowStartMs: service.slowStartMs,
        zone: zone === '' || service.localZone === null ? null : { zone, enough: service.localZone },
      },
      randomFraction,
      parts.monotonicMs(),
    );
    this.#unwatch = parts.targets.watch(this.#key, () => this.balancer.refresh(parts.monotonicMs()));
  }

  /** Its configuration is in force now: health checks run. */
  activate(): void {
    if (this.#active) return;
    this.#active = true;
    for (const target of this.balancer.targets) this.#check(target);
    this.#refresh();
  }

  /** Another configuration is in force; requests that began with this one end by what is known. */
  deactivate(): void {
    if (!this.#active) return;
    this.#active = false;
    for (const target of this.balancer.targets) this.#uncheck(target);
  }

  /** No request uses it any more. Idempotent. */
  close(): void {
    this.deactivate();
    this.#unwatch?.();
    this.#unwatch = null;
    const { targets } = this.balancer;
    this.balancer.replace([], this.#parts.monotonicMs());
    this.#release(targets);
  }

  #build(addresses: readonly EndpointAddress[]): Target[] {
    const { endpoints, targets, monotonicMs } = this.#parts;
    const { service, connectMs } = this.#options;
    const joins = targets.knows(this.#key);
    return addresses.map(({ url, weight, zone }): Target => {
      const isNew = joins && !targets.has(this.#key, url);
      const state = targets.acquire(this.#key, url, isNew ? monotonicMs() : undefined);
      if (isNew && service.health !== null) state.joining = true;
      return { id: url, weight, zone, endpoint: endpoints.acquire(url, connectMs), state };
    });
  }

  #release(targets: readonly Target[]): void {
    this.#parts.endpoints.release(targets.map(({ endpoint }) => endpoint));
    for (const { id } of targets) this.#parts.targets.release(this.#key, id);
  }

  #check(target: Target): void {
    const { service, version } = this.#options;
    if (service.health !== null) this.#parts.health.acquire(service.name, version, target, service.health);
  }

  #uncheck({ id }: Target): void {
    const { service, version } = this.#options;
    if (service.health !== null) this.#parts.health.release(service.name, version, id);
  }

  #refresh(): void {
    this.balancer.refresh(this.#parts.monotonicMs());
  }
}
