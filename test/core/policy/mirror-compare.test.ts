import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  compareAnswers,
  type MirrorAnswer,
  type MirrorBody,
} from '../../../src/core/policy/mirror-compare.ts';

const json = (value: unknown): MirrorBody => ({ kind: 'json', value });

function answer(body: MirrorBody, status = 200, fields: Record<string, string> = {}): MirrorAnswer {
  return { status, fields: new Map(Object.entries(fields)), body };
}

function places(first: unknown, other: unknown, ignore: string[] = []): Record<string, string> {
  return Object.fromEntries(compareAnswers(answer(json(first)), answer(json(other)), { fields: [], ignore }));
}

describe('compareAnswers', () => {
  it.each<[string, unknown, unknown, Record<string, string>]>([
    ['the same', { a: [1, { b: null }] }, { a: [1, { b: null }] }, {}],
    ['another order of keys', { a: 1, b: 2 }, { b: 2, a: 1 }, {}],
    ['another value', { a: { b: 1 } }, { a: { b: 2 } }, { '/a/b': 'value' }],
    ['another type', { a: '1' }, { a: 1 }, { '/a': 'type' }],
    ['a null', { a: 'x' }, { a: null }, { '/a': 'type' }],
    ['a list for an object', { a: [] }, { a: {} }, { '/a': 'type' }],
    ['a key less and one more', { a: 1, b: 2 }, { a: 1, c: 2 }, { '/b': 'missing', '/c': 'added' }],
    ['a shorter list', { a: [1, 2] }, { a: [1] }, { '/a': 'length' }],
    ['elements of a list', { a: [{ p: 1 }, { p: 2 }] }, { a: [{ p: 1 }, { p: 9 }] }, { '/a/*/p': 'value' }],
    ['a key with special characters', { 'a/b~c': 1 }, { 'a/b~c': 2 }, { '/a~1b~0c': 'value' }],
    ['another whole', 1, 2, { body: 'value' }],
    ['a key of every object', { toString: 1 }, {}, { '/toString': 'missing' }],
  ])('sees in JSON: %s', (_name, first, other, expected) => {
    expect(places(first, other)).toEqual(expected);
  });

  it('leaves out what is to be ignored, and what is below it', () => {
    const first = { at: 1, meta: { x: 1 }, items: [{ at: 1, name: 'a' }] };
    const other = { at: 2, meta: { y: 1 }, items: [{ at: 2, name: 'b' }] };
    expect(places(first, other, ['/at', '/meta', '/items/*/at'])).toEqual({ '/items/*/name': 'value' });
    expect(places({ a: 1 }, {}, ['/a'])).toEqual({});
  });

  it('compares status, chosen fields and other bodies as a whole', () => {
    const first = answer({ kind: 'text', text: 'x' }, 200, { etag: '1', location: '/a' });
    const other = answer({ kind: 'text', text: 'y' }, 404, { etag: '2', 'x-more': '1' });
    const rules = { fields: ['location', 'x-more', 'etag'], ignore: [] };
    expect(Object.fromEntries(compareAnswers(first, other, rules))).toEqual({
      status: 'value',
      'header location': 'missing',
      'header x-more': 'added',
      'header etag': 'value',
      body: 'value',
    });
    const broken = answer({ kind: 'text', text: '{' });
    expect(compareAnswers(answer(json({})), broken, rules).get('body')).toBe('type');
    expect(compareAnswers(answer(json({})), answer({ kind: 'unknown' }), rules).size).toBe(0);
  });

  it('finds nothing in the same value, and no more than it has room for in any two', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (first, other) => {
        expect(places(first, structuredClone(first))).toEqual({});
        const found = Object.keys(places(first, other));
        expect(found.length).toBeLessThanOrEqual(64);
        expect(found.every((place) => place.length <= 160)).toBe(true);
        expect(found.length === 0).toBe(Object.keys(places(other, first)).length === 0);
      }),
    );
  });
});
