import { describe, expect, it } from 'vitest';
import { emptyMemory } from '../../../src/core/analysis/sequential-judge.ts';
import type { Plan, Step } from '../../../src/core/domain/plan.ts';
import type { SplitMirror } from '../../../src/core/domain/split-document.ts';
import { desiredSplit } from '../../../src/core/rollout/desired-split.ts';
import { ANA, Drive } from './drive.ts';
import { check, plan } from './plans.ts';

const base = plan().steps[0] as Step;
const STEPS: Plan['steps'] = [
  { ...base, weightBp: 0, mirrorBp: 1_000, requests: 40 },
  { ...base, weightBp: 0, mirrorBp: 5_000, gate: { kind: 'manual' } },
  ...plan().steps,
];

/** What gateways are to mirror, and the weight of the canary. */
function served(drive: Drive): [SplitMirror | undefined, number | undefined] {
  const desired = desiredSplit({
    rollout: 'orders-v2',
    service: 'orders',
    run: 1,
    ordinal: 1,
    plan: drive.plan,
    state: drive.state,
    memory: emptyMemory(drive.plan),
    message: null,
    startedAtMs: 0,
    version: 1,
    lastSequence: 1,
    lastHash: '',
  });
  return [desired.mirror, desired.weights.v2];
}

const FEW = { version: 'v2', shareBp: 1_000 };
const MANY = { version: 'v2', shareBp: 5_000 };
const by = { actor: ANA, reason: 'asked' };

describe('a step that mirrors', () => {
  it('is served as a mirror and no weight, lent like one, and followed by the next step', () => {
    const drive = new Drive({ steps: STEPS });
    expect(served(drive)).toEqual([FEW, 0]);
    drive.tick(9, { canaryRequests: 5 });
    expect(served(drive)).toEqual([FEW, 0]);
    drive.tick(1, { canaryRequests: 5 });
    expect(served(drive)).toEqual([MANY, 0]);
    drive.tick(10);
    expect(drive.state.phase).toBe('awaiting-gate');
    expect(served(drive)).toEqual([MANY, 0]);
    drive.input({ kind: 'promote', full: false, ...by });
    expect(served(drive)).toEqual([undefined, 100]);
    expect(drive.log.map(({ type, mirrorBp, weightAfterBp }) => [type, mirrorBp, weightAfterBp])).toEqual([
      ['started', 1_000, 0],
      ['advanced', 5_000, 0],
      ['awaiting-gate', 5_000, 0],
      ['gate-passed', undefined, 100],
    ]);
    expect(drive.log[0]?.reason).toBe('started mirroring 10%');
    expect(drive.log[1]?.reason).toBe(
      'step 1 (mirroring 10%) is complete: 10s with evidence, 50 answers compared, no rule broken',
    );
  });

  it('waits for the answers that it asks for', () => {
    const drive = new Drive({ steps: STEPS });
    drive.tick(30, { canaryRequests: 1 });
    expect(drive.state.step).toBe(0);
    drive.tick(10, { canaryRequests: 1 });
    expect(drive.state.step).toBe(1);
  });

  it('counts no time while nothing is compared', () => {
    const drive = new Drive({ steps: STEPS });
    const noEvidence = { cause: 'not-mirrored', detail: 'no mirrored answer of v2 was compared' } as const;
    drive.tick(60, { noEvidence });
    expect(drive.state).toMatchObject({ step: 0, progress: { evidenceMs: 0, requests: 0 } });
  });

  it('goes on while it is paused, as a weight does', () => {
    const drive = new Drive({ steps: STEPS });
    const [paused] = drive.input({ kind: 'pause', ...by });
    expect(paused?.mirrorBp).toBe(1_000);
    expect(served(drive)).toEqual([FEW, 0]);
    drive.input({ kind: 'resume', actor: ANA });
    expect(served(drive)).toEqual([FEW, 0]);
  });

  it.each<[string, (drive: Drive) => void, number | undefined]>([
    ['an abort by somebody', (drive) => drive.input({ kind: 'abort', ...by }), undefined],
    ['a rule', (drive) => drive.tick(1, { checks: [check('fail')] }), undefined],
    ['a promotion in full', (drive) => drive.input({ kind: 'promote', full: true, ...by }), 10_000],
  ])('ends with %s', (_, end, weightBp) => {
    const drive = new Drive({ steps: STEPS });
    drive.tick(3);
    end(drive);
    expect(served(drive)).toEqual([undefined, weightBp]);
    expect(drive.log.at(-1)).not.toHaveProperty('mirrorBp');
  });
});
