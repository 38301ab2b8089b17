import { describe, expect, it } from 'vitest';
import { type Conditions, refusalOf, scopesOf } from '../../../src/core/policy/authorisation.ts';

function conditions(changes: Partial<Conditions>): Conditions {
  return { all: [], any: [], claims: {}, ...changes };
}

describe('scopesOf', () => {
  it.each([
    [{ scope: 'a b' }, ['a', 'b']],
    [{ scope: ' a  b ' }, ['a', 'b']],
    [{ scp: 'a b' }, ['a', 'b']],
    [{ scp: ['a', 'b', 7] }, ['a', 'b']],
    [{ scope: ['a'], scp: 'b' }, ['a', 'b']],
    [{ scope: 7 }, []],
    [{}, []],
  ])('reads %j as %j', (claims, scopes) => {
    expect([...scopesOf(claims)]).toEqual(scopes);
  });
});

describe('refusalOf', () => {
  it.each([
    ['all scopes are there', { scope: 'a b c' }, { all: ['a', 'b'] }, null],
    ['one of all is missing', { scope: 'a' }, { all: ['a', 'b'] }, 'scope'],
    ['one of any is there', { scope: 'b' }, { any: ['a', 'b'] }, null],
    ['none of any is there', { scope: 'c' }, { any: ['a', 'b'] }, 'scope'],
    ['a scope only begins alike', { scope: 'admin-lite' }, { all: ['admin'] }, 'scope'],
    ['there is no scope at all', {}, { any: ['a'] }, 'scope'],
    ['a claim has the value', { tenant: 'acme' }, { claims: { tenant: ['acme'] } }, null],
    ['a claim has one of the values', { tenant: 'b' }, { claims: { tenant: ['a', 'b'] } }, null],
    ['a claim has another value', { tenant: 'x' }, { claims: { tenant: ['acme'] } }, 'claim'],
    ['a list has the value', { roles: ['x', 'acme'] }, { claims: { roles: ['acme'] } }, null],
    ['a number is written as text', { level: 3 }, { claims: { level: ['3'] } }, null],
    ['any value will do', { tenant: 'x' }, { claims: { tenant: 'exists' as const } }, null],
    [
      'any value will do, and there is null',
      { tenant: null },
      { claims: { tenant: 'exists' as const } },
      'claim',
    ],
    ['the claim is missing', {}, { claims: { tenant: ['acme'] } }, 'claim'],
    ['the name is one that every object has', {}, { claims: { constructor: 'exists' as const } }, 'claim'],
    ['an object prints as the value', { tenant: {} }, { claims: { tenant: ['[object Object]'] } }, 'claim'],
  ])('when %s', (_case, claims, wanted, refusal) => {
    expect(refusalOf(claims, conditions(wanted))).toBe(refusal);
  });
});
