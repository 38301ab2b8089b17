import { describe, expect, it } from 'vitest';
import { emptyMemory } from '../../../src/core/analysis/sequential-judge.ts';
import { desiredSplit } from '../../../src/core/rollout/desired-split.ts';
import { begin } from '../../../src/core/rollout/transitions.ts';
import { ANA } from './drive.ts';
import { plan } from './plans.ts';

describe('desiredSplit', () => {
  it('lends the canary its weight while under test and ends with one plain version', () => {
    const fixed = plan();
    const { state } = begin(fixed, ANA, null, 0);
    const record = {
      rollout: 'orders-v2',
      service: 'orders',
      run: 3,
      ordinal: 3,
      plan: fixed,
      memory: emptyMemory(fixed),
      message: null,
      startedAtMs: 0,
      version: 1,
      lastSequence: 1,
      lastHash: '',
    };
    expect(desiredSplit({ ...record, state })).toMatchObject({
      rollout: 'orders-v2#3',
      weights: { v1: 9900, v2: 100 },
      lease: { ttlMs: 30_000, onExpiry: 'baseline' },
    });
    const ended = { step: 3, sinceMs: 0, reason: '' };
    expect(desiredSplit({ ...record, state: { phase: 'promoted', ...ended } })).toMatchObject({
      baseline: 'v2',
      canary: null,
      weights: { v2: 10_000 },
      lease: null,
    });
    expect(desiredSplit({ ...record, state: { phase: 'aborted', ...ended } })).toMatchObject({
      baseline: 'v1',
      canary: null,
      weights: { v1: 10_000 },
      lease: null,
    });
  });
});
