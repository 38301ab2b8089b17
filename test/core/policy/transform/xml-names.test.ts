import { describe, expect, it } from 'vitest';
import { escapedName, unescapedName, XmlNames } from '../../../../src/core/policy/transform/xml-names.ts';

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

  it('have at most 1000 characters, as they are written', () => {
    const longest = 'n'.repeat(1_000);
    const none = { prefix: '', uri: '' };
    const names = new XmlNames(null);
    expect(escapedName(longest)).toBe(longest);
    expect(names.element({ ...none, local: longest })).toBe(longest);
    for (const name of [`${longest}n`, `é${'_'.repeat(400_000)}`, ' '.repeat(200)])
      expect(() => escapedName(name)).toThrow('a name in it is longer than 1000 characters');
    for (const name of [
      { ...none, local: `${longest}n` },
      { prefix: `${longest}n`, uri: 'u', local: 'a' },
    ]) {
      expect(() => names.element(name)).toThrow('longer than');
      expect(() => names.attribute(name, '')).toThrow('longer than');
    }
  });
});
