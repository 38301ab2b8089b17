import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { brokenLink, chain } from '../../../src/core/rollout/chain.ts';
import { begin } from '../../../src/core/rollout/transitions.ts';
import { plan } from './plans.ts';

const digest = (text: string): string => createHash('sha256').update(text).digest('hex');
const { transition } = begin(plan(), { kind: 'user', name: 'ana' }, 'first', 0);
const head = { rollout: 'orders-v2', service: 'orders', run: 1, plan: plan(), lastSequence: 0, lastHash: '' };
const events = chain(head, [transition, transition, transition], 1000, digest);

describe('chain', () => {
  it('numbers events on and links each to the one before', () => {
    expect(events.map((event) => event.sequence)).toEqual([1, 2, 3]);
    expect(events[1]?.prevHash).toBe(events[0]?.hash);
    expect(brokenLink(events, digest)).toBeNull();
  });

  it('shows where an event was changed, removed or put in', () => {
    const changed = events.map((event) =>
      event.sequence === 2 ? { ...event, reason: 'nothing to see' } : event,
    );
    expect(brokenLink(changed, digest)).toBe(2);
    expect(
      brokenLink(
        events.filter((event) => event.sequence !== 2),
        digest,
      ),
    ).toBe(3);
    expect(
      brokenLink(
        events.flatMap((event) => [event, event]),
        digest,
      ),
    ).toBe(1);
  });

  it('hashes alike whatever the order of keys', () => {
    const reordered = events.map((event) =>
      Object.fromEntries(Object.entries(event).reverse()),
    ) as unknown as typeof events;
    expect(brokenLink(reordered, digest)).toBeNull();
  });
});
