import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseRequestDirectives } from '../../../../src/core/policy/cache/cache-control.ts';
import {
  currentAgeMs,
  type FreshnessLimits,
  freshnessOf,
  type ResponseFacts,
} from '../../../../src/core/policy/cache/freshness.ts';
import { parseHttpDate } from '../../../../src/core/policy/cache/http-date.ts';
import { mayServeOnError, reuseOf } from '../../../../src/core/policy/cache/reuse.ts';
import type { SetCookieRule } from '../../../../src/core/policy/cache/set-cookie.ts';
import { type StoreRequestFacts, storeVerdict } from '../../../../src/core/policy/cache/storability.ts';

const NOW = Date.UTC(2026, 10, 24, 8);
const at = (seconds: number): string => new Date(NOW + seconds * 1000).toUTCString();

const FACTS: ResponseFacts = {
  status: 200,
  cacheControl: '',
  cdnCacheControl: '',
  expires: '',
  date: at(0),
  age: '',
  lastModified: '',
  etag: '',
  vary: '',
  pragma: '',
  hasSetCookie: false,
};
const LIMITS: FreshnessLimits = {
  ttlMs: null,
  staleWhileRevalidateMs: 0,
  staleIfErrorMs: 60_000,
  heuristic: true,
};
const GET: StoreRequestFacts = { method: 'GET', authenticated: false, identified: false, noStore: false };

const fresh = (facts: Partial<ResponseFacts>, limits: Partial<FreshnessLimits> = {}) =>
  freshnessOf({ ...FACTS, ...facts }, { ...LIMITS, ...limits }, NOW, NOW);

describe('an HTTP-date', () => {
  it.each([
    ['Tue, 24 Nov 2026 08:00:00 GMT', NOW],
    ['Tuesday, 24-Nov-26 08:00:00 GMT', NOW],
    ['Tue Nov 24 08:00:00 2026', NOW],
    ['Thu Aug  8 02:01:18 2050', Date.UTC(2050, 7, 8, 2, 1, 18)],
    ['Friday, 18-Aug-94 02:01:18 GMT', Date.UTC(1994, 7, 18, 2, 1, 18)],
  ])('%s is a time', (text, ms) => {
    expect(parseHttpDate(text, NOW)).toBe(ms);
  });

  it.each([
    '',
    '0',
    'Tue, 24 Nov 2026 08:00:00 UTC',
    'Tue, 24 Nov 2026 25:00:00 GMT',
    'Tue, 32 Nov 2026 08:00:00 GMT',
    'Tue, 24 Foo 2026 08:00:00 GMT',
    'Tue, 24 Nov 26 08:00:00 GMT',
    '2026-11-24T08:00:00Z',
  ])('%j is none', (text) => {
    expect(parseHttpDate(text, NOW)).toBeUndefined();
  });

  it('property: what is written as an IMF-fixdate is read back', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 253_402_300_799 }), (seconds) => {
        expect(parseHttpDate(new Date(seconds * 1000).toUTCString(), NOW)).toBe(seconds * 1000);
      }),
    );
  });
});

describe('the lifetime of a response', () => {
  it.each<[string, Partial<ResponseFacts>, number]>([
    ['max-age', { cacheControl: 'max-age=60' }, 60],
    ['s-maxage before max-age', { cacheControl: 'max-age=60, s-maxage=5' }, 5],
    ['max-age before Expires', { cacheControl: 'max-age=60', expires: at(5) }, 60],
    ['Expires less Date', { expires: at(30), date: at(10) }, 20],
    ['an Expires before its Date', { expires: at(300), date: at(400) }, 0],
    ['a malformed Expires', { expires: '0' }, 0],
    ['Expires with a malformed Date', { expires: at(10), date: 'foo' }, 10],
    [
      'CDN-Cache-Control before all',
      { cdnCacheControl: 'max-age=60', cacheControl: 'no-store', expires: at(-5) },
      60,
    ],
    ['a malformed CDN-Cache-Control', { cdnCacheControl: 'max-age=60, &&', cacheControl: 'max-age=5' }, 5],
    ['a tenth of the time since Last-Modified', { lastModified: at(-1000) }, 100],
    ['at most a day of guessing', { lastModified: at(-100_000_000) }, 86_400],
    ['no guess for an error', { lastModified: at(-1000), status: 502 }, 0],
    [
      'a guess for an error that is public',
      { lastModified: at(-1000), status: 599, cacheControl: 'public' },
      100,
    ],
    ['nothing', {}, 0],
  ])('comes from %s', (_title, facts, seconds) => {
    expect(fresh(facts).lifetimeMs).toBe(seconds * 1000);
  });

  it('is the route’s when that sets one', () => {
    expect(fresh({ cacheControl: 'max-age=5' }, { ttlMs: 30_000 }).lifetimeMs).toBe(30_000);
  });
});

