/**
 * Series for Prometheus whose values are read at each scrape, so that requests pay nothing for them.
 * Knows neither names nor what is read.
 * @module
 */

import { Counter, Gauge, type Registry } from 'prom-client';

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface SeriesOptions {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly string[];
}

/** Values of the same labels add up. */
export function sampledGauge(registry: Registry, options: SeriesOptions, read: () => Iterable<Sample>): void {
  new Gauge({ ...options, registers: [registry], collect: sumOf(read) });
}

/** `read` gives totals so far. */
export function sampledCounter(
  registry: Registry,
  options: SeriesOptions,
  read: () => Iterable<Sample>,
): void {
  new Counter({ ...options, registers: [registry], collect: sumOf(read) });
}

function sumOf(read: () => Iterable<Sample>) {
  return function collect(this: Gauge | Counter): void {
    this.reset();
    for (const { labels, value } of read()) this.inc(labels, value);
  };
}
