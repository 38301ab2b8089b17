/**
 * Hours of a gateway's metrics, as if Prometheus had scraped them: OpenMetrics text with a time stamp for each sample.
 * Knows no Prometheus.
 * @module
 */

import { CLIENT_DURATION, LABEL } from '../../src/core/domain/metric-names.ts';

/** What one version did from one scrape to the next. */
export interface Scraped {
  readonly requests: number;
  readonly failed: number;
  /** Of all requests: how many took more than 0.1 s and more than 1 s. */
  readonly over100ms?: number;
  readonly over1s?: number;
}

export interface Past {
  readonly fromMs: number;
  readonly toMs: number;
  readonly scrapeMs: number;
  /** By version: what happened before the scrape at `atMs`. */
  readonly versions: Readonly<Record<string, (atMs: number) => Scraped>>;
}

const SERVICE = 'orders';

export function pastMetrics({ fromMs, toMs, scrapeMs, versions }: Past): string {
  const lines = [`# TYPE ${CLIENT_DURATION} histogram`];
  for (const [version, scraped] of Object.entries(versions)) {
    const labels = (status: string) =>
      `job="gateways",instance="gw-1:9090",${LABEL.service}="${SERVICE}",${LABEL.version}="${version}",${LABEL.status}="${status}",${LABEL.error}=""`;
    let [fine, failed, over100ms, over1s] = [0, 0, 0, 0];
    for (let atMs = fromMs; atMs <= toMs; atMs += scrapeMs) {
      const step = scraped(atMs);
      fine += step.requests - step.failed;
      failed += step.failed;
      over100ms += step.over100ms ?? 0;
      over1s += step.over1s ?? 0;
      const at = atMs / 1000;
      const sample = (name: string, of: string, value: number) =>
        lines.push(`${CLIENT_DURATION}_${name}{${of}} ${value} ${at}`);
      sample('bucket', `${labels('200')},le="0.1"`, fine - over100ms);
      sample('bucket', `${labels('200')},le="1.0"`, fine - over1s);
      sample('bucket', `${labels('200')},le="+Inf"`, fine);
      sample('count', labels('200'), fine);
      sample('bucket', `${labels('500')},le="0.1"`, failed);
      sample('bucket', `${labels('500')},le="1.0"`, failed);
      sample('bucket', `${labels('500')},le="+Inf"`, failed);
      sample('count', labels('500'), failed);
    }
  }
  return `${lines.join('\n')}\n# EOF\n`;
}
