import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PRIORITIES, type Priority, WaitingRoom } from '../../../src/core/policy/waiting-room.ts';

const RANK: Readonly<Record<Priority, number>> = { high: 2, normal: 1, low: 0 };

describe('WaitingRoom', () => {
  it('lets the important go first, and those of one priority in the order in which they came', () => {
    const room = new WaitingRoom<string>();
    for (const [item, priority] of [
      ['l1', 'low'],
      ['n1', 'normal'],
      ['h1', 'high'],
      ['n2', 'normal'],
      ['h2', 'high'],
    ] as const) {
      room.join(item, priority, 10);
    }
    expect([1, 2, 3, 4, 5, 6].map(() => room.next())).toEqual(['h1', 'h2', 'n1', 'n2', 'l1', undefined]);
  });

  it.each<[string, Priority[], Priority, string]>([
    ['the last of the least important goes for a more important one', ['low', 'low', 'normal'], 'high', '1'],
    ['normal goes where there is no low', ['normal', 'normal', 'high'], 'high', '1'],
    ['nobody goes for an equal', ['low', 'low', 'low'], 'low', 'refused'],
    ['nobody goes for a less important one', ['high', 'high', 'high'], 'normal', 'refused'],
    ['the high are never pushed out', ['high', 'high', 'high'], 'high', 'refused'],
  ])('when full: %s', (_name, there, comes, expected) => {
    const room = new WaitingRoom<string>();
    for (const [index, priority] of there.entries()) room.join(String(index), priority, 3);
    const result = room.join('new', comes, 3);
    expect(result.joined ? result.pushedOut : 'refused').toBe(expected);
    expect(room.size).toBe(3);
  });

  it('is never larger than its seats, and never pushes out anybody who is as important', () => {
    const steps = fc.array(fc.constantFrom(...PRIORITIES, 'next' as const, 'leave' as const), {
      maxLength: 200,
    });
    fc.assert(
      fc.property(steps, fc.integer({ min: 0, max: 6 }), (all, seats) => {
        const room = new WaitingRoom<{ id: number; priority: Priority }>();
        let inside: { id: number; priority: Priority }[] = [];
        for (const [id, step] of all.entries()) {
          if (step === 'next') {
            const best = Math.max(...inside.map(({ priority }) => RANK[priority]));
            const next = room.next();
            expect(next).toBe(inside.find(({ priority }) => RANK[priority] === best));
            inside = inside.filter((item) => item !== next);
          } else if (step === 'leave') {
            const [first] = inside;
            if (first !== undefined) room.leave(first);
            inside = inside.slice(1);
          } else {
            const item = { id, priority: step };
            const result = room.join(item, step, seats);
            if (result.joined) inside.push(item);
            const out = result.joined ? result.pushedOut : null;
            if (out !== null) {
              expect(RANK[out.priority]).toBeLessThan(RANK[step]);
              inside = inside.filter((other) => other !== out);
            }
          }
          expect(room.size).toBe(inside.length);
          expect(room.size).toBeLessThanOrEqual(seats);
        }
      }),
    );
  });
});
