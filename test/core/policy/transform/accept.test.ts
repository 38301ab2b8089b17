import { describe, expect, it } from 'vitest';
import { chooseEncoding } from '../../../../src/core/policy/transform/accept.ts';

describe('chooseEncoding', () => {
  it.each([
    [undefined, null],
    ['', null],
    ['gzip', 'gzip'],
    ['gzip, br', 'br'],
    ['GZIP;Q=1, br;q=0.9', 'gzip'],
    ['x-gzip', 'gzip'],
    ['deflate', null],
    ['*', 'br'],
    ['*;q=0', null],
    ['br;q=0, *', 'gzip'],
    ['gzip;q=0', null],
    ['identity, gzip;q=0.5', null],
    ['identity;q=0.5, gzip', 'gzip'],
    ['gzip;q=0.001', 'gzip'],
    ['gzip;q=1.5, br;q=x', null],
    ['gzip;q=0.5;x=1 , ,br;q=0.500', 'br'],
  ])('%s: %s', (field, coding) => {
    expect(chooseEncoding(field, ['br', 'gzip'])).toBe(coding);
  });
});
