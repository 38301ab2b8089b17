import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  parseRequestDirectives,
  parseResponseDirectives,
  parseTargetedDirectives,
  type ResponseDirectives,
} from '../../../../src/core/policy/cache/cache-control.ts';

const NOTHING: ResponseDirectives = parseResponseDirectives('');

describe('Cache-Control of a response', () => {
  it.each<[string, Partial<ResponseDirectives>]>([
    ['max-age=60', { maxAgeS: 60 }],
    ['MaX-aGe=60', { maxAgeS: 60 }],
    ['max-age="60"', { maxAgeS: 60 }],
    ['max-age=0060', { maxAgeS: 60 }],
    ['max-age=99999999999', { maxAgeS: 2_147_483_648 }],
    ['foo, max-age=60 , bar=baz', { maxAgeS: 60 }],
    ['x="max-age=60", max-age=1', { maxAgeS: 1 }],
    ['x="a\\"b, max-age=60", max-age=1', { maxAgeS: 1 }],
    ['max-age=1, s-maxage=60', { maxAgeS: 1, sharedMaxAgeS: 60 }],
    ['no-store', { noStore: true }],
    ['No-StOrE', { noStore: true }],
    [', ,no-store,,', { noStore: true }],
    ['=x, no-store', { noStore: true }],
    [
      'public, must-revalidate, proxy-revalidate, must-understand',
      { isPublic: true, mustRevalidate: true, proxyRevalidate: true, mustUnderstand: true },
    ],
    ['stale-while-revalidate=5, stale-if-error=6', { staleWhileRevalidateS: 5, staleIfErrorS: 6 }],
  ])('%s is read as it is meant', (text, expected) => {
    expect(parseResponseDirectives(text)).toEqual({ ...NOTHING, ...expected });
  });

  it.each([
    'max-age',
    'max-age=',
    "max-age='60'",
    'max-age=-60',
    'max-age=60.0',
    'max-age=60a',
    'max-age=a60',
    'max-age =60',
    'max-age= 60',
    'max-age="60',
  ])('%s is malformed, so the response is never fresh', (text) => {
    expect(parseResponseDirectives(text).maxAgeS).toBe(0);
  });

  it.each([
    ['max-age=1, max-age=60', 1],
    ['max-age=60, max-age=1', 60],
  ])('of %s the first counts', (text, seconds) => {
    expect(parseResponseDirectives(text).maxAgeS).toBe(seconds);
  });

  it.each([
    ['private="set-cookie"', ['set-cookie']],
    ['private="Set-Cookie, X-User"', ['set-cookie', 'x-user']],
    ['no-cache="a", private=b', ['a', 'b']],
    ['private="a", private="b"', ['a', 'b']],
  ])('%s withholds fields and leaves the rest', (text, fields) => {
    expect(parseResponseDirectives(text)).toMatchObject({
      isPrivate: false,
      noCache: false,
      withheldFields: fields,
    });
  });

  it.each([
    'private',
    'private=""',
    'private=","',
    'private="a',
    'private="a;b"',
    'private="a" x',
    'private="a", private',
    'private, private="a"',
  ])('%s counts as private without qualification', (text) => {
    expect(parseResponseDirectives(text).isPrivate).toBe(true);
  });

  it('property: any text is read without throwing, and adding no-store forbids storing', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) => {
        parseResponseDirectives(text);
        parseTargetedDirectives(text);
        expect(parseResponseDirectives(`no-store,${text}`).noStore).toBe(true);
      }),
    );
  });
});

describe('Cache-Control of a request', () => {
  it.each([
    ['max-stale', { maxStaleS: Number.POSITIVE_INFINITY }],
    ['max-stale=5, min-fresh=6, max-age=7', { maxStaleS: 5, minFreshS: 6, maxAgeS: 7 }],
    ['no-cache, no-store, only-if-cached', { noCache: true, noStore: true, onlyIfCached: true }],
    ['nonsense', {}],
  ])('%s is read as it is meant', (text, expected) => {
    expect(parseRequestDirectives(text)).toEqual({ ...parseRequestDirectives(''), ...expected });
  });
});

describe('CDN-Cache-Control', () => {
  it.each([
    ['max-age=60', 60],
    ['foo, max-age=60', 60],
    ['max-age=60;ext=1', 60],
    ['max-age=1, max-age=60', 60],
    ['a=(', null],
  ])('%s gives %s', (text, seconds) => {
    expect(parseTargetedDirectives(text)?.maxAgeS ?? null).toBe(seconds);
  });

  it.each(['', 'MaX-aGe=60', 'max-age=60, &&&', 'max-age=60,', 'max-age =60', 'max-age= 60', '"x"'])(
    '%j is no dictionary and is ignored whole',
    (text) => {
      expect(parseTargetedDirectives(text)).toBeNull();
    },
  );

  it.each(['max-age="60"', 'max-age=60.5', 'max-age=token', 'max-age', 'max-age=-1'])(
    '%s has the wrong type, so the response is never fresh',
    (text) => {
      expect(parseTargetedDirectives(text)?.maxAgeS).toBe(0);
    },
  );

  it.each(['private', 'no-store', 'no-cache'])('%s is obeyed', (text) => {
    const found = parseTargetedDirectives(text);
    expect([found?.isPrivate, found?.noStore, found?.noCache]).toContain(true);
  });
});
