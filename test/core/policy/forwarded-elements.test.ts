import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { elementsFromRight } from '../../../src/core/policy/forwarded-elements.ts';

const nodes = (field: string): string[] => elementsFromRight(field, 32).map((element) => element.for);

describe('elementsFromRight', () => {
  it.each<[string, string[]]>([
    ['for=192.0.2.43', ['192.0.2.43']],
    ['for=192.0.2.43, for=198.51.100.17', ['198.51.100.17', '192.0.2.43']],
    ['For="[2001:db8:cafe::17]:4711"', ['[2001:db8:cafe::17]:4711']],
    ['for=192.0.2.43;proto=http;by=203.0.113.43', ['192.0.2.43']],
    ['for=_hidden, for=unknown', ['unknown', '_hidden']],
    ['proto=https', ['']],
    [', for=a,, ,for=b ,', ['b', 'a']],
    ['for="a,b", for=c', ['c', 'a,b']],
    ['for="a\\"b\\\\", for=c', ['c', 'a"b\\']],
    ['', []],
    // Malformed, and all that is left of it.
    ['for=a, for=2001:db8::1', []],
    ['for=a, for=b;', []],
    ['for=a, for=b;for=c', []],
    ['for=a, for', []],
    ['for=a, for=, for=c', ['c']],
    ['for=a, for="b, for=c', ['c']],
    ['for=a, for=b c', []],
    ['for=a, for="b', []],
  ])('of %s are for %j', (field, expected) => {
    expect(nodes(field)).toEqual(expected);
  });

  it('say what they were told about protocol and host, whatever the case of the names', () => {
    expect(elementsFromRight('FOR=a; Proto=https;HOST="shop.test:8443"', 1)).toEqual([
      { text: 'FOR=a; Proto=https;HOST="shop.test:8443"', for: 'a', proto: 'https', host: 'shop.test:8443' },
    ]);
  });

  it('are bounded in number', () => {
    expect(elementsFromRight('for=a,'.repeat(100), 32)).toHaveLength(32);
  });

  it('are the ones that proxies wrote, whatever stands left of them', () => {
    const quoted = fc.string({ unit: fc.constantFrom('a', '1', ',', ';', '=', '"', '\\', ' ', '[', ']') });
    fc.assert(
      fc.property(fc.string(), fc.array(quoted, { minLength: 1, maxLength: 8 }), (garbage, hops) => {
        const written = hops.map((hop) => `for="${hop.replace(/["\\]/g, '\\$&')}";proto=https`);
        expect(nodes(`${garbage},${written.join(', ')}`).slice(0, hops.length)).toEqual(hops.reverse());
      }),
    );
  });
});
