/**
 * Everything about upstreams that outlives a configuration: pools, what is known of endpoints, health checks, discovery.
 * Owns and closes them; knows no requests.
 * @module
 */

import type { Logger } from '../../telemetry/logger.ts';
import { Discovery } from './discovery.ts';
import { EndpointRegistry } from './endpoint.ts';
import { HealthChecks } from './health-checks.ts';
import { TargetTable } from './target.ts';
import type { UpstreamParts } from './target-set.ts';

export class Upstreams implements UpstreamParts {
  readonly endpoints = new EndpointRegistry();
  readonly targets = new TargetTable();
  readonly health: HealthChecks;
  readonly discovery: Discovery;
  readonly monotonicMs: () => number;

  constructor(monotonicMs: () => number, logger: Logger) {
    this.monotonicMs = monotonicMs;
    this.discovery = new Discovery(logger);
    this.health = new HealthChecks({ table: this.targets, monotonicMs, logger });
  }

  /** Ends everything at once. */
  async close(): Promise<void> {
    this.discovery.close();
    this.health.close();
    await this.endpoints.close();
  }
}
