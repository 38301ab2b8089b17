import { describe, expect, it } from 'vitest';
import { shortenRanges } from '../../../src/core/analysis/promql-window.ts';

describe('shortenRanges', () => {
  it.each([
    ['a longer range', 'sum(rate(failed{v="2"}[5m])) > 0', 'sum(rate(failed{v="2"}[42s])) > 0'],
    ['each of several', 'rate(a[1h30m]) / rate(b[ 90s ])', 'rate(a[42s]) / rate(b[42s ])'],
    ['the range of a subquery, not its step', 'max_over_time(a[1d:5m])', 'max_over_time(a[42s:5m])'],
  ])('cuts %s', (_, query, cut) => {
    expect(shortenRanges(query, 42_900)).toBe(cut);
  });

  it.each([
    ['a range that is short enough', 'rate(a[42s])'],
    ['an offset', 'rate(a[30s] offset 1w)'],
    ['a query without a range', 'failed > 0.5'],
    ['brackets in strings', `a{p=~"x[5m]", q='\\'[5m]', r=\`[5m]\`}`],
    ['brackets in comments', 'a # was rate(a[5m])\n+ 1'],
    ['what it does not know', 'rate(a[step()])'],
  ])('leaves %s alone', (_, query) => {
    expect(shortenRanges(query, 42_900)).toBe(query);
  });

  it('keeps a range of at least a second', () => {
    expect(shortenRanges('rate(a[5m])', 0)).toBe('rate(a[1s])');
  });
});
