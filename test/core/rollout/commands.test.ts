import { describe, expect, it } from 'vitest';
import { decide } from '../../../src/core/rollout/decide.ts';
import type { RolloutInput } from '../../../src/core/rollout/decision.ts';
import { ANA, Drive } from './drive.ts';

describe('decide on commands', () => {
  it('keeps the weight and the progress of a step through pause and resume', () => {
    const drive = new Drive();
    drive.tick(5);
    drive.input({ kind: 'pause', actor: ANA, reason: 'lunch' });
    expect(drive.weightBp).toBe(100);
    drive.tick(500);
    expect(drive.state.phase).toBe('paused');
    drive.input({ kind: 'resume', actor: ANA });
    drive.tick(4);
    expect(drive.weightBp).toBe(100);
    drive.tick(1);
    expect(drive.weightBp).toBe(500);
  });

  it('promotes one step, or in full', () => {
    const drive = new Drive();
    drive.input({ kind: 'promote', actor: ANA, reason: 'sure', full: false });
    expect(drive.weightBp).toBe(500);
    drive.input({ kind: 'promote', actor: ANA, reason: 'very sure', full: true });
    expect(drive.state.phase).toBe('promoted');
    expect(drive.weightBp).toBe(10_000);
  });

  it.each([false, true])(
    'ends a pause by promoting (in full: %s), and keeps on record why there was one',
    (full) => {
      const drive = new Drive();
      drive.input({ kind: 'pause', actor: ANA, reason: 'lunch' });
      const [transition] = drive.input({ kind: 'promote', actor: ANA, reason: 'sure', full });
      expect(transition?.reason).toBe('sure; it had been paused because: lunch');
      expect(drive.state.phase).toBe(full ? 'promoted' : 'holding');
    },
  );

  it('undoes a promoted rollout back to the baseline', () => {
    const drive = new Drive();
    drive.tick(40);
    const [transition] = drive.input({ kind: 'undo', actor: ANA, reason: 'second thoughts' });
    expect(transition).toMatchObject({ type: 'undone', weightBeforeBp: 10_000, weightAfterBp: 0 });
    expect(drive.weightBp).toBe(0);
  });

  it.each([
    ['resume', { kind: 'resume', actor: ANA }],
    ['undo', { kind: 'undo', actor: ANA, reason: '' }],
  ] as const)('refuses %s while holding, and changes nothing', (_verb, input) => {
    const drive = new Drive();
    expect(decide(drive.plan, drive.state, input, 1)).toMatchObject({ ok: false, code: 'WRONG_PHASE' });
  });

  it('has nothing more to do for an abort of what is aborted', () => {
    const drive = new Drive();
    drive.input({ kind: 'abort', actor: ANA, reason: 'no' });
    const { state } = drive;
    expect(drive.input({ kind: 'abort', actor: ANA, reason: 'no, really' })).toEqual([]);
    expect(drive.state).toBe(state);
  });

  it.each(['pause', 'resume', 'promote', 'abort'] as const)('refuses %s after the end', (kind) => {
    const drive = new Drive();
    drive.tick(40);
    const input = { kind, actor: ANA, reason: 'x', full: false } as RolloutInput;
    expect(decide(drive.plan, drive.state, input, 1)).toMatchObject({ ok: false, code: 'WRONG_PHASE' });
  });
});
