import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createPrometheusSource } from '../../../src/adapters/prometheus/prometheus-source.ts';
import { type RuleQueryId, ruleQueries } from '../../../src/core/analysis/rule-queries.ts';
import { CLIENT_DURATION, LABEL } from '../../../src/core/domain/metric-names.ts';
import type { Condition } from '../../../src/core/domain/rule.ts';
import type { MetricResult } from '../../../src/ports/metric-source.ts';
import {
  type MetricsTarget,
  type PrometheusServer,
  startMetricsTarget,
  startPrometheus,
} from '../../support/prometheus-server.ts';

const SCRAPE_MS = 250;
const WINDOW_MS = 60_000;
const NEVER = new AbortController().signal;
const P95 = { kind: 'quantile-limit', quantile: 0.95, limitMs: 800 } as const;
const IDLE = { baseline: 'v1', canary: 'idle' };

/** Attempts of one kind, so far: how many were over by 0.1 s, by 0.25 s and at all. */
interface Series {
  readonly version: string;
  readonly status: string;
  readonly error: string;
  readonly counts: readonly [number, number, number];
}

function exposition(series: readonly Series[]): string {
  const lines = [`# TYPE ${CLIENT_DURATION} histogram`];
  for (const { version, status, error, counts } of series) {
    const labels = `${LABEL.service}="orders",${LABEL.version}="${version}",${LABEL.status}="${status}",${LABEL.error}="${error}"`;
    const [fast, medium, all] = counts;
    lines.push(
      `${CLIENT_DURATION}_bucket{${labels},le="0.1"} ${fast}`,
      `${CLIENT_DURATION}_bucket{${labels},le="0.25"} ${medium}`,
      `${CLIENT_DURATION}_bucket{${labels},le="+Inf"} ${all}`,
      `${CLIENT_DURATION}_sum{${labels}} ${all / 10}`,
      `${CLIENT_DURATION}_count{${labels}} ${all}`,
    );
  }
  return `${lines.join('\n')}\n`;
}

// Counters do not start at zero here, as those of a gateway that has run for a while do not.
const BEFORE: readonly Series[] = [
  { version: 'v1', status: '200', error: '', counts: [500, 900, 1000] },
  { version: 'v1', status: '500', error: '', counts: [7, 7, 7] },
  { version: 'v2', status: '200', error: '', counts: [100, 100, 100] },
  { version: 'v2', status: '404', error: '', counts: [5, 5, 5] },
  { version: 'v2', status: '503', error: '', counts: [1, 1, 1] },
  { version: 'v2', status: '503', error: 'reset', counts: [2, 2, 2] },
  { version: 'v2', status: '', error: 'connect', counts: [3, 3, 3] },
  { version: 'v2', status: '', error: 'timeout', counts: [4, 4, 4] },
  { version: 'v2', status: '200', error: 'reset', counts: [1, 1, 1] },
  { version: 'v2', status: '', error: 'client_abort', counts: [9, 9, 9] },
  { version: 'v2', status: '500', error: 'client_abort', counts: [9, 9, 9] },
  { version: 'spotless', status: '200', error: '', counts: [10, 10, 10] },
  { version: 'idle', status: '200', error: '', counts: [10, 10, 10] },
];

/** What happens between the two: with the key `version status error`. */
const GROWTH: Readonly<Record<string, readonly [number, number, number]>> = {
  'v1 200 ': [400, 800, 900],
  'v1 500 ': [0, 50, 100],
  'v2 200 ': [100, 300, 400],
  'v2 404 ': [20, 20, 20],
  'v2 503 ': [0, 0, 8],
  'v2 503 reset': [0, 0, 4],
  'v2  connect': [2, 2, 2],
  'v2  timeout': [0, 0, 16],
  'v2 200 reset': [0, 0, 10],
  'v2  client_abort': [1000, 1000, 1000],
  'v2 500 client_abort': [1000, 1000, 1000],
  'spotless 200 ': [50, 50, 50],
};

function grown(): readonly Series[] {
  return BEFORE.map((series) => {
    const growth = GROWTH[`${series.version} ${series.status} ${series.error}`] ?? [0, 0, 0];
    const [fast, medium, all] = series.counts;
    return { ...series, counts: [fast + growth[0], medium + growth[1], all + growth[2]] };
  });
}

