import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rangeOf } from '../../../../src/core/policy/cache/byte-range.ts';
import { compileQueryKey, compileQueryRest } from '../../../../src/core/policy/cache/cache-key.ts';
import { formatCacheStatus } from '../../../../src/core/policy/cache/cache-status.ts';
import { invalidates, sameOriginTarget } from '../../../../src/core/policy/cache/invalidation.ts';
import {
  freshenedFields,
  ifRangeHolds,
  isNotModified,
  noneMatchHits,
} from '../../../../src/core/policy/cache/validation.ts';
import { varyKey, varyNames } from '../../../../src/core/policy/cache/vary.ts';

const key = (fields: Readonly<Record<string, string>>, vary: string): string =>
  varyKey(varyNames(vary), (name) => fields[name]);

describe('Vary', () => {
  it.each([
    ['Foo', { foo: '1' }, { foo: '1' }, true],
    ['Foo', { foo: '1' }, { foo: '2' }, false],
    ['Foo', { foo: '1' }, {}, false],
    ['Foo', { foo: '' }, {}, false],
    ['Foo, Bar', { foo: '1' }, { foo: '1' }, true],
    ['Foo', { foo: '1,2' }, { foo: ' 1 ,  2 ' }, true],
    ['Foo', { foo: '"a , b"' }, { foo: '"a,b"' }, false],
    ['Foo', { foo: 'a' }, { foo: 'A' }, false],
    ['Accept-Language', { 'accept-language': 'en, de' }, { 'accept-language': 'eN,De' }, true],
    ['Accept-Language', { 'accept-language': 'en, de' }, { 'accept-language': 'de, en' }, false],
  ])('%s: %j and %j are the same: %s', (vary, a, b, same) => {
    expect(key(a, vary) === key(b, vary)).toBe(same);
  });

  it('property: values of different fields never run into each other', () => {
    const value = fc.option(fc.string({ unit: fc.constantFrom('a', '-', '+', ',', ' ') }), {
      nil: undefined,
    });
    fc.assert(
      fc.property(value, value, value, value, (a, b, c, d) => {
        const trimmed = (text: string | undefined): string | undefined => text?.replace(/ *, */g, ',').trim();
        const same = trimmed(a) === trimmed(c) && trimmed(b) === trimmed(d);
        const read = (x?: string, y?: string) => (name: string) => (name === 'x' ? x : y);
        expect(varyKey(['x', 'y'], read(a, b)) === varyKey(['x', 'y'], read(c, d))).toBe(same);
      }),
    );
  });
});

describe('conditions', () => {
  it.each([
    ['"a"', '"a"', true],
    ['W/"a"', '"a"', true],
    ['"a"', 'W/"a"', true],
    ['"b", "a"', '"a"', true],
    ['"a,b"', '"a"', false],
    ['"a, b", "c"', '"c"', true],
    ['*', '', true],
    ['"a"', '', false],
    ['a', '"a"', false],
  ])('If-None-Match %s meets %s: %s', (asked, etag, expected) => {
    expect(noneMatchHits(asked, etag)).toBe(expected);
  });

  it.each([
    ['', 'Tue, 24 Nov 2026 08:00:00 GMT', true],
    ['', 'Tue, 24 Nov 2026 07:59:59 GMT', false],
    ['', 'rubbish', false],
    ['"other"', 'Tue, 24 Nov 2026 08:00:00 GMT', false],
    ['"a"', 'Tue, 24 Nov 2026 07:00:00 GMT', true],
  ])(
    'If-None-Match %j beside If-Modified-Since %j: not modified is %s',
    (ifNoneMatch, ifModifiedSince, expected) => {
      const stored = { etag: '"a"', lastModifiedMs: Date.UTC(2026, 10, 24, 8), dateMs: 0 };
      expect(isNotModified({ ifNoneMatch, ifModifiedSince }, stored, Date.UTC(2026, 10, 25))).toBe(expected);
    },
  );

  it.each([
    ['', '"a"', 'lm', true],
    ['"a"', '"a"', 'lm', true],
    ['W/"a"', 'W/"a"', 'lm', false],
    ['"b"', '"a"', 'lm', false],
    ['lm', '"a"', 'lm', true],
    ['other', '"a"', 'lm', false],
  ])('If-Range %j with %s and %s: %s', (ifRange, etag, lastModified, expected) => {
    expect(ifRangeHolds(ifRange, etag, lastModified)).toBe(expected);
  });

  it('a 304 replaces all lines of what it names, but nothing that describes the stored bytes', () => {
    const stored = [
      'A',
      '1',
      'A',
      '2',
      'B',
      '3',
      'ETag',
      '"x"',
      'Content-Length',
      '5',
      'Content-Encoding',
      'gzip',
    ];
    const update = ['a', '9', 'C', '4', 'etag', '"y"', 'content-length', '0', 'content-encoding', 'br'];
    expect(freshenedFields(stored, update)).toEqual([
      'B',
      '3',
      'ETag',
      '"x"',
      'Content-Length',
      '5',
      'Content-Encoding',
      'gzip',
      'a',
      '9',
      'C',
      '4',
    ]);
  });
});

