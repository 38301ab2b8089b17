import { describe, expect, it } from 'vitest';
import {
  KnownCallers,
  type LifecyclePolicy,
  lifecycleFields,
  lifecycleState,
} from '../../../src/core/policy/lifecycle.ts';

const JULY = Date.UTC(2023, 6, 1);
const LATER = Date.UTC(2023, 11, 31, 23, 59, 59);

function policy(changes: Partial<LifecyclePolicy> = {}): LifecyclePolicy {
  return {
    deprecatedMs: JULY,
    sunsetMs: LATER,
    link: null,
    successor: null,
    goneAfterSunset: false,
    ...changes,
  };
}

describe('lifecycleState', () => {
  it.each([
    [JULY - 1, {}, 'announced'],
    [JULY, {}, 'deprecated'],
    [LATER - 1, {}, 'deprecated'],
    [LATER, {}, 'sunset'],
    [LATER, { goneAfterSunset: true }, 'gone'],
    [LATER - 1, { goneAfterSunset: true }, 'deprecated'],
    [LATER * 2, { sunsetMs: null }, 'deprecated'],
  ])('at %i with %o is %s', (nowMs, changes, state) => {
    expect(lifecycleState(policy(changes), nowMs)).toBe(state);
  });
});

describe('lifecycleFields', () => {
  it('writes the deprecation as a structured date and the sunset as an HTTP-date', () => {
    expect(lifecycleFields(policy())).toEqual([
      'Deprecation',
      '@1688169600',
      'Sunset',
      'Sun, 31 Dec 2023 23:59:59 GMT',
    ]);
  });

  it('links to the explanation of both, and to the successor', () => {
    const fields = lifecycleFields(policy({ link: 'https://shop.test/v1', successor: '/v2' }));
    expect(fields.slice(4)).toEqual([
      'Link',
      '<https://shop.test/v1>; rel="deprecation"',
      'Link',
      '<https://shop.test/v1>; rel="sunset"',
      'Link',
      '</v2>; rel="successor-version"',
    ]);
  });

  it('says nothing of a sunset that is not known', () => {
    const fields = lifecycleFields(policy({ sunsetMs: null, link: 'https://shop.test/v1' }));
    expect(fields).toEqual([
      'Deprecation',
      '@1688169600',
      'Link',
      '<https://shop.test/v1>; rel="deprecation"',
    ]);
  });
});

describe('KnownCallers', () => {
  it('names callers up to its limit and calls the rest others, while known ones keep their names', () => {
    const callers = new KnownCallers(2);
    const labels = ['a', '', 'b', 'c', 'a', 'b', 'd'].map((caller) => callers.labelOf(caller));
    expect(labels).toEqual(['a', '_anonymous', 'b', '_other', 'a', 'b', '_other']);
  });

  it('does not let a caller take a name with a meaning, or an endless one', () => {
    const callers = new KnownCallers(10);
    expect(callers.labelOf('_anonymous')).toBe('_other');
    expect(callers.labelOf('x'.repeat(129))).toBe('_other');
  });
});
