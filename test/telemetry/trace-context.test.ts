import { describe, expect, it } from 'vitest';
import {
  formatTraceParent,
  isSoundTraceState,
  knownFlags,
  parseTraceParent,
} from '../../src/telemetry/trace-context.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';

describe('parseTraceParent', () => {
  it('reads version 00', () => {
    expect(parseTraceParent(`00-${TRACE}-${SPAN}-01`)).toEqual({
      traceId: TRACE,
      parentId: SPAN,
      flags: '01',
    });
  });

  it('reads a future version, with or without further parts', () => {
    expect(parseTraceParent(`cc-${TRACE}-${SPAN}-01`)?.traceId).toBe(TRACE);
    expect(parseTraceParent(`cc-${TRACE}-${SPAN}-01-what-the-future-brings`)?.traceId).toBe(TRACE);
  });

  it.each([
    ['version ff', `ff-${TRACE}-${SPAN}-01`],
    ['further parts in version 00', `00-${TRACE}-${SPAN}-01-more`],
    ['a future version with text glued to its flags', `cc-${TRACE}-${SPAN}-01.more`],
    ['an all-zero trace id', `00-${'0'.repeat(32)}-${SPAN}-01`],
    ['an all-zero parent id', `00-${TRACE}-${'0'.repeat(16)}-01`],
    ['upper case', `00-${TRACE.toUpperCase()}-${SPAN}-01`],
    ['a short trace id', `00-${TRACE.slice(1)}-${SPAN}-01`],
    ['white space', ` 00-${TRACE}-${SPAN}-01`],
    ['nothing', ''],
  ])('refuses %s', (_case, text) => {
    expect(parseTraceParent(text)).toBeUndefined();
  });
});

describe('formatTraceParent', () => {
  it('writes what parseTraceParent reads', () => {
    expect(parseTraceParent(formatTraceParent(TRACE, SPAN, '00'))).toEqual({
      traceId: TRACE,
      parentId: SPAN,
      flags: '00',
    });
  });
});

describe('knownFlags', () => {
  it('keeps the bits that are defined', () => {
    expect(knownFlags('ff')).toBe('03');
    expect(knownFlags('01')).toBe('01');
    expect(knownFlags('fc')).toBe('00');
  });
});

describe('isSoundTraceState', () => {
  it('passes on up to 32 members of bounded length', () => {
    expect(isSoundTraceState('a=1,b=2')).toBe(true);
    expect(isSoundTraceState(Array.from({ length: 32 }, (_, i) => `k${i}=v`).join(','))).toBe(true);
    expect(isSoundTraceState(Array.from({ length: 33 }, (_, i) => `k${i}=v`).join(','))).toBe(false);
    expect(isSoundTraceState(`a=${'x'.repeat(3_000)}`)).toBe(false);
  });

  it.each([
    ['a key of several parts', 'tenant@system=1'],
    ['@ anywhere in a key, as level 2 allows', 'a@b@c=1,1a=2'],
    ['empty members and white space', ' a=1 ,, b=2\t'],
    ['keys that repeat', 'a=1,a=2'],
    ['spaces inside a value', 'a=b c'],
    ['a key and a value of full length', `${'k'.repeat(256)}=${'v'.repeat(256)}`],
  ])('passes %s on', (_case, text) => {
    expect(isSoundTraceState(text)).toBe(true);
  });

  it.each([
    ['upper case in a key', 'A=1'],
    ['a key that begins with a sign', '@a=1'],
    ['a key of 257 characters', `${'k'.repeat(257)}=v`],
    ['a value of 257 characters', `k=${'v'.repeat(257)}`],
    ['a member without value', 'a=,b=1'],
    ['a member without =', 'a'],
    ['a second =', 'a=b=c'],
    ['white space around =', 'a =1'],
    ['letters outside ASCII', 'a=\u00e9'],
    ['control characters', 'a=\u0001'],
    ['33 members of which some are empty', `a=1${','.repeat(32)}`],
  ])('drops a list with %s', (_case, text) => {
    expect(isSoundTraceState(text)).toBe(false);
  });
});
