import { describe, expect, it } from 'vitest';
import {
  flawOfPurge,
  PURGES_KEPT,
  type PurgeKind,
  PurgeLog,
} from '../../../../src/core/policy/cache/purge.ts';

describe('what a purge may name', () => {
  it.each<[PurgeKind, string, string | null]>([
    ['url', '/a?x=1', null],
    ['url', 'https://shop.example/a?x=1', null],
    ['url', 'https://shop.example', null],
    ['prefix', 'http://[::1]:8080/a/', null],
    ['prefix', '/', null],
    ['tag', 'product:7', null],
    ['tag', 'größe', null],
    ['url', '', 'expected a path'],
    ['url', 'a/b', 'expected a path'],
    ['url', '//shop.example/a', 'expected a path'],
    ['url', 'ftp://shop.example/a', 'expected a path'],
    ['url', 'https://ana:pw@shop.example/a', 'expected a path'],
    ['url', '/a#b', 'expected a path'],
    ['url', '?x=1', 'expected a path'],
    ['url', '/grün', '%XX'],
    ['url', '/a b', '%XX'],
    ['url', `/${'a'.repeat(4_096)}`, 'longer than'],
    ['prefix', '/a?x', 'no query'],
    ['path', '/a?x', 'every query'],
    ['path', 'https://shop.example/a', null],
    ['tag', 'a b', 'no spaces'],
    ['tag', 'a,b', 'no spaces'],
    ['tag', '', 'no spaces'],
  ])('%s %s', (by, value, flaw) => {
    const found = flawOfPurge({ by, value, service: null });
    if (flaw === null) expect(found).toBeNull();
    else expect(found).toContain(flaw);
  });
});

describe('a log of purges', () => {
  it('outdates what was asked for before a purge that matches', () => {
    const log = new PurgeLog<string>(10);
    log.add(11, (subject) => subject === 'a');
    log.add(12, (subject) => subject === 'b');
    const outdated = (subject: string) => [9, 10, 11, 12].map((mark) => log.outdates(mark, subject));
    expect(outdated('a')).toEqual([true, true, false, false]);
    expect(outdated('b')).toEqual([true, true, true, false]);
    // Before what it remembers, everything counts as purged.
    expect(outdated('c')).toEqual([true, false, false, false]);
    expect(log.newest).toBe(12);
  });

  it('remembers so many and takes older ones for purges of everything', () => {
    const log = new PurgeLog<string>(0);
    for (let n = 1; n <= PURGES_KEPT + 5; n += 1) log.add(n, () => false);
    expect([3, 4, 5, 6].map((mark) => log.outdates(mark, 'a'))).toEqual([true, true, false, false]);
  });
});
