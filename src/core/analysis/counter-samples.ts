/**
 * Scraped counters as they are: samples with the time of their scrape, and what was counted between them. Every event
 * falls to exactly one sample, so that intervals which share no sample share no event. Knows no query and no rule.
 * @module
 */

/** One series: its samples in ascending order of time. */
export interface CounterSeries {
  readonly labels: Readonly<Record<string, string>>;
  /** Time of each scrape, epoch milliseconds. */
  readonly atMs: readonly number[];
  /** One per scrape. */
  readonly values: readonly number[];
}

/** Without a sample for so many scrape intervals a target is gone, and what it counted meanwhile has no known time. */
export const STALE_SCRAPES = 2.5;
/** Prometheus takes a series for gone after this long, so no scrape interval is longer. */
export const LOOKBACK_MS = 300_000;

/** What a series, or several, counted in an interval. */
export interface Counted {
  readonly count: number;
  /** The earliest moment that it may have happened at, epoch milliseconds: the scrape before the first that counts. */
  readonly sinceMs: number;
}

/** When targets were scraped, whatever series they had then. */
export class Scrapes {
  readonly #byTarget = new Map<string, number[]>();

  constructor(series: Iterable<CounterSeries>) {
    for (const { labels, atMs } of series) {
      const target = targetOf(labels);
      const known = this.#byTarget.get(target) ?? [];
      for (const each of atMs) known.push(each);
      this.#byTarget.set(target, known);
    }
    for (const known of this.#byTarget.values()) known.sort((a, b) => a - b);
  }

  /** The newest scrape of a target before `beforeMs`; null without any. */
  before(target: string, beforeMs: number): number | null {
    const known = this.#byTarget.get(target) ?? [];
    let low = 0;
    let high = known.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((known[middle] as number) < beforeMs) low = middle + 1;
      else high = middle;
    }
    return known[low - 1] ?? null;
  }
}

/** What exposes a series. A series without these labels is a target of its own. */
export function targetOf(labels: CounterSeries['labels']): string {
  const { job, instance } = labels;
  return instance === undefined ? seriesKey(labels) : JSON.stringify([job ?? '', instance]);
}

/** The same for the same labels, in whatever order they come. */
export function seriesKey(labels: CounterSeries['labels']): string {
  return JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Time of the newest sample, epoch milliseconds; null without any. */
export function newestMs(series: Iterable<CounterSeries>): number | null {
  let newest: number | null = null;
  for (const { atMs } of series) newest = Math.max(newest ?? 0, atMs.at(-1) ?? 0);
  return newest;
}

/**
 * Up to when nothing more will be scraped: a target's scrapes come in order, so the one that is furthest behind says,
 * in any of the answers. Those that have been silent for too long are not waited for.
 */
export function completeToMs(
  answers: readonly (readonly CounterSeries[])[],
  scrapeMs: number,
): number | null {
  const newest = newestMs(answers.flat());
  if (newest === null) return null;
  let complete = newest;
  for (const series of answers) {
    const byTarget = new Map<string, number>();
    for (const { labels, atMs } of series) {
      const target = targetOf(labels);
      byTarget.set(target, Math.max(byTarget.get(target) ?? 0, atMs.at(-1) ?? 0));
    }
    for (const last of byTarget.values()) {
      if (newest - last <= STALE_SCRAPES * scrapeMs) complete = Math.min(complete, last);
    }
  }
  return complete;
}

/** The usual time between two samples, milliseconds: of the series that is scraped least often. Null: unknown yet. */
export function scrapeIntervalMs(series: Iterable<CounterSeries>): number | null {
  let longest: number | null = null;
  const all = [...series];
  // Two samples may have an outage between them: they say something only where nothing else does.
  const least = all.some(({ atMs }) => atMs.length > 2) ? 3 : 2;
  for (const { atMs } of all) {
    if (atMs.length < least) continue;
    const gaps = atMs
      .slice(1)
      .map((each, at) => each - (atMs[at] as number))
      .filter((gap) => gap <= LOOKBACK_MS);
    if (gaps.length === 0) continue;
    gaps.sort((a, b) => a - b);
    longest = Math.max(longest ?? 0, gaps[gaps.length >> 1] as number);
  }
  return longest;
}

/**
 * What the series counted in scrapes after `fromMs` up to and including `toMs`, each series once. A counter that falls
 * has begun again at 0. A series that appears on a target which was scraped just before has begun at 0 as well; on one
 * that was not, nobody knows when, so its first sample counts nothing.
 */
export function countBetween(
  series: Iterable<CounterSeries>,
  scrapes: Scrapes,
  { fromMs, toMs }: { readonly fromMs: number; readonly toMs: number },
  scrapeMs: number,
): Counted {
  const reachMs = STALE_SCRAPES * scrapeMs;
  let count = 0;
  let sinceMs = fromMs;
  for (const { labels, atMs, values } of series) {
    for (let at = firstAfter(atMs, fromMs); at < atMs.length && (atMs[at] as number) <= toMs; at += 1) {
      const sampledMs = atMs[at] as number;
      const value = values[at] as number;
      const follows = at > 0 && sampledMs - (atMs[at - 1] as number) <= reachMs;
      const beforeMs = follows ? (atMs[at - 1] as number) : scrapes.before(targetOf(labels), sampledMs);
      if (beforeMs === null || sampledMs - beforeMs > reachMs) continue;
      const earlier = follows ? (values[at - 1] as number) : 0;
      count += value < earlier ? value : value - earlier;
      sinceMs = Math.min(sinceMs, beforeMs);
    }
  }
  return { count, sinceMs };
}

/** Index of the first time after `ms`. */
function firstAfter(atMs: readonly number[], ms: number): number {
  let low = 0;
  let high = atMs.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((atMs[middle] as number) <= ms) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The series of several answers, each once. */
export function united(answers: readonly (readonly CounterSeries[])[]): readonly CounterSeries[] {
  if (answers.length === 1) return answers[0] as readonly CounterSeries[];
  const byKey = new Map<string, CounterSeries>();
  for (const series of answers.flat()) byKey.set(seriesKey(series.labels), series);
  return [...byKey.values()];
}
