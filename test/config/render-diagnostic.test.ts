import { describe, expect, it } from 'vitest';
import type { Diagnostic } from '../../src/config/diagnostic.ts';
import { renderDiagnostics, renderGithub, renderJson } from '../../src/config/render-diagnostic.ts';

const TEXT = 'steps:\n  - weight: 5%\n    - wieght: 25\n';
const UNKNOWN: Diagnostic = {
  file: 'rollouts/orders-v2.yaml',
  line: 3,
  column: 7,
  endLine: 3,
  endColumn: 13,
  severity: 'error',
  message: 'unknown key "wieght" in steps[1]',
  hint: 'did you mean "weight"?',
};
const sources = { [UNKNOWN.file]: TEXT };

describe('renderDiagnostics', () => {
  it('shows the place, the line, carets under the text and the hint behind them, and counts', () => {
    expect(renderDiagnostics([UNKNOWN], { color: false, sources })).toBe(
      `rollouts/orders-v2.yaml:3:7  error  unknown key "wieght" in steps[1]
    3 │     - wieght: 25
      │       ^^^^^^ did you mean "weight"?
1 error.
`,
    );
  });

  it('counts errors and warnings apart', () => {
    const warning: Diagnostic = { ...UNKNOWN, severity: 'warning' };
    const count = (all: Diagnostic[]) =>
      renderDiagnostics(all, { color: false, sources }).trimEnd().split('\n').at(-1);
    expect(count([warning])).toBe('1 warning.');
    expect(count([UNKNOWN, UNKNOWN, warning])).toBe('2 errors, 1 warning.');
    expect(renderDiagnostics([], { color: false, sources })).toBe('');
  });

  it('colours by the flag alone', () => {
    expect(renderDiagnostics([UNKNOWN], { color: true, sources })).toContain('\x1b[31m^^^^^^');
    expect(renderDiagnostics([UNKNOWN], { color: false, sources })).not.toContain('\x1b');
  });

  it('underlines to the end of the line what goes on after it', () => {
    const open = { ...UNKNOWN, line: 2, column: 5, endLine: 3, endColumn: 2 };
    expect(renderDiagnostics([open], { color: false, sources })).toContain('      │     ^^^^^^^^^^ did');
  });

  it('cuts a long line around its place, keeping the carets under the text', () => {
    const text = `${'a'.repeat(500)}HERE${'b'.repeat(500)}`;
    const place = { ...UNKNOWN, line: 1, column: 501, endLine: 1, endColumn: 505 };
    const [, line = '', carets = ''] = renderDiagnostics([place], {
      color: false,
      sources: { [UNKNOWN.file]: text },
    }).split('\n');
    expect(line.length).toBeLessThan(130);
    expect(line.slice(carets.indexOf('^'), carets.lastIndexOf('^') + 1)).toBe('HERE');
  });

  it('lets no escape sequence of a file through to the terminal', () => {
    const text = renderDiagnostics([{ ...UNKNOWN, message: 'got "\x1b]0;x\x07"', line: 1, endLine: 1 }], {
      color: false,
      sources: { [UNKNOWN.file]: '\x1b[2J\ta: 1' },
    });
    for (const character of ['\x1b', '\x07', '\t']) expect(text).not.toContain(character);
  });

  it('shows no line that may hold a secret', () => {
    const text = renderDiagnostics([{ ...UNKNOWN, sensitive: true }, UNKNOWN], { color: false, sources });
    expect(text).not.toContain('wieght: 25');
    expect(text).toContain(':3:7  error');
  });

  it('does without the line of a file that could not be read', () => {
    const { hint: _, ...bare } = UNKNOWN;
    expect(renderDiagnostics([bare], { color: false, sources: {} })).toBe(
      'rollouts/orders-v2.yaml:3:7  error  unknown key "wieght" in steps[1]\n1 error.\n',
    );
  });
});

describe('renderGithub', () => {
  it('writes one workflow command a line, escaped', () => {
    const odd = { ...UNKNOWN, file: 'a,b:c.yaml', message: '100%\nof it', severity: 'warning' as const };
    expect(renderGithub([UNKNOWN, odd])).toBe(
      `::error file=rollouts/orders-v2.yaml,line=3,col=7,endColumn=13,title=rollout lint::unknown key "wieght" in steps[1]%0Adid you mean "weight"?
::warning file=a%2Cb%3Ac.yaml,line=3,col=7,endColumn=13,title=rollout lint::100%25%0Aof it%0Adid you mean "weight"?
`,
    );
  });

  it('names the last line instead of the last column where the place spans lines', () => {
    expect(renderGithub([{ ...UNKNOWN, endLine: 4 }])).toContain('line=3,col=7,endLine=4,title');
  });
});

describe('renderJson', () => {
  it('counts, and gives every finding as it is', () => {
    expect(JSON.parse(renderJson([UNKNOWN]))).toEqual({ errors: 1, warnings: 0, diagnostics: [UNKNOWN] });
  });
});
