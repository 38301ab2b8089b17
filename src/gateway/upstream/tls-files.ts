/**
 * Certificates and keys for connections to upstreams: reads them, and reads them again when their files change.
 * Files that do not fit together change nothing. Outlives configurations; opens no connection.
 * @module
 */

import { readFile } from 'node:fs/promises';
import { createSecureContext, type SecureContext } from 'node:tls';
import type { GatewayConfig } from '../../config/gateway-model.ts';
import type { UpstreamTls } from '../../config/policies/upstream-tls.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { WatchedFiles } from '../watched-files.ts';

/** What was read last. */
export interface TlsMaterial {
  /** Tells this reading from all others of the process. */
  readonly revision: number;
  readonly context: SecureContext;
}

let revisions = 0;

export class TlsFiles {
  readonly #logger: Logger;
  readonly #held = new Map<string, WatchedFiles<TlsMaterial>>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Reads what is new in `config`. Rejects when something cannot be used; what is held stays. */
  async prepare(config: GatewayConfig): Promise<void> {
    for (const [key, tls] of settingsOf(config)) {
      if (this.#held.has(key)) continue;
      const held = await WatchedFiles.open({
        files: filesOf(tls),
        read: () => readMaterial(tls),
        what: 'certificates for upstreams',
        logger: this.#logger,
      });
      this.#held.set(key, held);
    }
  }

  /** Forgets what is not in `config`. */
  retain(config: GatewayConfig): void {
    const kept = settingsOf(config);
    for (const [key, held] of this.#held) {
      if (kept.has(key)) continue;
      held.stop();
      this.#held.delete(key);
    }
  }

  /** Null when it was not prepared. */
  current(tls: UpstreamTls): TlsMaterial | null {
    return this.#held.get(keyOf(tls))?.value ?? null;
  }

  /** Calls `onChange` after each new reading; returns what ends that. */
  watch(tls: UpstreamTls, onChange: () => void): () => void {
    const listeners = this.#held.get(keyOf(tls))?.listeners;
    listeners?.add(onChange);
    return () => listeners?.delete(onChange);
  }

  /** Sets of files that have changed and cannot be used. */
  get stale(): number {
    return [...this.#held.values()].filter(({ stale }) => stale).length;
  }

  close(): void {
    for (const held of this.#held.values()) held.stop();
    this.#held.clear();
  }
}

async function readMaterial(tls: UpstreamTls): Promise<TlsMaterial> {
  const read = (path: string | null) => (path === null ? undefined : readFile(path));
  const [ca, cert, key] = await Promise.all([read(tls.ca), read(tls.cert), read(tls.key)]);
  const context = createSecureContext({
    minVersion: 'TLSv1.2',
    ...(ca && { ca }),
    ...(cert && { cert }),
    ...(key && { key }),
  });
  revisions += 1;
  return { revision: revisions, context };
}

function filesOf({ ca, cert, key }: UpstreamTls): string[] {
  return [ca, cert, key].filter((path) => path !== null);
}

/** What is read depends on the files only. */
function keyOf(tls: UpstreamTls): string {
  return JSON.stringify([tls.ca, tls.cert, tls.key]);
}

function settingsOf(config: GatewayConfig): Map<string, UpstreamTls> {
  const settings = new Map<string, UpstreamTls>();
  for (const service of Object.values(config.services)) {
    for (const { tls } of Object.values(service.versions)) settings.set(keyOf(tls), tls);
  }
  return settings;
}
