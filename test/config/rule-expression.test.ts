import { describe, expect, it } from 'vitest';
import { parseRuleExpression } from '../../src/config/rule-expression.ts';
import type { Comparison, Condition } from '../../src/core/domain/rule.ts';

const TWICE: Condition = { kind: 'rate-ratio', factor: 2 };
const ONE_PERCENT: Condition = { kind: 'rate-limit', limit: 0.01 };

describe('parseRuleExpression', () => {
  const good: readonly (readonly [string, Condition])[] = [
    ['5xx > 2x', { kind: 'rate-ratio', factor: 2 }],
    ['5xx>1.5x', { kind: 'rate-ratio', factor: 1.5 }],
    ['5xx > +100%', { kind: 'rate-ratio', factor: 2 }],
    ['5xx > +7%', { kind: 'rate-ratio', factor: 1.07 }],
    ['5xx > 1%', { kind: 'rate-limit', limit: 0.01 }],
    ['  5xx  >  0.05 %  ', { kind: 'rate-limit', limit: 0.0005 }],
    ['p95 > +50%', { kind: 'quantile-ratio', quantile: 0.95, factor: 1.5 }],
    ['p99.9 > 1.5x', { kind: 'quantile-ratio', quantile: 0.999, factor: 1.5 }],
    ['p99 > 200ms', { kind: 'quantile-limit', quantile: 0.99, limitMs: 200 }],
    ['p50 > 1.5s', { kind: 'quantile-limit', quantile: 0.5, limitMs: 1500 }],
    ['p5 > 10ms', { kind: 'quantile-limit', quantile: 0.05, limitMs: 10 }],
  ];
  it.each(good)('reads %s', (text, condition) => {
    expect(parseRuleExpression(text)).toEqual({ ok: true, condition });
  });

  const promql: readonly (readonly [string, string, Comparison, number])[] = [
    ['promql: sum(rate(a[5m])) > 0.5', 'sum(rate(a[5m]))', '>', 0.5],
    ['promql: a{x="> 1"} >= 2e-3', 'a{x="> 1"}', '>=', 0.002],
    ['promql: a{x=~\'b > 1\', y!="2"} < -1', 'a{x=~\'b > 1\', y!="2"}', '<', -1],
    ['promql: count(up == 0) != 0', 'count(up == 0)', '!=', 0],
    ['promql: a > bool 0.5', 'a', '>', 0.5],
    ['promql: a / on(job) group_left b > 0.5', 'a / on(job) group_left b', '>', 0.5],
    ['promql: a > on(job) b > 3', 'a > on(job) b', '>', 3],
    ['promql: (a > 1 and on() b) > 0', '(a > 1 and on() b)', '>', 0],
    ['promql: max_over_time(a[1h:5m] offset 1d) <= 1', 'max_over_time(a[1h:5m] offset 1d)', '<=', 1],
    ['promql: a{x=`\\`} == 1', 'a{x=`\\`}', '==', 1],
    ['promql: a # > 9\n > 1 # end', 'a', '>', 1],
  ];
  it.each(promql)('splits %s', (text, query, operator, limit) => {
    expect(parseRuleExpression(text)).toEqual({
      ok: true,
      condition: { kind: 'promql', query, operator, limit },
    });
  });

  const BAD = 'failed_total{version="$version"}';
  const ALL = 'requests_total{version="$version"}';
  const pairs: readonly (readonly [string, Condition, string, string])[] = [
    [`sum(increase(${BAD}[$interval])) / sum(increase(${ALL}[$interval])) > 2x`, TWICE, BAD, ALL],
    [`sum(increase(${BAD}[$interval])) / sum(increase(${ALL}[$interval])) > +100%`, TWICE, BAD, ALL],
    ['sum(increase(a[$interval]))/sum(increase(b[$interval])) > 1%', ONE_PERCENT, 'a', 'b'],
    [
      'sum ( increase ( a{x=~"]) $version.*", y="#"} [ $interval ] ) ) # bad\n / sum(increase({__name__="b", v=\'$version\'}[$interval])) > 2x # all',
      TWICE,
      'a{x=~"]) $version.*", y="#"}',
      '{__name__="b", v=\'$version\'}',
    ],
  ];
  it.each(pairs)('reads a pair of counters: %s', (text, condition, counted, total) => {
    expect(parseRuleExpression(`promql: ${text}`)).toEqual({
      ok: true,
      condition,
      counters: { bad: counted, total },
    });
  });

  const badPairs: readonly (readonly [string, string, RegExp, RegExp | null])[] = [
    [
      `sum(rate(${BAD}[$interval])) / sum(rate(${ALL}[$interval])) > 2x`,
      'rate',
      /expected increase.*got rate/,
      /not rates/,
    ],
    [
      `sum(increase(${BAD}[5m])) / sum(increase(${ALL}[5m])) > 2x`,
      '[5m]',
      /expected \[\$interval\], got \[5m\]/,
      /over: 5m/,
    ],
    [
      `sum(increase(${BAD}[$intervall])) / sum(increase(${ALL}[$interval])) > 2x`,
      '[$intervall]',
      /got \[\$intervall\]/,
      null,
    ],
    [
      `sum by (pod) (increase(${BAD}[$interval])) / sum(increase(${ALL}[$interval])) > 2x`,
      'by (pod)',
      /one sum/,
      /remove "by \(pod\)"/,
    ],
    [
      `increase(${BAD}[$interval]) / increase(${ALL}[$interval]) > 2x`,
      'increase',
      /expected sum.*got increase/,
      /write sum\(/,
    ],
    [`sum(increase(${BAD}[$interval])) > 2x`, '', /expected "\/"/, /write sum\(/],
    [
      `sum(increase(a[$interval])) / sum(increase(${ALL}[$interval])) > 2x`,
      'a',
      /same for both versions/,
      /version="\$version"/,
    ],
    [`sum(increase(a[$interval])) / sum(increase(b[$interval])) > 2x`, 'a', /nothing to compare/, null],
    [`sum(increase(${BAD}[$interval])) / sum(increase(b[$interval])) > 1%`, 'b', /not of the version/, null],
    [
      `sum(increase(a{v="$versoin"}[$interval])) / sum(increase(b[$interval])) > 1%`,
      '$versoin',
      /no variable "\$versoin"/,
      /did you mean \$version/,
    ],
    [
      `sum(increase(a{v=$version}[$interval])) / sum(increase(b[$interval])) > 1%`,
      '$version',
      /stands for a text/,
      /in quotes/,
    ],
    [
      `sum(increase(a[$interval] offset 1h)) / sum(increase(b[$interval])) > 1%`,
      'o',
      /expected "\)" after the range/,
      /offset/,
    ],
    [
      `sum(increase(a[$interval])) / sum(increase(b[$interval])) * 100 > 1%`,
      '* 100',
      /expected nothing after/,
      null,
    ],
    [
      `sum(increase(a[$interval])) / sum(increase(b[$interval])) > 0.01`,
      '0.01',
      /expected a factor/,
      /did you mean 1%/,
    ],
    [
      `sum(increase(a[$interval])) / sum(increase(b[$interval])) > 200ms`,
      '200ms',
      /expected a factor/,
      /for a latency/,
    ],
    [
      `sum(increase(a[$interval])) / sum(increase(b[$interval])) < 1%`,
      '<',
      /expected ">" after a pair of counters/,
      /what is bad/,
    ],
    [`sum(rate(a[5m])) > 2x`, 'rate', /expected increase/, /not rates/],
  ];
  it.each(badPairs)('explains what is wrong with the pair %s', (text, part, message, hint) => {
    const result = parseRuleExpression(`promql: ${text}`);
    if (result.ok) throw new Error('expected a problem');
    const { offset, length, ...said } = result.problem;
    expect(`promql: ${text}`.slice(offset, offset + length)).toBe(part);
    expect(said.message).toMatch(message);
    if (hint !== null) expect(said.hint).toMatch(hint);
  });

  /** Text, the part that the finding points at, message, hint. */
  const bad: readonly (readonly [string, string, RegExp, RegExp | null])[] = [
    ['', '', /expected a metric/, /5xx > 2x/],
    ['> 2x', '', /expected a metric/, /5xx > 2x/],
    ['5xx', '', /expected ">" after 5xx/, /such as/],
    ['5xx >', '', /expected a limit after ">"/, /such as/],
    ['5xx 2x', '2x', /expected ">" after 5xx/, /such as/],
    ['5xx > 2', '2', /expected a factor .* got "2"/, /did you mean 2x or 2%\?/],
    ['5xx > 0.01', '0.01', /got "0.01"/, /did you mean 1%\?/],
    ['5xx < 2x', '<', /expected ">" after 5xx, got "<"/, /what is bad/],
    ['5xx >= 2x', '>=', /got ">="/, /did you mean ">"/],
    ['5xx > 1x', '1x', /expected a factor above 1/, /not worse/],
    ['5xx > 0.5x', '0.5x', /expected a factor above 1/, /not worse/],
    ['5xx > 2000x', '2000x', /at most 1000/, null],
    ['5xx > +0%', '+0%', /expected an increase above 0%/, /not worse/],
    ['5xx > 0%', '0%', /above 0% and below 100%/, null],
    ['5xx > 100%', '100%', /above 0% and below 100%/, null],
    ['5xx > 200ms', '200ms', /got "200ms"/, /for a latency use p95/],
    ['5xx > 2 times', '2 times', /got "2 times"/, /did you mean 2x/],
    ['5xx > x2', 'x2', /got "x2"/, /did you mean 2x/],
    ['5xx > +50', '+50', /got "\+50"/, /did you mean \+50%/],
    ['5xx > -50%', '-50%', /got "-50%"/, /what is bad/],
    ['4xx > 2x', '4xx', /unknown metric "4xx"/, /did you mean 5xx/],
    ['5XX > 2x', '5XX', /unknown metric "5XX"/, /did you mean 5xx/],
    ['errors > 2x', 'errors', /unknown metric "errors"/, /did you mean 5xx/],
    ['latency > 200ms', 'latency', /unknown metric/, /did you mean p95/],
    ['P95 > 200ms', 'P95', /unknown metric/, /did you mean p95/],
    ['95p > 200ms', '95p', /unknown metric/, /did you mean p95/],
    ['frobnication > 2x', 'frobnication', /unknown metric/, null],
    ['p101 > 200ms', 'p101', /above p0 and below p100/, null],
    ['p100 > 200ms', 'p100', /above p0 and below p100/, /p99.9/],
    ['p0 > 200ms', 'p0', /above p0 and below p100/, null],
    ['p99 > 200', '200', /expected a latency/, /did you mean 200ms\?/],
    ['p99 > 2', '2', /expected a latency/, /did you mean 2x or 2s\?/],
    ['p99 > 50%', '50%', /expected a latency/, /did you mean \+50%/],
    ['p99 > 2h', '2h', /from 1ms to 1h/, null],
    ['p99 > 0ms', '0ms', /from 1ms to 1h/, null],
    ['promql:', '', /expected a PromQL query/, /such as/],
    ['promql: up', 'up', /expected a comparison with a number/, /"no data"/],
    ['promql: a > b', 'b', /expected a plain number after ">"/, /"no data"/],
    ['promql: a > 2 * 3', '2 * 3', /expected a plain number/, /"no data"/],
    ['promql: 0.5 < a', 'a', /expected a plain number after "<"/, /write the number on the right: a > 0.5/],
    ['promql: a > 1 and b > 2', 'and', /"and" outside parentheses/, /in parentheses/],
    ['promql: a > 1 unless on() b > 2', 'unless', /"unless" outside/, /in parentheses/],
    ['promql: > 1', '>', /expected a query before ">"/, null],
    ['promql: a >', '>', /expected a number after ">"/, null],
    ['promql: a = 1', '=', /got "="/, /did you mean "=="/],
    ['promql: sum(a > 1', '(', /"\(" is not closed/, null],
    ['promql: sum(a]) > 1', ']', /"\]" closes nothing/, null],
    ['promql: a{x="b} > 1', '"b} > 1', /string is not closed/, null],
    ['promql: 1 > 0', '1', /got a number: this rule would never change/, null],
    ['promql: a > Inf', 'Inf', /expected a plain number/, /"no data"/],
  ];
  it.each(bad)('refuses %s at "%s"', (text, part, message, hint) => {
    const result = parseRuleExpression(text);
    if (result.ok) expect.fail(`parsed to ${JSON.stringify(result.condition)}`);
    const { problem } = result;
    expect(text.slice(problem.offset, problem.offset + problem.length)).toBe(part);
    expect(problem.message).toMatch(message);
    if (hint) expect(problem.hint).toMatch(hint);
    else expect(problem.hint).toBeNull();
  });

  it('refuses a text of unreasonable length instead of scanning it', () => {
    expect(parseRuleExpression(`promql: ${'('.repeat(10_000)}`)).toMatchObject({ ok: false });
  });
});
