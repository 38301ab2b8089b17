import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { allowsOrigin, type CorsPolicy, corsFields } from '../../../../src/core/policy/transform/cors.ts';

const POLICY: CorsPolicy = {
  any: false,
  exact: new Set(['https://shop.example:8443']),
  below: [{ scheme: 'https://', suffix: '.shop.example' }],
  methods: ['GET'],
  headers: new Set(),
  expose: [],
  credentials: true,
  maxAgeS: 60,
};

describe('allowsOrigin', () => {
  it.each([
    ['https://shop.example:8443', true],
    ['https://shop.example', false],
    ['https://a.shop.example', true],
    ['https://a.b-c.shop.example', true],
    ['https://.shop.example', false],
    ['https://a..shop.example', false],
    ['https://a.shop.example:8443', false],
    ['https://evil.test#.shop.example', false],
    ['https://evil.test:443@x.shop.example', false],
    ['https://A.shop.example', false],
    ['null', false],
    ['', false],
  ])('%s: %s', (origin, allowed) => {
    expect(allowsOrigin(POLICY, origin)).toBe(allowed);
  });

  it('never allows what is not a host below the one that is named', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 40 }), (text) => {
        const origin = `https://${text}.shop.example`;
        if (!allowsOrigin(POLICY, origin)) return;
        const { hostname, origin: parsed } = new URL(origin);
        expect(parsed).toBe(origin);
        expect(hostname.endsWith('.shop.example')).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  it('never says * together with credentials, and repeats no origin that is not allowed', () => {
    expect(corsFields({ ...POLICY, any: true, credentials: false }, 'https://any.example')).toEqual([
      'Access-Control-Allow-Origin',
      '*',
    ]);
    expect(corsFields(POLICY, 'https://any.example')).toEqual([]);
  });
});
