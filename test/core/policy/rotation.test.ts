import { describe, expect, it } from 'vitest';
import { type BalanceKind, Balancer } from '../../../src/core/policy/balancer.ts';
import { ringHash } from '../../../src/core/policy/hash-ring.ts';
import { rotationOf } from '../../../src/core/policy/rotation.ts';
import { type BalanceTarget, TargetState } from '../../../src/core/policy/target-state.ts';

interface Shape {
  readonly zone?: string;
  readonly priority?: number;
  readonly weight?: number;
  readonly healthy?: boolean;
  readonly joining?: boolean;
}

function targetsOf(...shapes: Shape[]): BalanceTarget[] {
  return shapes.map(({ zone = '', weight = 1, priority = 0, healthy = true, joining = false }, i) => {
    const state = new TargetState();
    state.healthy = healthy;
    state.joining = joining;
    return { id: `t${i}`, weight, zone, priority, state };
  });
}

const HERE = { zone: 'here', enough: 0.7 } as const;
const many = (count: number, shape: Shape): Shape[] => Array.from({ length: count }, () => shape);

describe('rotationOf', () => {
  it('leaves out what joins, and does not count it either', () => {
    const targets = targetsOf(...many(2, {}), ...many(6, { joining: true }));
    const { targets: chosen, panicking } = rotationOf(targets, null, 0);
    expect([chosen.length, panicking]).toEqual([2, false]);
  });

  it('takes what joins when there is nothing else', () => {
    const targets = targetsOf(...many(3, { joining: true }));
    expect(rotationOf(targets, null, 0)).toMatchObject({ targets, panicking: false });
  });

  it('is empty without endpoints', () => {
    expect(rotationOf([], HERE, 0).targets).toEqual([]);
  });

  it.each<[string, Shape[], number, number]>([
    [
      'stays in its zone while all are well there',
      [...many(2, { zone: 'here' }), ...many(9, { zone: 'there' })],
      1,
      2,
    ],
    [
      'stays there with as many as are enough',
      [
        ...many(7, { zone: 'here' }),
        ...many(3, { zone: 'here', healthy: false }),
        ...many(9, { zone: 'there' }),
      ],
      1,
      7,
    ],
    [
      'goes elsewhere with as much as is lacking',
      [
        ...many(7, { zone: 'here' }),
        ...many(7, { zone: 'here', healthy: false }),
        ...many(9, { zone: 'there' }),
      ],
      0.5 / 0.7,
      16,
    ],
    [
      'goes elsewhere with everything when nobody is well there',
      [{ zone: 'here', healthy: false }, ...many(3, { zone: 'there' })],
      0,
      3,
    ],
    ['does not care when nobody is in its zone', many(3, { zone: 'there' }), 1, 3],
    ['does not care when the zones are unknown', many(3, {}), 1, 3],
    [
      'counts zones by weight',
      [{ zone: 'here', weight: 7 }, { zone: 'here', weight: 3, healthy: false }, { zone: 'there' }],
      1,
      1,
    ],
  ])('%s', (_title, shapes, localShare, count) => {
    const rotation = rotationOf(targetsOf(...shapes), HERE, 0);
    expect(rotation.localShare).toBeCloseTo(localShare);
    expect(rotation.targets).toHaveLength(count);
  });

  it.each<[string, Shape[], number, boolean]>([
    ['uses the first priority only', [...many(2, {}), ...many(4, { priority: 1 })], 2, false],
    ['keeps to it while half of it is well', [{}, { healthy: false }, ...many(4, { priority: 1 })], 1, false],
    [
      'goes to the next one below that',
      [{}, ...many(2, { healthy: false }), ...many(4, { priority: 1 })],
      4,
      false,
    ],
    [
      'goes back to the first in a panic of all',
      [...many(3, { healthy: false }), ...many(4, { priority: 1, healthy: false })],
      3,
      true,
    ],
  ])('%s', (_title, shapes, count, panicking) => {
    const rotation = rotationOf(targetsOf(...shapes), null, 0);
    expect([rotation.targets.length, rotation.panicking]).toEqual([count, panicking]);
  });

  it('forgets zones in a panic', () => {
    const targets = targetsOf({ zone: 'here' }, ...many(3, { zone: 'there', healthy: false }));
    expect(rotationOf(targets, HERE, 0)).toMatchObject({ targets, panicking: true, localShare: 1 });
  });
});

describe('Balancer with zones', () => {
  const kinds: readonly BalanceKind[] = ['roundRobin', 'leastRequests', 'hash'];

  it.each(kinds)('%s sends the share of the zone there and the rest elsewhere', (kind) => {
    const targets = targetsOf(
      ...many(1, { zone: 'here' }),
      ...many(1, { zone: 'here', healthy: false }),
      ...many(4, { zone: 'there' }),
    );
    let draws = 0;
    const random = (): number => {
      draws += 1;
      return (draws * 0.618_034) % 1;
    };
    const balancer = new Balancer(targets, { kind, slowStartMs: 0, zone: HERE }, random, 0);
    let local = 0;
    for (let i = 0; i < 4_000; i += 1) {
      if (balancer.pick(0, ringHash(`user-${i}`), null)?.zone === 'here') local += 1;
    }
    // By the less busy of two while nothing is busy: a plain draw by weight.
    expect(local / 4_000).toBeGreaterThan(0.66);
    expect(local / 4_000).toBeLessThan(0.77);
  });

  it.each(kinds)('%s retries in another zone when its own has no other endpoint', (kind) => {
    const targets = targetsOf({ zone: 'here' }, { zone: 'there' });
    const balancer = new Balancer(targets, { kind, slowStartMs: 0, zone: HERE }, () => 0.5, 0);
    const first = balancer.pick(0, 1, null);
    expect(first?.zone).toBe('here');
    expect(balancer.pick(0, 1, first && [first])?.zone).toBe('there');
  });

  it.each(kinds)('%s picks from the new endpoints only once they are replaced', (kind) => {
    const [old, next] = [targetsOf({}, {}), targetsOf({}, {}, {})];
    const balancer = new Balancer(old, { kind, slowStartMs: 0, zone: null }, () => 0.3, 0);
    balancer.pick(0, 7, null);
    balancer.replace(next, 0);
    for (let i = 0; i < 20; i += 1) {
      expect(next).toContain(balancer.pick(0, ringHash(`k${i}`), null));
    }
    balancer.replace([], 0);
    expect(balancer.pick(0, 7, null)).toBeNull();
  });
});
