/**
 * Counters of rules, read from a real Prometheus that scrapes a real target: every event is counted once.
 */

import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createPrometheusSource } from '../../../src/adapters/prometheus/prometheus-source.ts';
import type { CounterInterval } from '../../../src/core/analysis/counter-interval.ts';
import { type AskSamples, readCounters } from '../../../src/core/analysis/counter-reader.ts';
import { counterSelectors } from '../../../src/core/analysis/counter-selectors.ts';
import { CounterTrack } from '../../../src/core/analysis/counter-track.ts';
import { CLIENT_DURATION, LABEL } from '../../../src/core/domain/metric-names.ts';
import { plan, RULE } from '../../core/rollout/plans.ts';
import {
  type MetricsTarget,
  type PrometheusServer,
  startMetricsTarget,
  startPrometheus,
} from '../../support/prometheus-server.ts';

const NEVER = new AbortController().signal;
const SCRAPE_MS = 200;

/** Attempts so far, by `version status error`. */
type Attempts = Readonly<Record<string, number>>;

function exposition(attempts: Attempts): string {
  const lines = Object.entries(attempts).map(([kind, count]) => {
    const [version, status, error] = kind.split(' ');
    const labels = `${LABEL.service}="orders",${LABEL.version}="${version}",${LABEL.status}="${status}",${LABEL.error}="${error}"`;
    return `${CLIENT_DURATION}_count{${labels}} ${count}`;
  });
  return `# TYPE ${CLIENT_DURATION} histogram\n${lines.join('\n')}\n`;
}

// Counters do not start at zero here, as those of a gateway that has run for a while do not.
const BEFORE: Attempts = {
  'v1 200 ': 1000,
  'v1 500 ': 7,
  'v2 200 ': 100,
  'v2 503 ': 1,
  'v2 503 reset': 2,
  'v2  connect': 3,
  'v2 200 client_abort': 9,
};

/** What is exposed, one after the other, each for some scrapes. */
const STORY: readonly Attempts[] = [
  BEFORE,
  { ...BEFORE, 'v1 200 ': 1900, 'v1 500 ': 107, 'v2 200 ': 500, 'v2 503 ': 9, 'v2 503 reset': 6 },
  // A first time-out: a series that appears with its errors and never grows.
  {
    ...BEFORE,
    'v1 200 ': 2000,
    'v1 500 ': 107,
    'v2 200 ': 500,
    'v2 503 ': 9,
    'v2 503 reset': 6,
    'v2  timeout': 20,
    'v2 200 client_abort': 900,
  },
  // The gateway has begun again.
  { 'v1 200 ': 50, 'v2 200 ': 5, 'v2 503 ': 2 },
  { 'v1 200 ': 90, 'v2 200 ': 9, 'v2 503 ': 3, 'v1 500 ': 4 },
];
const EXPECTED = {
  canary: { total: 400 + 8 + 4 + 20 + (5 + 2) + (4 + 1), bad: 8 + 4 + 20 + 2 + 1 },
  baseline: { total: 900 + 100 + 100 + 50 + 40 + 4, bad: 100 + 4 },
};

describe('counters on a real Prometheus', { timeout: 60_000 }, () => {
  let target: MetricsTarget;
  let prometheus: PrometheusServer;

  beforeAll(async () => {
    target = await startMetricsTarget();
    target.expose(exposition(BEFORE));
    prometheus = await startPrometheus({ targets: [target.address], scrapeIntervalMs: SCRAPE_MS });
    await scraped(4);
  });

  afterAll(async () => {
    await prometheus?.stop();
    await target?.close();
  });

  const scraped = (times: number) =>
    vi.waitFor(() => expect(target.scrapes()).toBeGreaterThanOrEqual(times), 20_000);

  const source = () => createPrometheusSource({ url: prometheus.url, timeoutMs: 5000, bearerToken: null });

  it('count every attempt once, through first errors and a restart, in whatever intervals they are asked for', async () => {
    const thePlan = plan({ abort: [{ ...RULE, source: 'prometheus' }] });
    const [rule] = thePlan.abort;
    if (rule === undefined) throw new Error('the plan has a rule');
    const ask: AskSamples = async (selector, fromMs, toMs) => {
      const answer = await source().samples(selector, fromMs, toMs, NEVER);
      if (answer.kind !== 'series') throw new Error(JSON.stringify(answer));
      return answer.series;
    };
    const track = new CounterTrack({ rule, at: 0, sinceMs: Date.now(), countedToMs: null, scrapeMs: null });
    const intervals: CounterInterval[] = [];
    const readOn = async () => {
      const nowMs = Date.now();
      const span = track.next(nowMs);
      const reading = await readCounters(ask, counterSelectors(rule, thePlan), span);
      if ('cause' in reading) throw new Error(reading.detail);
      intervals.push(...track.advance(reading, span, nowMs, []));
    };
    for (const attempts of STORY) {
      target.expose(exposition(attempts));
      await scraped(12);
      await readOn();
    }
    const sum = () => {
      const total = { canary: { total: 0, bad: 0 }, baseline: { total: 0, bad: 0 } };
      for (const each of intervals) {
        for (const arm of ['canary', 'baseline'] as const) {
          total[arm].total += each[arm].total;
          total[arm].bad += each[arm].bad;
        }
      }
      return total;
    };
    await vi.waitFor(async () => {
      await readOn();
      expect(sum()).toEqual(EXPECTED);
    }, 20_000);
    for (const [at, each] of intervals.slice(1).entries()) expect(each.fromMs).toBe(intervals[at]?.toMs);
    expect(intervals.length).toBeGreaterThan(5);
  });

  it('come as samples with the times of their scrapes, nothing in between', async () => {
    const answer = await source().samples(`${CLIENT_DURATION}_count`, Date.now() - 60_000, Date.now(), NEVER);
    if (answer.kind !== 'series') throw new Error(JSON.stringify(answer));
    const [first] = answer.series;
    expect(first?.labels).toMatchObject({ job: 'sluice', instance: target.address });
    const gaps = first?.atMs.slice(1).map((each, at) => each - (first.atMs[at] ?? 0)) ?? [];
    expect(gaps.toSorted((a, b) => a - b)[gaps.length >> 1]).toBeCloseTo(SCRAPE_MS, -2);
  });

  it('are refused with the reason when the selector is none', async () => {
    expect(await source().samples('sum(x)', Date.now() - 1000, Date.now(), NEVER)).toMatchObject({
      kind: 'refused',
      detail: expect.stringContaining('ranges only allowed'),
    });
    expect(await source().samples('nothing_there', Date.now() - 1000, Date.now(), NEVER)).toEqual({
      kind: 'series',
      series: [],
    });
  });
});
