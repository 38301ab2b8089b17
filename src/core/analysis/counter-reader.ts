/**
 * Reads a rule's counters for one span of time, in the order in which no failure can be missing from the interval of
 * its request. Asks through a function that it is given; knows no HTTP and judges nothing.
 * @module
 */

import { type CounterReading, instancesToAskAbout, type ReadingGap } from './counter-reading.ts';
import { type CounterSeries, LOOKBACK_MS } from './counter-samples.ts';
import { type CounterSelectors, upSelector } from './counter-selectors.ts';

/** New instances in one reading that are asked about; of more, the first samples count nothing. */
const MAX_INSTANCES = 200;

export interface Span {
  /** What was scraped after this counts; samples from before are read to count from. */
  readonly fromMs: number;
  readonly toMs: number;
}

/** The samples of a selector's series within a span, as scraped. */
export type AskSamples = (
  selector: string,
  fromMs: number,
  toMs: number,
) => Promise<readonly CounterSeries[] | ReadingGap>;

type Answers = readonly (readonly CounterSeries[])[];

/**
 * All requests first, bad ones after them: what is known to have been scraped of the first is stored by the time that
 * the second are asked for.
 */
export async function readCounters(
  ask: AskSamples,
  { canary, baseline }: CounterSelectors,
  span: Span,
): Promise<CounterReading | ReadingGap> {
  const read = (selectors: readonly string[] = []) => readAll(ask, selectors, span);
  const [canaryTotal, baselineTotal] = await Promise.all([read(canary.total), read(baseline?.total)]);
  if ('cause' in canaryTotal) return canaryTotal;
  if ('cause' in baselineTotal) return baselineTotal;
  const [canaryBad, baselineBad] = await Promise.all([read(canary.bad), read(baseline?.bad)]);
  if ('cause' in canaryBad) return canaryBad;
  if ('cause' in baselineBad) return baselineBad;
  const reading: CounterReading = {
    canary: { total: canaryTotal, bad: canaryBad },
    baseline: baseline === null ? null : { total: baselineTotal, bad: baselineBad },
    up: [],
  };
  const instances = instancesToAskAbout(reading, span.fromMs).slice(0, MAX_INSTANCES);
  if (instances.length === 0) return reading;
  const up = await read([upSelector(instances)]);
  return 'cause' in up ? up : { ...reading, up: up.flat().map(whenUp) };
}

async function readAll(
  ask: AskSamples,
  selectors: readonly string[],
  { fromMs, toMs }: Span,
): Promise<Answers | ReadingGap> {
  const answers = await Promise.all(selectors.map((selector) => ask(selector, fromMs - LOOKBACK_MS, toMs)));
  const series: (readonly CounterSeries[])[] = [];
  for (const answer of answers) {
    if ('cause' in answer) return answer;
    series.push(answer);
  }
  return series;
}

function whenUp({ labels, atMs, values }: CounterSeries): CounterSeries {
  const times = atMs.filter((_, at) => values[at] === 1);
  return { labels, atMs: times, values: times.map(() => 1) };
}