describe('a byte range', () => {
  it.each([
    ['bytes=0-1', 0, 1],
    ['bytes=1-', 1, 9],
    ['bytes=-1', 9, 9],
    ['bytes=-99', 0, 9],
    ['bytes=8-99', 8, 9],
    ['BYTES=0-0', 0, 0],
  ])('%s of ten bytes', (range, first, last) => {
    expect(rangeOf(range, 10)).toEqual({ kind: 'part', first, last });
  });

  it.each(['bytes=10-', 'bytes=99-100', 'bytes=-0'])('%s of ten bytes cannot be', (range) => {
    expect(rangeOf(range, 10)).toEqual({ kind: 'unsatisfiable' });
  });

  it.each(['', 'bytes=', 'bytes=-', 'bytes=2-1', 'bytes=0-1,3-4', 'lines=0-1', 'bytes=a-b', 'bytes 0-1'])(
    '%j is no range that counts',
    (range) => {
      expect(rangeOf(range, 10)).toEqual({ kind: 'whole' });
    },
  );

  it('property: a part is never empty and never leaves the body', () => {
    fc.assert(
      fc.property(fc.nat(50), fc.option(fc.nat(60)), fc.option(fc.nat(60)), (length, from, to) => {
        const answer = rangeOf(`bytes=${from ?? ''}-${to ?? ''}`, length);
        if (answer.kind !== 'part') return;
        expect(answer.first).toBeLessThanOrEqual(answer.last);
        expect(answer.last).toBeLessThan(length);
      }),
    );
  });
});

