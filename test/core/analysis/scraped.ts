/** Counters of simulated targets as Prometheus would have scraped them: each target at moments of its own. */

import type { CounterReading } from '../../../src/core/analysis/counter-reading.ts';
import type { CounterSeries } from '../../../src/core/analysis/counter-samples.ts';

export interface Sample {
  readonly atMs: number;
  readonly value: number;
}

export function series(labels: Readonly<Record<string, string>>, samples: readonly Sample[]): CounterSeries {
  return { labels, atMs: samples.map(({ atMs }) => atMs), values: samples.map(({ value }) => value) };
}

/** A pod of one version that counts requests and bad ones, and is scraped every `scrapeMs`. */
export class Pod {
  readonly #labels: Readonly<Record<string, string>>;
  readonly #nextScrape: (lastMs: number) => number;
  #scrapeAtMs: number;
  #total = 0;
  #bad = 0;
  readonly totals: Sample[] = [];
  readonly bads: Sample[] = [];

  constructor(name: string, phaseMs: number, scrapeMs: number) {
    this.#labels = { job: 'pods', instance: name };
    this.#scrapeAtMs = phaseMs;
    this.#nextScrape = (lastMs) => lastMs + scrapeMs;
  }

  /** Scrapes come before what is counted at the same moment. */
  count(atMs: number, total: number, bad: number): void {
    while (this.#scrapeAtMs <= atMs) {
      this.totals.push({ atMs: this.#scrapeAtMs, value: this.#total });
      this.bads.push({ atMs: this.#scrapeAtMs, value: this.#bad });
      this.#scrapeAtMs = this.#nextScrape(this.#scrapeAtMs);
    }
    this.#total += total;
    this.#bad += bad;
  }

  /** The process begins again: its counters are at 0. */
  restart(): void {
    this.#total = 0;
    this.#bad = 0;
  }

  total(): CounterSeries {
    return series({ __name__: 'requests_total', ...this.#labels }, this.totals);
  }

  bad(): CounterSeries {
    return series({ __name__: 'failed_total', ...this.#labels }, this.bads);
  }
}

/** What is stored by `untilMs`. */
export function readingOf(
  canary: readonly Pod[],
  baseline: readonly Pod[],
  untilMs = Number.POSITIVE_INFINITY,
): CounterReading {
  const stored = (each: CounterSeries): CounterSeries => {
    const count = each.atMs.filter((atMs) => atMs <= untilMs).length;
    return { ...each, atMs: each.atMs.slice(0, count), values: each.values.slice(0, count) };
  };
  const arm = (pods: readonly Pod[]) => ({
    total: [pods.map((pod) => stored(pod.total()))],
    bad: [pods.map((pod) => stored(pod.bad()))],
  });
  return { canary: arm(canary), baseline: arm(baseline), up: [] };
}