describe('the age of a response', () => {
  it.each([
    ['', 0],
    ['30', 30],
    ['2147483648', 2_147_483_648],
    ['30, 0', 30],
    ['0, 30', 0],
    ['abc', 0],
    ['-30', 0],
    ['30.0', 0],
    ['30;a=b', 0],
  ])('with Age %j begins at %s s', (age, seconds) => {
    expect(fresh({ age }).initialAgeMs).toBe(seconds * 1000);
  });

  it('is at least what its Date says, plus the time that it took to come, plus the time it was kept', () => {
    const slow = freshnessOf({ ...FACTS, date: at(-20), age: '5' }, LIMITS, NOW - 3000, NOW);
    expect(slow.initialAgeMs).toBe(20_000);
    const aged = freshnessOf({ ...FACTS, age: '50' }, LIMITS, NOW - 3000, NOW);
    expect(aged.initialAgeMs).toBe(53_000);
    expect(currentAgeMs(aged, NOW, NOW + 7000)).toBe(60_000);
    expect(currentAgeMs(aged, NOW, NOW - 7000)).toBe(53_000);
  });
});

describe('reuse of a stored response', () => {
  const SWR = 'max-age=60, stale-while-revalidate=30, stale-if-error=90';
  it.each([
    ['max-age=60', 59, '', 'fresh'],
    ['max-age=60', 60, '', 'validate'],
    ['max-age=60, no-cache', 1, '', 'validate'],
    ['max-age=60', 1, 'no-cache', 'validate'],
    ['max-age=60', 20, 'max-age=10', 'validate'],
    ['max-age=60', 20, 'max-age=20', 'fresh'],
    ['max-age=60', 20, 'min-fresh=50', 'validate'],
    ['max-age=60', 20, 'min-fresh=30', 'fresh'],
    ['max-age=60', 70, 'max-stale=20', 'stale-allowed'],
    ['max-age=60', 70, 'max-stale', 'stale-allowed'],
    ['max-age=60', 70, 'max-stale=10', 'validate'],
    ['max-age=60, must-revalidate', 70, 'max-stale', 'validate'],
    [SWR, 70, '', 'stale-while-revalidate'],
    [SWR, 90, '', 'validate'],
    [SWR, 70, 'max-age=600', 'validate'],
    [`${SWR}, must-revalidate`, 70, '', 'validate'],
    [`${SWR}, s-maxage=60`, 70, '', 'validate'],
  ])('%s at %s s, asked with %j: %s', (cacheControl, ageS, asked, expected) => {
    expect(reuseOf(fresh({ cacheControl }), ageS * 1000, parseRequestDirectives(asked))).toBe(expected);
  });

  it.each([
    [SWR, 149, '', true],
    [SWR, 150, '', false],
    ['max-age=60', 119, '', true],
    ['max-age=60', 120, '', false],
    ['max-age=60', 70, 'no-cache', false],
    ['max-age=60, must-revalidate', 70, '', false],
    ['max-age=60, proxy-revalidate', 70, '', false],
    ['max-age=60, no-cache', 70, '', false],
    ['s-maxage=60', 70, '', false],
    ['max-age=60, stale-if-error=0', 70, '', false],
  ])('%s at %s s, asked with %j, stands in for an error: %s', (cacheControl, ageS, asked, expected) => {
    expect(mayServeOnError(fresh({ cacheControl }), ageS * 1000, parseRequestDirectives(asked))).toBe(
      expected,
    );
  });

  it('property: a response is never fresh once it is as old as its lifetime, whatever the request says', () => {
    const directive = fc.constantFrom('', 'max-age=5', 'min-fresh=5', 'max-stale=5', 'max-stale', 'no-cache');
    fc.assert(
      fc.property(fc.nat(1000), fc.nat(2000), directive, (lifetimeS, ageS, asked) => {
        const verdict = reuseOf(
          fresh({ cacheControl: `max-age=${lifetimeS}` }),
          ageS * 1000,
          parseRequestDirectives(asked),
        );
        if (ageS >= lifetimeS) expect(verdict).not.toBe('fresh');
      }),
    );
  });
});

