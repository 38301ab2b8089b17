import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  hostName,
  isSoundAuthority,
  otherReading,
  parseTarget,
} from '../../../src/core/policy/request-target.ts';

describe('otherReading', () => {
  it.each([
    ['/admin;a=1', '/admin'],
    ['/;x/admin;y/z', '/admin/z'],
    ['/admin%3Ba', '/admin'],
    ['/a%2Bb', '/a+b'],
    ['/a%20b', null],
    ['/a+b', null],
    ['/admin', null],
  ])('of %s is %s', (path, other) => {
    expect(otherReading(path)).toBe(other);
  });
});

describe('parseTarget', () => {
  it.each([
    ['/', '/', ''],
    ['/orders/1?a=b&c=%2f', '/orders/1', '?a=b&c=%2f'],
    ['/a/%7Euser/%41', '/a/~user/A', ''],
    ['/orders%3Acancel/%40me%21%2c', '/orders:cancel/@me!,', ''],
    ['/a%2bb%3bc%20d', '/a%2Bb%3Bc%20d', ''],
    ['/caf%c3%a9', '/caf%C3%A9', ''],
    ['//a///b/', '/a/b/', ''],
    ['/.well-known/x', '/.well-known/x', ''],
    ['/a..b/...', '/a..b/...', ''],
    ["/a;v=1/b,c:d@e!$&'()*+=", "/a;v=1/b,c:d@e!$&'()*+=", ''],
    ['/?', '/', '?'],
  ])('accepts %s as %s', (url, path, query) => {
    expect(parseTarget(url)).toEqual({ path, query, authority: null });
  });

  it.each([
    '/a/../b',
    '/a/..',
    '/./a',
    '/a/%2e%2e/b',
    '/a/.%2E',
    '/a/..;x=1/b',
    '/a%2fb',
    '/a%5Cb',
    '/a%00',
    '/a\\b',
    '/\\evil.test/x',
    '/a#b',
    '/a?b#c',
    '/a%',
    '/a%4',
    '/a%zz',
    '/a b',
    '/caf\u00e9',
    '/a"b',
    '/a?b c',
    '*',
    'example.test:80',
    '',
    'ftp://example.test/',
    'http://',
  ])('refuses %s', (url) => {
    expect(parseTarget(url)).toBeUndefined();
  });

  it('takes absolute-form apart', () => {
    expect(parseTarget('http://example.test:80/a?b')).toEqual({
      path: '/a',
      query: '?b',
      authority: 'example.test:80',
    });
    expect(parseTarget('HTTP://example.test')).toEqual({ path: '/', query: '', authority: 'example.test' });
    expect(parseTarget('http://example.test?x')).toEqual({
      path: '/',
      query: '?x',
      authority: 'example.test',
    });
  });

  it('property: an accepted path is accepted again, unchanged, and has no dot or empty segment', () => {
    const character = fc.constantFrom(...'ab./%2e5cfF0~;:@\\#?1'.split(''));
    fc.assert(
      fc.property(fc.array(character, { maxLength: 16 }), (characters) => {
        const target = parseTarget(`/${characters.join('')}`);
        if (target === undefined) return;
        expect(parseTarget(target.path)).toEqual({ path: target.path, query: '', authority: null });
        expect(target.path).not.toMatch(/\/\//);
        expect(target.path).not.toMatch(/\/\.\.?(?:\/|;|$)/);
        expect(target.path).not.toMatch(/%(?:2f|5c|00|2e)/i);
      }),
      { numRuns: 2_000 },
    );
  });

  it('decides about a long hostile path without delay', () => {
    const startedMs = performance.now();
    expect(parseTarget(`/${'a/'.repeat(8_000)}%`)).toBeUndefined();
    expect(performance.now() - startedMs).toBeLessThan(200);
  });
});

describe('isSoundAuthority', () => {
  it.each([
    'example.test',
    'example.test:8080',
    '127.0.0.1:1',
    '[::1]:80',
    '[2001:db8::1]',
    'a',
    'a_b.test',
    'example.test.',
  ])('accepts %s', (authority) => expect(isSoundAuthority(authority)).toBe(true));

  it.each([
    '',
    ' ',
    'a/../@evil.test?#',
    'user@host',
    'a b',
    'host:',
    'host:port',
    'host:123456',
    '[::1',
    'a,b',
    'a/b',
    '-a',
    'a\\b',
  ])('refuses %j', (authority) => expect(isSoundAuthority(authority)).toBe(false));
});

describe('hostName', () => {
  it('drops port, case and the dot of the root', () => {
    expect(hostName('Example.TEST:8080')).toBe('example.test');
    expect(hostName('example.test.')).toBe('example.test');
    expect(hostName('[::1]:80')).toBe('[::1]');
    expect(hostName('[::1]')).toBe('[::1]');
  });
});
