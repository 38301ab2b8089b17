/**
 * Everything about upstreams that outlives a configuration: pools, what is known of endpoints, health checks, certificates,
 * discovery.
 * Owns and closes them; knows no requests.
 * @module
 */

import type { GatewayConfig } from '../../config/gateway-model.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { Discovery } from './discovery.ts';
import { EndpointRegistry } from './endpoint.ts';
import { HealthChecks } from './health-checks.ts';
import { TargetTable } from './target.ts';
import type { UpstreamParts } from './target-set.ts';
import { TlsFiles } from './tls-files.ts';

export class Upstreams implements UpstreamParts {
  readonly endpoints = new EndpointRegistry();
  readonly targets = new TargetTable();
  readonly health: HealthChecks;
  readonly discovery: Discovery;
  readonly tls: TlsFiles;
  readonly monotonicMs: () => number;

  constructor(monotonicMs: () => number, logger: Logger) {
    this.monotonicMs = monotonicMs;
    this.tls = new TlsFiles(logger);
    this.discovery = new Discovery(logger);
    this.health = new HealthChecks({ table: this.targets, monotonicMs, logger });
  }

  /**
   * Reads and looks up what is new in `config`. Rejects when certificates cannot be used; what is in force is not
   * touched.
   */
  async prepare(config: GatewayConfig): Promise<void> {
    await this.tls.prepare(config);
    await this.discovery.prepare(config);
  }

  /** `config` is in force: what it does not name ends. */
  retain(config: GatewayConfig): void {
    this.tls.retain(config);
    this.discovery.retain(config);
  }

  /** Ends everything at once. */
  async close(): Promise<void> {
    this.tls.close();
    this.discovery.close();
    this.health.close();
    await this.endpoints.close();
  }
}
