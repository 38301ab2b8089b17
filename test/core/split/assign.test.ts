import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { initialSplit, type SplitDocument } from '../../../src/core/domain/split-document.ts';
import { FULL_BP } from '../../../src/core/domain/weight.ts';
import { compileAssigner } from '../../../src/core/split/assign.ts';
import { murmur3 } from '../../../src/core/split/hash.ts';

const USERS = Array.from({ length: 20_000 }, (_, i) => `user-${i}`);

function split(
  canaryBp: number,
  salt = 'orders/orders-v2',
  extra: Record<string, number> = {},
): SplitDocument {
  const others = Object.values(extra).reduce((sum, weightBp) => sum + weightBp, 0);
  return {
    ...initialSplit('orders', 'v1'),
    canary: 'v2',
    weights: { v1: FULL_BP - canaryBp - others, v2: canaryBp, ...extra },
    salt,
  };
}

const ORDER = ['v1', 'v2', 'v3', 'v4'];

function assign(document: SplitDocument): string[] {
  const assigner = compileAssigner(document, ORDER, 'orders');
  return USERS.map(assigner);
}

/** Six standard deviations of a binomial share: passes by chance but once in 500 million. */
function within(count: number, total: number, share: number): void {
  const sd = Math.sqrt(total * share * (1 - share));
  expect(Math.abs(count - total * share)).toBeLessThanOrEqual(6 * sd + 1);
}

describe('murmur3', () => {
  // Published vectors of MurmurHash3_x86_32.
  it.each([
    ['', 0, 0],
    ['', 1, 0x514e28b7],
    ['', 0xffffffff, 0x81f16f39],
    ['test', 0, 0xba6bd213],
    ['test', 0x9747b28c, 0x704b81dc],
    ['Hello, world!', 0, 0xc0363e43],
    ['Hello, world!', 0x9747b28c, 0x24884cba],
    ['The quick brown fox jumps over the lazy dog', 0x9747b28c, 0x2fa826cd],
    ['aaaa', 0x9747b28c, 0x5a97808a],
    ['aaa', 0x9747b28c, 0x283e0130],
    ['aa', 0x9747b28c, 0x5d211726],
    ['a', 0x9747b28c, 0x7fa09ea6],
    ['ππππππππ', 0x9747b28c, 0xd58063c1],
  ])('hashes %j with seed %i as the reference does', (text, seed, expected) => {
    expect(murmur3(text, seed)).toBe(expected);
  });

  it('property: hashes any text as the UTF-8 bytes that TextEncoder gives', () => {
    const encoder = new TextEncoder();
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.integer(), (text, seed) => {
        expect(murmur3(text, seed)).toBe(referenceMurmur3(encoder.encode(text), seed));
      }),
    );
  });
});

/** The algorithm once more, over bytes and as plainly as can be. */
function referenceMurmur3(bytes: Uint8Array, seed: number): number {
  const rotate = (value: number, by: number): number => (value << by) | (value >>> (32 - by));
  const mix = (value: number): number => Math.imul(rotate(Math.imul(value, 0xcc9e2d51), 15), 0x1b873593);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let hash = seed | 0;
  let at = 0;
  for (; at + 4 <= bytes.length; at += 4) {
    hash = (Math.imul(rotate(hash ^ mix(view.getInt32(at, true)), 13), 5) + 0xe6546b64) | 0;
  }
  const rest = [...bytes.subarray(at)].reduce((sum, byte, index) => sum | (byte << (8 * index)), 0);
  hash ^= mix(rest) ^ bytes.length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

describe('compileAssigner', () => {
  it.each([1, 5, 10, 100, 500, 1000, 2500, 5000, 9999])(
    'gives the canary %i basis points within binomial error',
    (weightBp) => {
      const count = assign(split(weightBp)).filter((version) => version === 'v2').length;
      within(count, USERS.length, weightBp / FULL_BP);
    },
  );

  it('gives a version of weight 0 nobody and one of 10000 everybody', () => {
    expect(new Set(assign(split(0)))).toEqual(new Set(['v1']));
    expect(new Set(assign(split(FULL_BP)))).toEqual(new Set(['v2']));
  });

  it('resolves a weight of 0.01 %', () => {
    const users = Array.from({ length: 400_000 }, (_, i) => `u${i}`);
    const assigner = compileAssigner(split(1), ORDER, 'orders');
    within(users.filter((user) => assigner(user) === 'v2').length, users.length, 0.0001);
  });

  it('property: raising the canary moves users only from the baseline to the canary', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: FULL_BP }),
        fc.integer({ min: 0, max: FULL_BP }),
        fc.string(),
        (a, b, salt) => {
          const lower = compileAssigner(split(Math.min(a, b), salt), ORDER, 'orders');
          const higher = compileAssigner(split(Math.max(a, b), salt), ORDER, 'orders');
          for (const user of USERS.slice(0, 500)) {
            if (lower(user) === 'v2') expect(higher(user)).toBe('v2');
          }
        },
      ),
    );
  });

  it('property: users of versions that are not under test stay where they are while the canary rises', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 5000 }), fc.integer({ min: 0, max: 5000 }), (a, b) => {
        const others = { v3: 2000, v4: 3000 };
        const before = compileAssigner(split(Math.min(a, b), 's', others), ORDER, 'orders');
        const after = compileAssigner(split(Math.max(a, b), 's', others), ORDER, 'orders');
        for (const user of USERS.slice(0, 300)) {
          const was = before(user);
          const is = after(user);
          if (was !== is) expect([was, is]).toEqual(['v1', 'v2']);
        }
      }),
    );
  });

  it('shares traffic among any number of versions as their weights say', () => {
    const versions = assign(split(1000, 's', { v3: 2500, v4: 500 }));
    for (const [version, share] of [
      ['v1', 0.6],
      ['v2', 0.1],
      ['v3', 0.25],
      ['v4', 0.05],
    ] as const) {
      within(versions.filter((assigned) => assigned === version).length, USERS.length, share);
    }
  });

  it('is the same function on every gateway and after every restart', () => {
    // Golden users: a change of hash, salt handling or layout would move real people.
    const assigner = compileAssigner(split(3000), ORDER, 'orders');
    expect(USERS.slice(0, 12).map(assigner)).toMatchInlineSnapshot(`
      [
        "v1",
        "v1",
        "v1",
        "v2",
        "v2",
        "v1",
        "v1",
        "v1",
        "v2",
        "v2",
        "v1",
        "v1",
      ]
    `);
  });

  it('chooses independently of other salts', () => {
    const first = assign(split(5000, 'orders/orders-v2'));
    const second = assign(split(5000, 'users/users-v2'));
    const both = USERS.filter((_, i) => first[i] === 'v2' && second[i] === 'v2').length;
    within(both, USERS.length, 0.25);
  });

  it('keeps the two draws independent when both salts are the same text', () => {
    const versions = assign(split(2500, 'orders', { v3: 5000 }));
    within(versions.filter((version) => version === 'v2').length, USERS.length, 0.25);
  });
});
