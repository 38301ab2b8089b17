/**
 * Everybody who vouches for callers, opened from the configuration. Outlives reloads: keys and answers of a provider
 * that has not changed stay, so that a reload while it is down changes nothing.
 * @module
 */

import type { GatewayConfig } from '../../config/gateway-model.ts';
import type { JwtProvider } from '../../config/policies/identity.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { AuthMetrics } from './auth-metrics.ts';
import { ProviderClient } from './bounded-fetch.ts';
import { JwtVerifier, keysOfFile } from './jwt-verifier.ts';
import { KeySource } from './key-source.ts';
import type { TokenVerifier } from './token-verifier.ts';

/** By kind and name: `jwt main`. */
export type Verifiers = ReadonlyMap<string, TokenVerifier>;

export interface IdentityOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: AuthMetrics;
}

export class IdentityProviders {
  readonly #options: IdentityOptions;
  readonly #client = new ProviderClient();
  /** By everything that makes them what they are. */
  #held = new Map<string, TokenVerifier>();
  #next = new Map<string, TokenVerifier>();

  constructor(options: IdentityOptions) {
    this.#options = options;
  }

  /** One verifier for each provider. Rejects when a file cannot be used; then what is held stays. */
  async open(config: GatewayConfig): Promise<Verifiers> {
    this.#next = new Map();
    const verifiers = new Map<string, TokenVerifier>();
    for (const [name, provider] of Object.entries(config.jwt)) {
      verifiers.set(`jwt ${name}`, await this.#jwt(name, provider, config.path));
    }
    this.#held = this.#next;
    return verifiers;
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  async #jwt(name: string, provider: JwtProvider, configPath: string): Promise<TokenVerifier> {
    const { clock, logger, metrics } = this.#options;
    const { jwks } = provider;
    // A file is read again with every reload: its keys may be others.
    if ('file' in jwks) {
      return new JwtVerifier(provider, await keysOfFile(jwks.file, configPath, logger), clock);
    }
    return this.#keep(`jwt ${name} ${JSON.stringify(provider)}`, () => {
      const health = metrics.provider('jwt', name);
      const source = new KeySource({ url: jwks.url, ask: this.#client.ask, clock, logger, health });
      return new JwtVerifier(provider, source.find, clock);
    });
  }

  #keep(key: string, make: () => TokenVerifier): TokenVerifier {
    const verifier = this.#held.get(key) ?? make();
    this.#next.set(key, verifier);
    return verifier;
  }
}
