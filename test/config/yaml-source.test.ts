import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import type { Diagnostic } from '../../src/config/diagnostic.ts';
import { loadGatewayConfig } from '../../src/config/gateway-config.ts';
import { loadOperatorConfig } from '../../src/config/operator-config.ts';
import { renderDiagnostics } from '../../src/config/render-diagnostic.ts';
import { loadRolloutPlan } from '../../src/config/rollout-config.ts';
import { parseYaml } from '../../src/config/yaml-source.ts';
import { offsetOf, summary, underlined } from './findings-table.ts';

const file = (text: string) => ({ name: 'a.yaml', text, absolutePath: '/srv/a.yaml' });
const problems = (text: string) => parseYaml(file(text)).findings.list().map(summary);

describe('parseYaml', () => {
  it('refuses a text over 1 MiB before parsing it', () => {
    expect(problems(`a: ${'x'.repeat(1_048_576)}`)).toMatchObject([
      { at: '1:1', message: 'expected a file of at most 1 MiB, got 1.0 MiB' },
    ]);
  });

  it('refuses a few lines that stand for millions', () => {
    const levels = 'bcdefghi'.split('').map((name, index) => {
      const before = `*${'abcdefgh'[index]}`;
      return `${name}: &${name} [${Array(10).fill(before).join(', ')}]`;
    });
    expect(problems(['a: &a [x]', ...levels].join('\n'))).toMatchObject([
      { message: 'aliases (*name) in this file stand for more than 100 times their size' },
    ]);
  });

  it('refuses nesting that would exhaust the stack', () => {
    expect(problems('['.repeat(100_000))).toMatchObject([{ message: 'this YAML is nested too deeply' }]);
  });

  it('names one cause for each place that is not YAML', () => {
    expect(problems('a: [1, 2\nb: 3\n')).toMatchObject([
      { message: 'the bracket before here is not closed' },
    ]);
    expect(problems('a: "x\nb: 3\n')).toMatchObject([
      { message: 'the quote of the value before here is not closed' },
    ]);
    expect(problems('a: @b\n')).toMatchObject([
      { at: '1:4', message: 'a value cannot start with this character' },
    ]);
  });

  it('counts lines the same whether they end in \\n or \\r\\n', () => {
    const text = 'a: 1\r\nb: 2\r\na: 3\r\n';
    expect(problems(text)).toEqual(problems(text.replaceAll('\r', '')));
    expect(problems(text)).toMatchObject([{ at: '3:1', message: 'the key "a" is here twice' }]);
  });

  it('shows at most 100 findings, and how many more there are', () => {
    const text = Array.from({ length: 150 }, (_, index) => `zz${index}: 1`).join('\n');
    const { diagnostics } = loadOperatorConfig(file(text));
    expect(diagnostics).toHaveLength(100);
    expect(diagnostics.at(-1)).toMatchObject({
      line: 99,
      message: '52 more problems from here on are not shown',
    });
  });

  it('knows an anchor in a key, a list and an alias behind it, and none that comes later', () => {
    expect(problems('&k key: &v [1, &i 2]\na: [*k, *v, *i]\n')).toEqual([]);
    expect(problems('a: *later\nb: &later 1\n')).toMatchObject([{ at: '1:4' }]);
  });

  it('takes a large file of nothing but mistakes in its stride', () => {
    const text = Array.from({ length: 40_000 }, (_, index) => `key${index}: ${index}`).join('\n');
    const startedAt = performance.now();
    expect(loadRolloutPlan(file(text), null, null).diagnostics).toHaveLength(100);
    // A second or two; quadratic work takes half a minute and more.
    expect(performance.now() - startedAt).toBeLessThan(20_000);
  }, 120_000);

  it('property: finds a part of a string behind any quoting, escape or fold', () => {
    const word = fc.stringMatching(/^[a-z'"\\#:é💥]{1,8}$/u);
    const type = fc.constantFrom('PLAIN', 'QUOTE_SINGLE', 'QUOTE_DOUBLE', 'BLOCK_FOLDED', 'BLOCK_LITERAL');
    fc.assert(
      fc.property(
        fc.array(word, { maxLength: 12 }),
        fc.array(word, { maxLength: 12 }),
        type,
        (before, after, style) => {
          const value = [...before, 'NEEDLE', ...after].join(' ');
          const text = stringify({ key: value }, { defaultStringType: style, lineWidth: 30 });
          const source = parseYaml(file(text));
          expect(source.value).toEqual({ key: value });
          const { start, end } = source.partRange(['key'], value.indexOf('NEEDLE'), 6);
          expect(text.slice(start, end)).toBe('NEEDLE');
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('the loaders', () => {
  const loaders = [
    (text: string) => loadGatewayConfig(file(text)),
    (text: string) => loadOperatorConfig(file(text)),
    (text: string) => loadRolloutPlan(file(text), null, { notifiers: {} }),
  ];

  function expectSound(text: string): void {
    for (const load of loaders) {
      const { value, diagnostics } = load(text);
      expect(value === null).toBe(diagnostics.some((each) => each.severity === 'error'));
      for (const each of diagnostics) expectInside(text, each);
      renderDiagnostics(diagnostics, { color: false, sources: { 'a.yaml': text } });
    }
  }

  function expectInside(text: string, each: Diagnostic): void {
    const start = offsetOf(text, each.line, each.column);
    expect(offsetOf(text, each.endLine, each.endColumn)).toBeGreaterThanOrEqual(start);
    expect(text).toContain(underlined(text, each));
    expect(each.message).not.toBe('');
    expect(each.message).not.toMatch(/Invalid input|undefined|\[object/);
  }

  const KEYS = [
    'rollout',
    'service',
    'steps',
    'weight',
    'abort',
    'when',
    'gate',
    'webhook',
    'schedule',
    'freeze',
    'over',
  ];
  KEYS.push(
    'routes',
    'match',
    'path',
    'services',
    'versions',
    'endpoints',
    'sticky',
    'retry',
    'auth',
    'policies',
  );
  KEYS.push(
    'operator',
    'api',
    'tokens',
    'token',
    'notifiers',
    'slack',
    'env',
    'constructor',
    '__proto__',
    'wieght',
  );

  it('property: any tree of known and unknown keys gives findings inside the file, and never throws', () => {
    const { tree } = fc.letrec((tie) => ({
      scalar: fc.oneof(
        fc.constantFrom(
          '1%',
          '5xx > 2x',
          '5xx > 2',
          'promql: a >',
          'ip',
          'manual',
          '/a/{x}/{x}',
          '10s',
          'v1',
          '2026-12-20/x',
        ),
        fc.integer(),
        fc.double(),
        fc.boolean(),
        fc.constant(null),
        fc.string({ unit: 'binary', maxLength: 8 }),
      ),
      map: fc.dictionary(fc.constantFrom(...KEYS), tie('tree'), { maxKeys: 8 }),
      list: fc.array(tie('tree'), { maxLength: 4 }),
      tree: fc.oneof({ maxDepth: 5, depthSize: 'small' }, tie('scalar'), tie('map'), tie('map'), tie('list')),
    }));
    const type = fc.constantFrom('PLAIN', 'QUOTE_SINGLE', 'QUOTE_DOUBLE', 'BLOCK_LITERAL');
    fc.assert(
      fc.property(tree, type, (value, style) => expectSound(stringify(value, { defaultStringType: style }))),
      { numRuns: 200 },
    );
  });

  it('property: any text gives findings inside the file, and never throws', () => {
    const piece = fc.constantFrom(
      ...[
        'rollout: a',
        'steps:',
        '- ',
        '  ',
        '\n',
        ': ',
        '{',
        '}',
        '[',
        ']',
        ',',
        '"',
        "'",
        '&a ',
        '*a',
        '<<',
        '!x ',
        '|',
        '>',
        '%',
      ],
      ...['---', '...', '#', '\t', '\r\n', '?', '@', '`', '\\x4', '\u2028', '💥', '\ufeff', 'weight: 1%'],
    );
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(piece, { maxLength: 30 }).map((parts) => parts.join('')),
    );
    fc.assert(fc.property(text, expectSound), { numRuns: 500 });
  });

  it('property: a sound file with one character changed gives findings inside it, or none', () => {
    const sound = `rollout: a\nservice: orders\nbaseline: v1\ncanary: v2\nsteps:\n  - { weight: 5%, hold: 10m }\n  - { weight: 100% }\nabort:\n  - when: "5xx > 2x"\n    over: 5m\n`;
    fc.assert(
      fc.property(
        fc.nat(sound.length - 1),
        fc.constantFrom('}', ':', ' ', '"', '\n', '9', 'x', '-', ''),
        (at, by) => expectSound(sound.slice(0, at) + by + sound.slice(at + 1)),
      ),
      { numRuns: 200 },
    );
  });
});
