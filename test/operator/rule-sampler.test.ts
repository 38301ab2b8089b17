/**
 * Rules that a metric source judges: each kind of answer becomes its own sample, at the source's own pace.
 * @module
 */

import { describe, expect, it } from 'vitest';
import type { Rule } from '../../src/core/domain/rule.ts';
import { createRuleSampler } from '../../src/operator/rule-sampler.ts';
import type { MetricResult, MetricSource } from '../../src/ports/metric-source.ts';
import { plan, RULE } from '../core/rollout/plans.ts';
import { eventually } from '../support/eventually.ts';
import { START_MS } from '../support/sluice-operator.ts';

const scalar: Rule = {
  ...RULE,
  text: 'promql: failed > 0.5',
  condition: { kind: 'promql', query: 'failed', operator: '>', limit: 0.5 },
  source: 'prometheus',
};
const ratio: Rule = {
  ...RULE,
  condition: { kind: 'quantile-ratio', quantile: 0.95, factor: 1.5 },
  source: 'prometheus',
};
const counted: Rule = { ...RULE, source: 'prometheus' };
const value = (number: number): MetricResult => ({
  kind: 'value',
  value: number,
  sampledAtMs: START_MS,
  warnings: [],
});

/** Answers from a function of the query; counts the questions. Nobody asks it for samples. */
function sourceOf(answer: (promql: string) => MetricResult): MetricSource & { asked: number } {
  return {
    asked: 0,
    async query(promql) {
      this.asked += 1;
      return answer(promql);
    },
    samples: () => Promise.reject(new Error('a threshold asks for values')),
  };
}

async function sampleOf(rule: Rule, source: MetricSource | null) {
  const sampler = createRuleSampler(plan({ abort: [rule] }), START_MS - 600_000, source, 1_000);
  try {
    expect(sampler.samples(START_MS)).toMatchObject([{ kind: 'none', cause: 'not-asked-yet' }]);
    sampler.poke(START_MS);
    const sample = () => sampler.samples(START_MS)[0];
    await eventually(() => {
      const latest = sample();
      return !(latest?.kind === 'none' && latest.cause === 'not-asked-yet');
    });
    return sample();
  } finally {
    sampler.close();
  }
}

describe('the rule sampler', () => {
  it('passes a value on with the time that it is of', async () => {
    expect(
      await sampleOf(
        scalar,
        sourceOf(() => value(0.7)),
      ),
    ).toEqual({
      kind: 'scalar',
      query: 'failed',
      value: 0.7,
      sampledAtMs: START_MS,
    });
  });

  it.each<[MetricResult, string]>([
    [{ kind: 'empty' }, 'empty'],
    [{ kind: 'nan' }, 'nan'],
    [{ kind: 'many-series', count: 2, examples: ['{a="1"}', '{a="2"}'] }, 'many-series'],
    [{ kind: 'slow', timeoutMs: 5_000 }, 'source-slow'],
    [{ kind: 'down', detail: 'refused' }, 'source-down'],
    [{ kind: 'refused', detail: 'bad query' }, 'source-refused'],
  ])('makes of %o no evidence, because %s', async (result, cause) => {
    expect(
      await sampleOf(
        scalar,
        sourceOf(() => result),
      ),
    ).toMatchObject({ kind: 'none', cause });
  });

  it('says that no source is configured', async () => {
    expect(await sampleOf(scalar, null)).toMatchObject({ kind: 'none', cause: 'source-down' });
  });

  it('takes a baseline without series for no baseline, and a canary without series for no answer', async () => {
    const silentBaseline = sourceOf((promql) => (promql.includes('"v1"') ? { kind: 'empty' } : value(20)));
    expect(await sampleOf(ratio, silentBaseline)).toMatchObject({ kind: 'none', cause: 'no-baseline' });
    const silentCanary = sourceOf((promql) => (promql.includes('"v2"') ? { kind: 'empty' } : value(20)));
    expect(await sampleOf(ratio, silentCanary)).toMatchObject({ kind: 'none', cause: 'empty' });
    const quietCanary = sourceOf((promql) => value(promql.includes('"v2"') ? 0 : 20));
    expect(await sampleOf(ratio, quietCanary)).toMatchObject({ kind: 'none', cause: 'no-traffic' });
  });

  it('asks again only after its interval, and holds no old answer for news', async () => {
    const source = sourceOf(() => value(0));
    const sampler = createRuleSampler(
      plan({ abort: [scalar, RULE, counted] }),
      START_MS - 600_000,
      source,
      1_000,
    );
    sampler.poke(START_MS);
    await eventually(() => sampler.samples(START_MS)[0]?.kind === 'scalar');
    // The others are judged from telemetry, and from counters.
    expect(sampler.samples(START_MS).slice(1)).toEqual([null, null]);
    sampler.poke(START_MS + 999);
    expect(source.asked).toBe(1);
    expect(sampler.samples(START_MS + 4_500)[0]).toMatchObject({ kind: 'none', cause: 'source-slow' });
    sampler.poke(START_MS + 4_500);
    expect(source.asked).toBe(2);
    sampler.close();
  });

  it('asks a young run, such as a retry, about no time before it began', async () => {
    const asked: string[] = [];
    const source = sourceOf((promql) => {
      asked.push(promql);
      return value(0);
    });
    const query = 'sum(rate(failed[5m]))';
    const custom: Rule = { ...scalar, condition: { kind: 'promql', query, operator: '>', limit: 0.5 } };
    const sampler = createRuleSampler(plan({ abort: [custom, ratio] }), START_MS - 30_000, source, 1_000);
    sampler.poke(START_MS);
    await eventually(() => sampler.samples(START_MS)[0]?.kind === 'scalar' && asked.length > 1);
    expect(asked[0]).toBe('sum(rate(failed[30s]))');
    expect(asked.slice(1).every((promql) => promql.includes('[30s]') && !/\[\d+m\]/.test(promql))).toBe(true);
    sampler.close();
  });

  it('holds no answer for news after the clock has stepped back, and asks again', async () => {
    const source = sourceOf(() => value(0));
    const sampler = createRuleSampler(plan({ abort: [scalar] }), START_MS - 7_200_000, source, 1_000);
    sampler.poke(START_MS);
    await eventually(() => sampler.samples(START_MS)[0]?.kind === 'scalar');
    const earlierMs = START_MS - 3_600_000;
    expect(sampler.samples(earlierMs)[0]).toMatchObject({ kind: 'none', cause: 'source-slow' });
    sampler.poke(earlierMs);
    expect(source.asked).toBe(2);
    await eventually(() => sampler.samples(earlierMs)[0]?.kind === 'scalar');
    sampler.close();
  });
});
