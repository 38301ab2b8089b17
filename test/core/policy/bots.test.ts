import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileAgent, judgeClient, type KnownCrawler } from '../../../src/core/policy/bots.ts';

describe('compileAgent', () => {
  it.each([
    ['curl', 'curl/8.5', true],
    ['CURL', 'my curl', true],
    ['curl', 'cur', false],
    ['curl/*', 'curl/8.5', true],
    ['curl/*', 'my curl/8.5', false],
    ['*bot', 'Googlebot', true],
    ['*bot', 'Googlebot/2.1', false],
    ['*head*chrome*', 'x HeadlessChrome/1', true],
    ['*chrome*head*', 'x HeadlessChrome/1', false],
    ['a*a', 'a', false],
    ['a*a', 'aa', true],
    ['a*ab*ab', 'aab', false],
    ['*', '', true],
    ['curl', '', false],
    ['a.c', 'abc', false],
  ])('%s is like "%s": %s', (pattern, agent, expected) => {
    expect(compileAgent(pattern)(agent)).toBe(expected);
  });

  it('means what the same regular expression would', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 12 });
    const agent = fc.string({ unit: fc.constantFrom('a', 'b', 'A'), maxLength: 16 });
    fc.assert(
      fc.property(text, agent, (pattern, value) => {
        const source = pattern.includes('*') ? `^${pattern.replaceAll('*', '.*')}$` : pattern;
        expect(compileAgent(pattern)(value)).toBe(new RegExp(source, 'i').test(value));
      }),
    );
  });

  it('is done at once with what would keep a backtracking matcher busy', () => {
    const matches = compileAgent(`${'*a'.repeat(127)}*b`);
    const agent = 'a'.repeat(16_000);
    expect(matches(agent)).toBe(false);
  });
});

describe('judgeClient', () => {
  const crawlers: KnownCrawler[] = [
    { claims: compileAgent('goodbot'), isFrom: (address) => address === '192.0.2.1' },
    { claims: compileAgent('goodbot'), isFrom: (address) => address === '192.0.2.2' },
    { claims: compileAgent('probe'), isFrom: null },
  ];
  const judge = (agent: string, address: string, fields: readonly string[] = ['accept']) =>
    judgeClient(
      { agent, address, has: (field) => fields.includes(field) },
      crawlers,
      [compileAgent('bot')],
      ['accept'],
    );

  it.each([
    ['Mozilla', '192.0.2.9', 'ordinary'],
    ['Goodbot/2', '192.0.2.1', 'crawler'],
    ['Goodbot/2', '192.0.2.2', 'crawler'],
    ['Goodbot/2', '192.0.2.9', 'impostor'],
    ['otherbot', '192.0.2.1', 'denied'],
    ['probe that is a bot', '', 'crawler'],
  ])('says of %s from %s: %s', (agent, address, verdict) => {
    expect(judge(agent, address)).toBe(verdict);
  });

  it('asks for fields of everybody but crawlers', () => {
    expect(judge('Mozilla', '', [])).toBe('incomplete');
    expect(judge('probe', '', [])).toBe('crawler');
  });
});