describe('ruleQueries on a real Prometheus', () => {
  let target: MetricsTarget;
  let prometheus: PrometheusServer;
  const scraped = (times: number) =>
    vi.waitFor(() => expect(target.scrapes()).toBeGreaterThanOrEqual(times), 20_000);

  beforeAll(async () => {
    target = await startMetricsTarget();
    target.expose(exposition(BEFORE));
    prometheus = await startPrometheus({ targets: [target.address], scrapeIntervalMs: SCRAPE_MS });
    await scraped(12);
    target.expose(exposition(grown()));
    // The scrape after the last one that counts has begun, so that one has been stored.
    await scraped(11);
  });

  afterAll(async () => {
    await prometheus?.stop();
    await target?.close();
  });

  async function answers(
    condition: Condition,
    arms: { baseline: string; canary: string } = { baseline: 'v1', canary: 'v2' },
    overMs = WINDOW_MS,
  ): Promise<Partial<Record<RuleQueryId, MetricResult>>> {
    const source = createPrometheusSource({ url: prometheus.url, timeoutMs: 5000, bearerToken: null });
    const rule = {
      text: '',
      condition,
      overMs,
      forMs: 0,
      minRequests: 50,
      floor: null,
      source: 'prometheus',
    } as const;
    const nowMs = Date.now();
    const asked = ruleQueries(rule, { service: 'orders', ...arms }).map(
      async ({ id, promql }) => [id, await source.query(promql, nowMs, NEVER)] as const,
    );
    return Object.fromEntries(await Promise.all(asked));
  }

  function numberOf(result: MetricResult | undefined): number {
    if (result?.kind !== 'value') throw new Error(`expected a value, got ${JSON.stringify(result)}`);
    return result.value;
  }

  // `increase` extrapolates by up to half a scrape interval beyond the first and the last sample.
  function expectAbout(result: MetricResult | undefined, count: number): void {
    expect(numberOf(result)).toBeGreaterThanOrEqual(count * 0.999);
    expect(numberOf(result)).toBeLessThanOrEqual(count * 1.2);
  }

  it('interpolates quantiles in seconds over all series of a version', async () => {
    const result = await answers({ kind: 'quantile-ratio', quantile: 0.5, factor: 1.5 });
    // Baseline: 1000 attempts, 400 within 0.1 s and 850 within 0.25 s; the 500th is 100/450 of the way.
    expect(numberOf(result['baseline-quantile'])).toBeCloseTo(0.1 + 0.15 * (100 / 450), 6);
    // Canary: 460 attempts, 122 within 0.1 s and 322 within 0.25 s; the 230th is 108/200 of the way.
    expect(numberOf(result['canary-quantile'])).toBeCloseTo(0.1 + 0.15 * (108 / 200), 6);
    expectAbout(result['canary-total'], 460);
  });

  it('reads a quantile beyond the last bucket as that bucket’s bound', async () => {
    const result = await answers({ kind: 'quantile-limit', quantile: 0.99, limitMs: 800 });
    expect(numberOf(result['canary-quantile'])).toBe(0.25);
  });

  it('is empty for a version that is not there', async () => {
    const result = await answers(P95, { baseline: 'v1', canary: 'v3' });
    expect(result['canary-total']).toEqual({ kind: 'empty' });
    expect(result['canary-quantile']).toEqual({ kind: 'empty' });
  });

  it('has a count of 0 and no quantile for a version without traffic in the window', async () => {
    const result = await answers(P95, IDLE);
    expect(numberOf(result['canary-total'])).toBe(0);
    expect(result['canary-quantile']).toEqual({ kind: 'nan' });
  });

  it('is empty when the window is too short for two scrapes', async () => {
    expect((await answers(P95, undefined, 1))['canary-total']).toEqual({ kind: 'empty' });
  });

  it('sees requests whose series appears with them and never grows, which increase alone does not', async () => {
    const burst: Series = { version: 'idle', status: '503', error: '', counts: [20, 20, 20] };
    const windowMs = 4000;
    // From here on Prometheus has been scraping for more than a window.
    await scraped(11 + windowMs / SCRAPE_MS);
    const total = async () => numberOf((await answers(P95, IDLE, windowMs))['canary-total']);
    expect(await total()).toBe(0);
    target.expose(exposition([...grown(), burst]));
    await vi.waitFor(async () => expect(await total()).toBe(20), 10_000);
    await scraped(3);
    const quantiles = await answers({ ...P95, quantile: 0.5 }, IDLE, windowMs);
    expect(numberOf(quantiles['canary-quantile'])).toBeCloseTo(0.05, 6);
    const series = `${CLIENT_DURATION}_count{${LABEL.version}="idle",${LABEL.status}="503"}`;
    const source = createPrometheusSource({ url: prometheus.url, timeoutMs: 5000, bearerToken: null });
    const naive = await source.query(`sum(increase(${series}[4s]))`, Date.now(), NEVER);
    expect(naive).toMatchObject({ kind: 'value', value: 0 });
    // A window later they are past.
    await vi.waitFor(async () => expect(await total()).toBe(0), 20_000);
  });

  it('is one value for a promql rule whatever the window', async () => {
    const query = `count(${CLIENT_DURATION}_count{${LABEL.version}="v2"})`;
    const result = await answers({ kind: 'promql', query, operator: '>', limit: 1 });
    expect(numberOf(result.scalar)).toBe(9);
  });
});
