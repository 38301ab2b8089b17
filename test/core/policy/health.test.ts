import { describe, expect, it } from 'vitest';
import { forgetHealth, noteProbe } from '../../../src/core/policy/health.ts';
import { TargetState } from '../../../src/core/policy/target-state.ts';

const LIMITS = { healthy: 2, unhealthy: 3 };

/** Feeds results (`+` well, `-` not) and tells the state after each: `H` healthy, `u` unhealthy, `j` joining. */
function course(results: string, joining = false): string {
  const state = new TargetState();
  state.joining = joining;
  state.healthy = !joining;
  return [...results]
    .map((result, at) => {
      const before = state.healthy;
      const changed = noteProbe(state, result === '+', LIMITS, at);
      expect(changed).toBe(before !== state.healthy);
      if (changed && state.healthy) expect(state.admittedAtMs).toBe(at);
      return state.joining ? 'j' : state.healthy ? 'H' : 'u';
    })
    .join('');
}

describe('noteProbe', () => {
  it.each([
    ['keeps a healthy one through failures that are not in a row', '--+--+--', 'HHHHHHHH'],
    ['takes it out by failures in a row', '+---', 'HHHu'],
    ['brings it back by successes in a row', '---+-++', 'HHuuuuH'],
  ])('%s', (_title, results, states) => {
    expect(course(results)).toBe(states);
  });

  it('lets a joining one in by one success, and keeps it waiting through any failures', () => {
    expect(course('-----+--', true)).toBe('jjjjjHHH');
  });

  it('counts results', () => {
    const state = new TargetState();
    for (const ok of [true, false, false]) noteProbe(state, ok, LIMITS, 0);
    expect([state.probesOk, state.probesFailed]).toEqual([1, 2]);
  });

  it('forgets', () => {
    const state = new TargetState();
    expect(forgetHealth(state)).toBe(false);
    for (let i = 0; i < 3; i += 1) noteProbe(state, false, LIMITS, 0);
    expect(forgetHealth(state)).toBe(true);
    expect(state.healthy).toBe(true);
  });
});