describe('the query in a key', () => {
  const UTM = compileQueryKey({ sort: true, exclude: ['utm_*', 'fbclid'] });

  it.each([
    ['', ''],
    ['?', '?'],
    ['?b=1&a=2', '?a=2&b=1'],
    ['?a=2&a=1', '?a=2&a=1'],
    ['?utm_source=x&a=1&fbclid=y', '?a=1'],
    ['?utm_source=x', ''],
    ['?utm=1&fbclid2=2', '?fbclid2=2&utm=1'],
    ['?b&a', '?a&b'],
    ['?id=1&%69d=2', '?id=1&%69d=2'],
    ['?%69d=2&id=1', '?%69d=2&id=1'],
    ['?%=2&a=1', '?%=2&a=1'],
    // Other servers read a parameter `a` in these.
    ['?utm_x=1;a=2', '?utm_x=1;a=2'],
    ['?b=1;a=2&a=1', '?b=1;a=2&a=1'],
  ])('%s is %s', (query, expected) => {
    expect(UTM(query)).toBe(expected);
  });

  it('property: queries of one key are the same to whoever reads what is left of them', () => {
    const part = fc.constantFrom(
      'a=1',
      'a=2',
      '%61=3',
      'b=1',
      'b',
      'utm_x=1',
      'utm_x=1;a=4',
      '%75tm_x=2',
      'b;a=5',
    );
    const query = fc
      .array(part, { maxLength: 4 })
      .map((parts) => (parts.length > 0 ? `?${parts.join('&')}` : ''));
    const rest = compileQueryRest(['utm_*', 'fbclid']) ?? expect.fail('there is something to leave out');
    const readBy = (separator: RegExp) => (text: string) => {
      const read = new Map<string, string[]>();
      for (const [name, value] of new URLSearchParams(rest(text).slice(1).split(separator).join('&')))
        read.set(name, [...(read.get(name) ?? []), value]);
      return read;
    };
    fc.assert(
      fc.property(query, query, (one, two) => {
        fc.pre(UTM(one) === UTM(two));
        for (const read of [readBy(/&/), readBy(/[&;]/)]) expect(read(one)).toEqual(read(two));
      }),
      { numRuns: 300 },
    );
  });

  it('leaves out of what is passed on what it leaves out of the key, and nothing else', () => {
    const rest = compileQueryRest(['utm_*', 'fbclid']);
    expect(rest?.('?utm_source=x&b=1&fbclid=y&a=1')).toBe('?b=1&a=1');
    expect(rest?.('?utm_source=x')).toBe('');
    expect(compileQueryRest([])).toBeNull();
  });

  it('is as sent when nothing is asked for', () => {
    expect(compileQueryKey({ sort: false, exclude: [] })('?b=1&a=2&utm_x=3')).toBe('?b=1&a=2&utm_x=3');
  });

  it('property: shuffling parameters of different names and adding excluded ones changes nothing', () => {
    const names = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { minLength: 1 });
    fc.assert(
      fc.property(names, fc.nat(), (list, seed) => {
        const shuffled = [...list].sort(
          (a, b) => ((a.charCodeAt(0) * seed) % 7) - ((b.charCodeAt(0) * seed) % 7),
        );
        const text = (all: readonly string[]): string => `?${all.map((name) => `${name}=1`).join('&')}`;
        expect(UTM(`${text(shuffled)}&utm_x=${seed}`)).toBe(UTM(text(list)));
      }),
    );
  });
});

describe('invalidation', () => {
  it.each([
    ['POST', 200, true],
    ['PUT', 302, true],
    ['M-SEARCH', 200, true],
    ['DELETE', 404, false],
    ['POST', 500, false],
    ['GET', 200, false],
    ['HEAD', 200, false],
    ['OPTIONS', 200, false],
  ])('%s %s: %s', (method, status, expected) => {
    expect(invalidates(method, status)).toBe(expected);
  });

  it.each([
    ['/x?y=1', { path: '/x', query: '?y=1' }],
    ['item', { path: '/a/item', query: '' }],
    ['../item#f', { path: '/item', query: '' }],
    ['./', { path: '/a/', query: '' }],
    ['?z=1', { path: '/a/b', query: '?z=1' }],
    ['', { path: '/a/b', query: '' }],
    ['http://HOST:1/x', { path: '/x', query: '' }],
    ['https://host:1', { path: '/', query: '' }],
    ['http://other/x', null],
    ['//other/x', null],
    ['mailto:x', null],
  ])('%j from /a/b names %j', (reference, expected) => {
    expect(sameOriginTarget(reference, 'host:1', '/a/b')).toEqual(expected);
  });
});

describe('Cache-Status', () => {
  it.each([
    [
      { forwarded: null, forwardStatus: 0, ttlS: 30, stored: false, collapsed: false, detail: '' } as const,
      'gw; hit; ttl=30',
    ],
    [
      {
        forwarded: 'uri-miss',
        forwardStatus: 0,
        ttlS: null,
        stored: true,
        collapsed: false,
        detail: '',
      } as const,
      'gw; fwd=uri-miss; stored',
    ],
    [
      {
        forwarded: 'stale',
        forwardStatus: 304,
        ttlS: 60,
        stored: false,
        collapsed: true,
        detail: 'x',
      } as const,
      'gw; fwd=stale; fwd-status=304; ttl=60; collapsed; detail=x',
    ],
  ])('%j', (report, text) => {
    expect(formatCacheStatus('gw', report)).toBe(text);
  });
});
