import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import type { Sliced } from '../../src/core/policy/transform/sliced.ts';
import { BodyTurns } from '../../src/gateway/transform/body-turns.ts';

/** Notes each of its slices under its name. */
function* work(name: string, slices: number, seen: string[]): Sliced<string> {
  for (let n = 1; n < slices; n += 1) {
    seen.push(name);
    yield;
  }
  seen.push(name);
  return name;
}

const response = (): EventEmitter => new EventEmitter();

/** What happens between two turns of the event loop is one string of names. */
async function turnsOf(seen: string[], until: () => boolean): Promise<string[]> {
  const turns: string[] = [];
  while (!until()) {
    seen.length = 0;
    await new Promise(setImmediate);
    if (seen.length > 0) turns.push(seen.join(''));
  }
  return turns;
}

describe('BodyTurns', () => {
  it('is done at once with what takes one slice', () => {
    const outcome = new BodyTurns().run(work('a', 1, []), response(), () =>
      expect.fail('it is done already'),
    );
    expect(outcome).toEqual({ value: 'a' });
  });

  it('does one slice of one body in a turn of the event loop, body after body', async () => {
    const turns = new BodyTurns();
    const seen: string[] = [];
    const done: unknown[] = [];
    for (const name of ['a', 'b', 'c'])
      expect(turns.run(work(name, 3, seen), response(), (outcome) => done.push(outcome))).toBeNull();
    expect(seen.join('')).toBe('abc');
    expect(await turnsOf(seen, () => done.length === 3)).toEqual(['a', 'b', 'c', 'a', 'b', 'c']);
    expect(done).toEqual([{ value: 'a' }, { value: 'b' }, { value: 'c' }]);
  });

  it('has a few bodies at work, and takes up the next one when one of them is done', async () => {
    const turns = new BodyTurns();
    const seen: string[] = [];
    const done: unknown[] = [];
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f'])
      turns.run(work(name, name === 'a' ? 2 : 3, seen), response(), (outcome) => done.push(outcome));
    const order = await turnsOf(seen, () => done.length === 6);
    expect(order.join('')).toBe('abcdebcdeff');
  });

  it.each(['at work', 'waiting'])('forgets a body that is %s when its client is gone', async (state) => {
    const turns = new BodyTurns();
    const seen: string[] = [];
    let left = 0;
    const others = (count: number): void => {
      for (let n = 0; n < count; n += 1) {
        left += 1;
        turns.run(work('.', 3, seen), response(), () => {
          left -= 1;
        });
      }
    };
    others(state === 'waiting' ? 6 : 0);
    const client = response();
    turns.run(work('x', 5, seen), client, () => expect.fail('nobody waits for it'));
    others(1);
    await new Promise(setImmediate);
    client.emit('close');
    const order = await turnsOf(seen, () => left === 0);
    expect(order.join('')).not.toContain('x');
  });

  it('hands on what fails, at once or later', async () => {
    const turns = new BodyTurns();
    const error = new Error('no');
    function* failing(slices: number): Sliced<string> {
      for (let n = 1; n < slices; n += 1) yield;
      throw error;
    }
    expect(turns.run(failing(1), response(), () => {})).toEqual({ error });
    const outcome = await new Promise((resolve) => {
      expect(turns.run(failing(2), response(), resolve)).toBeNull();
    });
    expect(outcome).toEqual({ error });
  });
});
