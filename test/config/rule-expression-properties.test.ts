import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseRuleExpression } from '../../src/config/rule-expression.ts';
import type { Comparison, Condition } from '../../src/core/domain/rule.ts';

describe('parseRuleExpression', () => {
  it('property: a printed condition reads back as itself', () => {
    fc.assert(
      fc.property(condition(), (expected) => {
        expect(parseRuleExpression(print(expected))).toEqual({ ok: true, condition: expected });
      }),
      { numRuns: 1000 },
    );
  });

  it('property: never throws, and a problem is always inside the text', () => {
    const pieces = fc.constantFrom(
      ...[
        '5xx',
        'p95',
        'p',
        'promql:',
        ' ',
        '>',
        '<',
        '=',
        '!',
        '2',
        'x',
        '%',
        '+',
        '-',
        '.',
        'ms',
        '(',
        ')',
        '{',
        '}',
      ],
      ...['[', ']', '"', "'", '`', '\\', '#', '\n', 'and', 'bool', 'on()', 'e', '💥'],
    );
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(pieces, { maxLength: 20 }).map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(text, (expression) => {
        const result = parseRuleExpression(expression);
        if (result.ok) return;
        const { offset, length, message } = result.problem;
        expect(offset).toBeGreaterThanOrEqual(0);
        expect(length).toBeGreaterThanOrEqual(0);
        expect(offset + length).toBeLessThanOrEqual(expression.length);
        expect(message).not.toBe('');
      }),
      { numRuns: 2000 },
    );
  });
});

function print(condition: Condition): string {
  switch (condition.kind) {
    case 'rate-ratio':
      return `5xx > ${condition.factor}x`;
    case 'rate-limit':
      return `5xx > ${percent(condition.limit)}%`;
    case 'quantile-ratio':
      return `p${percent(condition.quantile)} > ${condition.factor}x`;
    case 'quantile-limit':
      return `p${percent(condition.quantile)} > ${condition.limitMs}ms`;
    case 'differs':
      return `differs > ${percent(condition.limit)}%`;
    case 'promql':
      return `promql: ${condition.query} ${condition.operator} ${condition.limit}`;
  }
}

function percent(fraction: number): number {
  return Number((fraction * 100).toPrecision(8));
}

function condition(): fc.Arbitrary<Condition> {
  const factor = fc.integer({ min: 101, max: 100_000 }).map((hundredths) => hundredths / 100);
  const quantile = fc.integer({ min: 1, max: 999 }).map((tenths) => Number(`${tenths}e-3`));
  const query = fc.constantFrom(
    'sum(rate(a[5m]))',
    'a{b="> 3 and"}',
    '(a or b) / on(x) c',
    'a > on() b',
    'sum by (and) (x == bool 1)',
    "label_replace(a, 'x', '$1', 'y', '(.*)')",
  );
  return fc.oneof(
    fc.record({ kind: fc.constant('rate-ratio' as const), factor }),
    fc.record({
      kind: fc.constant('rate-limit' as const),
      limit: fc.integer({ min: 1, max: 9999 }).map((bp) => Number(`${bp}e-4`)),
    }),
    fc.record({ kind: fc.constant('quantile-ratio' as const), quantile, factor }),
    fc.record({
      kind: fc.constant('quantile-limit' as const),
      quantile,
      limitMs: fc.integer({ min: 1, max: 3_600_000 }),
    }),
    fc.record({
      kind: fc.constant('promql' as const),
      query,
      operator: fc.constantFrom<Comparison>('>', '>=', '<', '<=', '==', '!='),
      limit: fc.double({ noNaN: true, noDefaultInfinity: true }).filter((value) => !Object.is(value, -0)),
    }),
  );
}
