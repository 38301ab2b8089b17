/**
 * The endpoints of one version under one configuration: builds the targets, swaps them whole, starts and stops
 * what watches them. Gives endpoints back one by one as they go, so that what is under way at them can end.
 * @module
 */

import type { Service } from '../../config/gateway-model.ts';
import {
  type EndpointAddress,
  isDiscovered,
  type ResolverSettings,
  type VersionUpstream,
} from '../../config/policies/upstreams.ts';
import { Balancer } from '../../core/policy/balancer.ts';
import { randomFraction } from '../random-ids.ts';
import type { Discovery } from './discovery.ts';
import type { Endpoint, EndpointRegistry } from './endpoint.ts';
import type { HealthChecks } from './health-checks.ts';
import type { Target, TargetTable } from './target.ts';
import type { TlsFiles } from './tls-files.ts';

export interface UpstreamParts {
  readonly endpoints: EndpointRegistry;
  readonly targets: TargetTable;
  readonly health: HealthChecks;
  readonly discovery: Discovery;
  readonly tls: TlsFiles;
  readonly monotonicMs: () => number;
}

export interface TargetSetOptions {
  readonly service: Service;
  readonly version: string;
  readonly upstream: VersionUpstream;
  readonly resolver: ResolverSettings;
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
  #unwatch: (() => void)[] = [];

  constructor(parts: UpstreamParts, options: TargetSetOptions) {
    const { service, version, zone } = options;
    this.#parts = parts;
    this.#options = options;
    this.#key = `${service.name} ${version}`;
    this.balancer = new Balancer<Target>(
      this.#build([]),
      {
        kind: service.balance,
        slowStartMs: service.slowStartMs,
        zone: zone === '' || service.localZone === null ? null : { zone, enough: service.localZone },
      },
      randomFraction,
      parts.monotonicMs(),
    );
  }

  /** Its configuration is in force now: it follows changes, and health checks run. */
  activate(): void {
    if (this.#active) return;
    this.#active = true;
    const { targets, discovery, tls } = this.#parts;
    this.#unwatch.push(targets.watch(this.#key, () => this.#refresh()));
    const { upstream, resolver } = this.#options;
    this.#unwatch.push(tls.watch(upstream.tls, () => this.#update()));
    for (const source of upstream.endpoints) {
      if (isDiscovered(source)) this.#unwatch.push(discovery.watch(source, resolver, () => this.#update()));
    }
    for (const target of this.balancer.targets) this.#check(target);
    this.#update();
  }

  /** Another configuration is in force; requests that began with this one end by what is known. */
  deactivate(): void {
    if (!this.#active) return;
    this.#active = false;
    for (const end of this.#unwatch.splice(0)) end();
    for (const target of this.balancer.targets) this.#uncheck(target);
  }

  /** No request uses it any more. Idempotent. */
  close(): void {
    this.deactivate();
    const { targets } = this.balancer;
    this.balancer.replace([], this.#parts.monotonicMs());
    this.#release(targets);
  }

  /** From one moment to the next attempts go to what is there now; those under way end where they are. */
  #update(): void {
    const before = this.balancer.targets;
    const after = this.#build(before);
    this.balancer.replace(after, this.#parts.monotonicMs());
    for (const target of after) if (!before.includes(target)) this.#check(target);
    const gone = before.filter((target) => !after.includes(target));
    for (const target of gone) this.#uncheck(target);
    this.#release(gone);
  }

  /** A target that has not changed stays the same object. */
  #build(before: readonly Target[]): Target[] {
    const { targets, monotonicMs } = this.#parts;
    const { service } = this.#options;
    const joins = targets.knows(this.#key);
    return [...this.#addresses().values()].map((address): Target => {
      const endpoint = this.#acquire(address);
      const known = before.find((target) => isAt(target, endpoint, address));
      if (known !== undefined) {
        this.#parts.endpoints.release([endpoint]);
        return known;
      }
      const { url, weight, zone, priority } = address;
      const isNew = joins && !targets.has(this.#key, url);
      const state = targets.acquire(this.#key, url, isNew ? monotonicMs() : undefined);
      if (isNew && service.health !== null) state.joining = true;
      return { id: url, weight, zone, priority, endpoint, state };
    });
  }

  #acquire({ url, servername }: EndpointAddress): Endpoint {
    const { connectMs, service, upstream } = this.#options;
    const { protocol, hostname, port } = new URL(url);
    const material = protocol === 'https:' ? this.#parts.tls.current(upstream.tls) : null;
    return this.#parts.endpoints.acquire({
      origin: url,
      host: servername === '' ? '' : `${servername}${port === '' ? '' : `:${port}`}`,
      servername: upstream.tls.servername ?? (servername || hostname.replace(/^\[|\]$/g, '')),
      connectMs,
      protocol: upstream.protocol,
      trailers: service.requestTrailers.length > 0,
      tls: material === null ? null : { material, verify: upstream.tls.verify },
    });
  }

  /** By URL; the first of several that say the same. */
  #addresses(): ReadonlyMap<string, EndpointAddress> {
    const addresses = new Map<string, EndpointAddress>();
    const { upstream, resolver } = this.#options;
    for (const source of upstream.endpoints) {
      for (const address of isDiscovered(source)
        ? this.#parts.discovery.current(source, resolver)
        : [source]) {
        if (!addresses.has(address.url)) addresses.set(address.url, address);
      }
    }
    return addresses;
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

function isAt(target: Target, endpoint: Endpoint, { url, weight, zone, priority }: EndpointAddress): boolean {
  return (
    target.id === url &&
    target.endpoint === endpoint &&
    target.weight === weight &&
    target.zone === zone &&
    target.priority === priority
  );
}
