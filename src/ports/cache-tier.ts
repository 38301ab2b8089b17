/**
 * Stored responses that gateways share, as opaque values below a resource. Adapters: in process and over Redis; one
 * conformance suite (`test/conformance/cache-tier.ts`) runs on each. Knows nothing of HTTP.
 * @module
 */

/** Values of one resource; more start it anew. */
export const TIER_VALUES = 64;

export interface CacheTier {
  /** Rejects with `UNAVAILABLE` when the tier cannot be reached, as the others do. */
  get(resource: string, key: string): Promise<Buffer | null>;
  /** All values of a resource last at least as long as the newest that asks for longest: who reads checks. */
  put(resource: string, key: string, value: Buffer, ttlMs: number): Promise<void>;
  /** Drops all values of a resource. */
  drop(resource: string): Promise<void>;
}
