import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  fieldSafe,
  fillTemplate,
  parseTemplate,
  urlSafe,
} from '../../../../src/core/policy/transform/text-template.ts';

function filled(text: string, values: Record<string, string>): string | undefined {
  const { template, problems } = parseTemplate(text);
  expect(problems).toEqual([]);
  return fillTemplate(
    template,
    ({ scope, name }) => values[name === '' ? scope : `${scope}.${name}`],
    (value) => value,
  );
}

describe('templates', () => {
  it('put values where variables stand', () => {
    expect(filled(`a-\${claim.sub}/\${client.ip}`, { 'claim.sub': 'u1', 'client.ip': '::1' })).toBe(
      'a-u1/::1',
    );
    expect(filled(`\${header.X-Tenant}`, { 'header.x-tenant': 'T' })).toBe('T');
    expect(filled(`$\${claim.sub} $ {x}`, {})).toBe(`\${claim.sub} $ {x}`);
    expect(filled('', {})).toBe('');
  });

  it('are nothing at all when a variable has no value', () => {
    expect(filled(`a-\${claim.sub}`, {})).toBeUndefined();
  });

  it.each([
    [`x \${clam.sub}`, 2, 11],
    [`\${}`, 0, 3],
    [`\${claim.}`, 0, 9],
    [`ab\${claim.sub`, 2, 11],
    [`\${claim.a b}`, 0, 12],
  ])('say where %s is wrong', (text, offset, length) => {
    expect(parseTemplate(text).problems).toMatchObject([{ offset, length }]);
  });
});

describe('fieldSafe and urlSafe', () => {
  it('let nothing through that could end a field or part a URL', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 30 }), (text) => {
        expect(fieldSafe(text)).toMatch(/^[\x20-\x7e]*$/);
        expect(urlSafe(text)).toMatch(/^[\w.~!*'()%-]*$/);
      }),
    );
    expect(fieldSafe('a\r\nb: 1\0')).toBe('a%0D%0Ab: 1%00');
    expect(fieldSafe('plain 100%')).toBe('plain 100%');
    expect(urlSafe('../a?b#c&d')).toBe('..%2Fa%3Fb%23c%26d');
  });
});
