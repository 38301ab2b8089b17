import { describe, expect, it } from 'vitest';
import { ruleQueries } from '../../../src/core/analysis/rule-queries.ts';
import type { Condition, Rule } from '../../../src/core/domain/rule.ts';

const PLAN = { service: 'orders', baseline: 'v1', canary: 'v2' };

function ruleOf(condition: Condition, overMs = 300_000): Rule {
  return { text: 'a rule', condition, overMs, forMs: 0, minRequests: 50, floor: null, source: 'prometheus' };
}

function idsOf(condition: Condition): readonly string[] {
  return ruleQueries(ruleOf(condition), PLAN).map((query) => query.id);
}

function promqlOf(rule: Rule, id: string, plan = PLAN): string | undefined {
  return ruleQueries(rule, plan).find((query) => query.id === id)?.promql;
}

const P99: Condition = { kind: 'quantile-limit', quantile: 0.99, limitMs: 800 };

describe('ruleQueries', () => {
  it('asks for no values where the rule bets on counters', () => {
    expect(idsOf({ kind: 'rate-limit', limit: 0.01 })).toEqual([]);
    expect(idsOf({ kind: 'rate-ratio', factor: 2 })).toEqual([]);
  });

  it('asks about the baseline only when the rule compares with it', () => {
    expect(idsOf({ kind: 'quantile-limit', quantile: 0.99, limitMs: 800 })).toEqual([
      'canary-total',
      'canary-quantile',
    ]);
    expect(idsOf({ kind: 'quantile-ratio', quantile: 0.95, factor: 1.5 })).toEqual([
      'canary-total',
      'canary-quantile',
      'baseline-total',
      'baseline-quantile',
    ]);
  });

  it('passes the query of a promql rule on as it is', () => {
    const query = 'sum(rate(payments_failed_total{version="v2"}[5m]))';
    expect(ruleQueries(ruleOf({ kind: 'promql', query, operator: '>', limit: 0.5 }), PLAN)).toEqual([
      { id: 'scalar', promql: query },
    ]);
  });

  it('counts attempts of one version of one service over the window, without those the client gave up', () => {
    const series =
      'http_client_request_duration_seconds_count{sluice_service="orders",sluice_version="v2",error_type!="client_abort"}';
    expect(promqlOf(ruleOf(P99), 'canary-total')).toBe(
      `sum((${series} unless ${series} offset 5m and on (job, instance) (up offset 5m == 1)) or increase(${series}[5m]))`,
    );
  });

  it('takes the quantile over the buckets of all series of the version', () => {
    const rule = ruleOf({ kind: 'quantile-ratio', quantile: 0.999, factor: 1.5 });
    const series =
      'http_client_request_duration_seconds_bucket{sluice_service="orders",sluice_version="v1",error_type!="client_abort"}';
    expect(promqlOf(rule, 'baseline-quantile')).toBe(
      `histogram_quantile(0.999, sum by (le) ((${series} unless ${series} offset 5m and on (job, instance) (up offset 5m == 1)) or increase(${series}[5m])))`,
    );
  });

  it.each([
    [300_000, '[5m]'],
    [90_000, '[90s]'],
    [1500, '[1500ms]'],
    [86_400_000, '[1440m]'],
  ])('writes a window of %i ms as %s', (overMs, text) => {
    expect(promqlOf(ruleOf(P99, overMs), 'canary-total')).toContain(text);
  });

  it('escapes label values, so that a name cannot change the query', () => {
    const plan = { ...PLAN, service: 'a"} or vector(1) #', canary: 'back\\slash\nline' };
    const promql = promqlOf(ruleOf(P99), 'canary-total', plan);
    expect(promql).toContain('sluice_service="a\\"} or vector(1) #"');
    expect(promql).toContain('sluice_version="back\\\\slash\\nline"');
  });
});