describe('what may be stored', () => {
  it.each<[string, Partial<ResponseFacts>, Partial<StoreRequestFacts>, string]>([
    ['a fresh response', { cacheControl: 'max-age=60' }, {}, 'store'],
    ['a POST', { cacheControl: 'max-age=60' }, { method: 'POST' }, 'method'],
    ['partial content', { cacheControl: 'max-age=60', status: 206 }, {}, 'status'],
    ['no-store', { cacheControl: 'max-age=60, no-store' }, {}, 'no-store'],
    [
      'no-store that asks to be understood, and is',
      { cacheControl: 'max-age=60, no-store, must-understand' },
      {},
      'store',
    ],
    [
      'must-understand with an odd status',
      { cacheControl: 'max-age=60, must-understand', status: 599 },
      {},
      'status',
    ],
    ['an odd status with a lifetime', { cacheControl: 'max-age=60', status: 599 }, {}, 'store'],
    ['a request that says no-store', { cacheControl: 'max-age=60' }, { noStore: true }, 'no-store'],
    ['private', { cacheControl: 'max-age=60, private' }, {}, 'private'],
    ['targeted private', { cacheControl: 'max-age=60', cdnCacheControl: 'private' }, {}, 'private'],
    ['private for single fields', { cacheControl: 'max-age=60, private="x-user"' }, {}, 'store'],
    ['Vary: *', { cacheControl: 'max-age=60', vary: 'Foo, *' }, {}, 'vary'],
    ['an authenticated request', { cacheControl: 'max-age=60' }, { authenticated: true }, 'authorization'],
    ['… whose response is public', { cacheControl: 'max-age=60, public' }, { authenticated: true }, 'store'],
    ['… or has s-maxage', { cacheControl: 's-maxage=60' }, { authenticated: true }, 'store'],
    [
      '… or must-revalidate',
      { cacheControl: 'max-age=60, must-revalidate' },
      { authenticated: true },
      'store',
    ],
    ['a Set-Cookie with a lifetime', { cacheControl: 'max-age=60', hasSetCookie: true }, {}, 'cookie'],
    ['… that is public', { cacheControl: 'max-age=60, public', hasSetCookie: true }, {}, 'store'],
    ['… that has s-maxage', { cacheControl: 's-maxage=60', hasSetCookie: true }, {}, 'store'],
    [
      '… that is withheld',
      { cacheControl: 'max-age=9, private="set-cookie"', hasSetCookie: true },
      {},
      'store',
    ],
    [
      '… whose lifetime is for caches of this kind',
      { cacheControl: 'no-store', cdnCacheControl: 'max-age=60', hasSetCookie: true },
      {},
      'store',
    ],
    ['a Set-Cookie by a guess', { lastModified: at(-1000), hasSetCookie: true }, {}, 'cookie'],
    ['a request with a cookie by a guess', { lastModified: at(-1000) }, { identified: true }, 'identified'],
    ['nothing said', {}, {}, 'useless'],
    ['no-cache with a validator', { cacheControl: 'no-cache', etag: '"a"' }, {}, 'store'],
    ['no-cache without', { cacheControl: 'no-cache' }, {}, 'useless'],
    ['an unknown error without a lifetime', { status: 500, lastModified: at(-1000) }, {}, 'not-cacheable'],
  ])('%s', (_title, facts, request, expected) => {
    const all = { ...FACTS, ...facts };
    const freshness = freshnessOf(all, LIMITS, NOW, NOW);
    expect(
      storeVerdict({ ...GET, ...request }, all, freshness, { overridden: false, setCookie: 'refuse' }),
    ).toBe(expected);
  });

  it.each<[SetCookieRule, Partial<ResponseFacts>, boolean, string]>([
    ['keep', { cacheControl: 'max-age=60' }, false, 'store'],
    ['keep', { cacheControl: 'max-age=60' }, true, 'cookie'],
    ['strip', { cacheControl: 'max-age=60' }, false, 'store'],
    ['strip', {}, true, 'store'],
  ])('a Set-Cookie by the rule %s, %o', (setCookie, facts, overridden, expected) => {
    const all = { ...FACTS, ...facts, hasSetCookie: true };
    const freshness = freshnessOf(all, { ...LIMITS, ttlMs: overridden ? 30_000 : null }, NOW, NOW);
    expect(storeVerdict(GET, all, freshness, { overridden, setCookie })).toBe(expected);
  });

  it('property: a route’s own lifetime never keeps what could be one caller’s own', () => {
    const flag = fc.boolean();
    const cacheControl = fc
      .subarray(['private', 'no-store', 'public', 's-maxage=9', 'max-age=9', 'must-revalidate'])
      .map((all) => all.join(', '));
    fc.assert(
      fc.property(flag, flag, flag, cacheControl, (authenticated, identified, hasSetCookie, text) => {
        const all = { ...FACTS, cacheControl: text, hasSetCookie };
        const freshness = freshnessOf(all, { ...LIMITS, ttlMs: 30_000 }, NOW, NOW);
        const verdict = storeVerdict({ ...GET, authenticated, identified }, all, freshness, {
          overridden: true,
          setCookie: 'refuse',
        });
        const personal =
          authenticated ||
          hasSetCookie ||
          /private|no-store/.test(text) ||
          (identified && !/public/.test(text));
        expect(verdict === 'store').toBe(!personal);
      }),
    );
  });
});
