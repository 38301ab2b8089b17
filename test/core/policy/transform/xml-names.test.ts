import { describe, expect, it } from 'vitest';
import { escapedName, unescapedName } from '../../../../src/core/policy/transform/xml-names.ts';

describe('names in XML', () => {
  it.each([
    ['plain', 'plain'],
    ['a b', 'a_x0020_b'],
    ['1st', '_x0031_st'],
    ['a_x0020_b', 'a_x005F_x0020_b'],
    ['a_xyz_b', 'a_xyz_b'],
    ['é_', 'é_'],
  ])('%s is written as %s, and read again', (name, written) => {
    expect(escapedName(name)).toBe(written);
    expect(unescapedName(written)).toBe(name);
  });

  it('take time by their length, not by its square', () => {
    // By its square this would take minutes, far beyond the deadline of a test.
    const name = `é${'_'.repeat(400_000)}`;
    expect(escapedName(name)).toBe(name);
  });
});
