/**
 * The traffic of a service as forecasts, bounds and plans speak of it: how much, and how much of it fails by itself.
 * Knows neither where the figures come from nor what they are used for.
 * @module
 */

/** Steady traffic of a healthy service. */
export interface ServiceTraffic {
  /** Of all versions together. */
  readonly requestsPerSecond: number;
  /** Share of requests that fail, 0–1. */
  readonly errorRate: number;
}
