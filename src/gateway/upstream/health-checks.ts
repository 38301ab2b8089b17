/**
 * Active health checks: one checker for each endpoint of a version, with timers and connections of its own, so that
 * a busy pool does not look like a sick endpoint. Probes are no attempts: no version is judged by them.
 * @module
 */

import type { HealthPolicy } from '../../config/policies/health.ts';
import { forgetHealth, noteProbe } from '../../core/policy/health.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { randomFraction } from '../random-ids.ts';
import { probe } from './probe.ts';
import type { Target, TargetTable } from './target.ts';

export interface HealthParts {
  readonly table: TargetTable;
  readonly monotonicMs: () => number;
  readonly logger: Logger;
}

/** All checkers of a gateway; a checker goes on over reloads, with what it knows. */
export class HealthChecks {
  readonly #parts: HealthParts;
  readonly #checkers = new Map<string, Checker>();

  constructor(parts: HealthParts) {
    this.#parts = parts;
  }

  /** `service` and `version` name the target. Give back with `release`, once each. */
  acquire(service: string, version: string, target: Target, policy: HealthPolicy): void {
    const key = `${service} ${version} ${target.id}`;
    let checker = this.#checkers.get(key);
    if (checker === undefined) {
      checker = new Checker(this.#parts, service, version, target, policy);
      this.#checkers.set(key, checker);
      checker.start();
    } else checker.adopt(target, policy);
    checker.users += 1;
  }

  release(service: string, version: string, id: string): void {
    const key = `${service} ${version} ${id}`;
    const checker = this.#checkers.get(key);
    if (checker === undefined) return;
    checker.users -= 1;
    if (checker.users > 0) return;
    this.#checkers.delete(key);
    checker.stop();
  }

  close(): void {
    for (const checker of this.#checkers.values()) checker.stop();
    this.#checkers.clear();
  }
}

class Checker {
  users = 0;
  readonly #parts: HealthParts;
  readonly #service: string;
  readonly #version: string;
  #target: Target;
  #policy: HealthPolicy;
  #timer: NodeJS.Timeout | null = null;
  #abort: AbortController | null = null;
  #stopped = false;

  constructor(parts: HealthParts, service: string, version: string, target: Target, policy: HealthPolicy) {
    this.#parts = parts;
    this.#service = service;
    this.#version = version;
    this.#target = target;
    this.#policy = policy;
  }

  start(): void {
    void this.#probe();
  }

  /** Goes on under a new configuration; a changed check asks at once. */
  adopt(target: Target, policy: HealthPolicy): void {
    const changed = JSON.stringify(policy) !== JSON.stringify(this.#policy);
    this.#target = target;
    this.#policy = policy;
    if (!changed || this.#timer === null) return;
    clearTimeout(this.#timer);
    this.#timer = null;
    void this.#probe();
  }

  /** Idempotent. Whoever is left over counts as well. */
  stop(): void {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#abort?.abort();
    if (forgetHealth(this.#target.state)) this.#parts.table.changed(this.#key);
  }

  get #key(): string {
    return `${this.#service} ${this.#version}`;
  }

  async #probe(): Promise<void> {
    const reason = await this.#ask();
    if (this.#stopped) return;
    const { table, monotonicMs, logger } = this.#parts;
    const { state, endpoint } = this.#target;
    if (noteProbe(state, reason === '', this.#policy, monotonicMs())) {
      const place = { service: this.#service, version: this.#version, endpoint: endpoint.origin };
      if (reason === '') logger.info(place, 'endpoint is healthy');
      else logger.warn({ ...place, reason }, 'endpoint is unhealthy');
      table.changed(this.#key);
    }
    const { intervalMs, jitter } = this.#policy;
    // Spread, so that gateways which started together do not probe together for ever.
    const waitMs = intervalMs * (1 + jitter * (2 * randomFraction() - 1));
    this.#timer = setTimeout(() => {
      this.#timer = null;
      void this.#probe();
    }, waitMs);
    this.#timer.unref();
  }

  /** Empty: it is well; else why not. Never throws. */
  async #ask(): Promise<string> {
    const abort = new AbortController();
    this.#abort = abort;
    try {
      const status = await probe(this.#target.endpoint, this.#policy, abort.signal);
      const well = this.#policy.expect.some(({ from, to }) => status >= from && status <= to);
      return well ? '' : `status ${status}`;
    } catch (error) {
      if (!(error instanceof Error)) return String(error);
      return 'code' in error ? String(error.code) : error.message;
    } finally {
      this.#abort = null;
    }
  }
}
