/**
 * Policies that are always there, for routes of a kind to agree on: extended and overridden like any other. Their
 * names begin with `preset/`, which no policy of a file can.
 * @module
 */

/** As they would be written in YAML; values that are left out have their usual defaults. */
export const PRESETS = {
  /** Reads: quick to give up, tried once more, compressed; what fails is left alone for a moment. */
  'preset/read': {
    timeout: { connect: '1s', response: '2s', total: '5s' },
    retry: { attempts: 1, on: ['connect', 'reset', 502, 503], backoff: { base: '25ms', max: '250ms' } },
    breaker: { errorRate: '20%', window: '10s', minimum: 20 },
    compress: true,
    maxBodyBytes: 65_536,
  },
  /** Writes: more time, and never sent twice unless it never arrived. */
  'preset/write': {
    timeout: { connect: '1s', response: '10s', total: '15s' },
    retry: { attempts: 1, on: ['connect'] },
    breaker: { errorRate: '20%', window: '30s', minimum: 20 },
    maxBodyBytes: 1_048_576,
  },
  /** Reads by anybody: bounds for each address beside those of `preset/read`. */
  'preset/public-api': {
    extends: 'preset/read',
    rateLimits: [{ name: 'preset-address', rate: '20/s', burst: 40, key: ['ip'] }],
    concurrency: { max: 1_000, perKey: { max: 50, key: ['ip'] } },
  },
} as const;
