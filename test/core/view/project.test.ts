import { describe, expect, it } from 'vitest';
import { emptyMemory } from '../../../src/core/analysis/sequential-judge.ts';
import type { Plan } from '../../../src/core/domain/plan.ts';
import { initialSplit } from '../../../src/core/domain/split-document.ts';
import type { RolloutRecord, RolloutState } from '../../../src/core/rollout/state.ts';
import { project, projectDeclared, type Sighting } from '../../../src/core/view/project.ts';
import { check, plan } from '../rollout/plans.ts';

const GATEWAY = { name: 'gw-1', revision: 7, state: 'applied', ageMs: 100, current: true } as const;

function sighting(changes: Partial<Sighting> = {}): Sighting {
  return {
    split: { ...initialSplit('orders', 'v1'), revision: 7 },
    gateways: [GATEWAY],
    checks: [{ ...check('pass'), recent: [] }],
    gap: null,
    canaryRequests: 50,
    compared: 0,
    leftOut: {},
    totalRequests: 1000,
    closed: null,
    supersededBy: null,
    unseen: false,
    ...changes,
  };
}

const HOLDING: RolloutState = {
  phase: 'holding',
  step: 1,
  sinceMs: 0,
  progress: { evidenceMs: 4000, requests: 50 },
  tickedAtMs: 0,
  noEvidenceSinceMs: null,
};
const { phase: _, ...UNDER_TEST } = HOLDING;

function view(state: RolloutState, seen: Partial<Sighting> = {}, changes: Partial<Plan> = {}) {
  const record: RolloutRecord = {
    rollout: 'orders-v2',
    service: 'orders',
    run: 1,
    ordinal: 1,
    plan: plan(changes),
    state,
    memory: emptyMemory(plan(changes)),
    message: null,
    startedAtMs: 0,
    version: 9,
    lastSequence: 2,
    lastHash: '',
  };
  return project(record, sighting(seen), [], 10_000);
}

describe('project', () => {
  it('says what is in no segment, and nothing where everything is in one', () => {
    expect(view(HOLDING, { leftOut: { route: 12 } }).leftOut).toEqual({ route: 12 });
    expect('leftOut' in view(HOLDING)).toBe(false);
  });

  it('tells set weight from served share', () => {
    expect(view(HOLDING).weight).toEqual({
      setBp: 500,
      revision: 7,
      servedBp: 500,
      canaryRequests: 50,
      totalRequests: 1000,
    });
    expect(view(HOLDING, { canaryRequests: 0, totalRequests: 0 }).weight.servedBp).toBeNull();
  });

  it.each<[string, Partial<Sighting>, string]>([
    ['what comes next and when', {}, 'On to 10% in 6s if no rule breaks.'],
    [
      'which gateway is late',
      { gateways: [{ ...GATEWAY, current: false }] },
      'Waiting for gw-1 to apply 5%.',
    ],
    ['that no gateway is heard of', { gateways: [] }, 'Waiting for a gateway to apply 5%; none is heard of.'],
    [
      'why time does not count',
      { gap: { cause: 'no-traffic', detail: 'no canary request in the last 1m' } },
      'Time does not count: no canary request in the last 1m.',
    ],
    [
      'which limit is broken',
      { checks: [{ ...check('undecided', 1), recent: [] }] },
      "A limit is broken: canary 5% 5xx (5/100) is over 2x the baseline's 0.1% (1/1000). The step cannot complete until that ends.",
    ],
  ])('says %s', (_title, seen, sentence) => {
    expect(view(HOLDING, seen).sentence).toBe(sentence);
  });

  it('says which requests or which schedule a finished hold still waits for', () => {
    const done: RolloutState = { ...HOLDING, progress: { evidenceMs: 10_000, requests: 50 } };
    const steps = plan().steps.map((step) => ({ ...step, requests: 80 }));
    expect(view(done, {}, { steps }).sentence).toBe(
      'The hold is over; 30 more canary requests are needed before 10%.',
    );
    expect(view(done, { closed: 'frozen until Monday' }).sentence).toBe('Complete, but frozen until Monday.');
  });

  it('names the command that a person is waited for with', () => {
    const steps = plan().steps.map((step) => ({ ...step, gate: { kind: 'manual' as const } }));
    expect(view({ phase: 'awaiting-gate', ...UNDER_TEST }, {}, { steps })).toMatchObject({
      word: 'WAITING',
      severity: 'attention',
      remainingMs: null,
      sentence: 'Step 2 is complete and waits for approval: `rollout promote orders-v2` to go to 10%.',
    });
    expect(view({ phase: 'paused', ...UNDER_TEST, resumeTo: 'holding', reason: 'lunch' }).sentence).toContain(
      '`rollout resume orders-v2`',
    );
  });

  it('marks the step at which a run was aborted, and that all traffic is back', () => {
    const aborted = view({ phase: 'aborted', step: 1, sinceMs: 0, reason: 'rule broke' });
    expect(aborted.steps.map((step) => step.state)).toEqual(['done', 'failed', 'upcoming', 'upcoming']);
    expect(aborted).toMatchObject({ word: 'ABORTED', severity: 'bad', weight: { setBp: 0 }, checks: [] });
    expect(aborted.sentence).toBe('v1 serves all traffic of orders: rule broke.');
  });

  it('does not claim to be served when another rollout was started since', () => {
    const promoted: RolloutState = { phase: 'promoted', step: 3, sinceMs: 0, reason: '' };
    expect(view(promoted, { supersededBy: 'orders-v3' }).sentence).toBe(
      'Ended (promoted at step 4); orders-v3 was started on orders since.',
    );
  });

  it('adds up the least time left', () => {
    expect(view(HOLDING).remainingMs).toBe(6000 + 10_000);
    expect(projectDeclared(plan(), 0).remainingMs).toBe(30_000);
  });
});

describe('projectDeclared', () => {
  it('is ready and says how to start', () => {
    expect(projectDeclared(plan(), 0)).toMatchObject({ phase: 'ready', word: 'READY', run: 0, version: 0 });
    expect(projectDeclared(plan(), 0).sentence).toContain('`rollout start orders-v2`');
  });
});

describe('project at a step that mirrors', () => {
  const [first, ...rest] = plan().steps;
  const steps = first ? [{ ...first, weightBp: 0, mirrorBp: 1_000, requests: 90 }, ...rest] : [];
  const at: RolloutState = { ...HOLDING, step: 0 };

  it('says what is mirrored and compared, and that nobody is served', () => {
    const shown = view(at, { canaryRequests: 0, compared: 240 }, { steps });
    expect(shown.mirror).toEqual({ shareBp: 1_000, compared: 240 });
    expect(shown.weight).toMatchObject({ setBp: 0, servedBp: 0 });
    expect(shown.steps.map(({ mirrorBp }) => mirrorBp)).toEqual([1_000, ...rest.map(() => undefined)]);
    expect(shown.sentence).toMatch(/^On to 5% in /);
    expect(view({ ...at, step: 1 }, {}, { steps }).mirror).toBeUndefined();
  });

  it('words every sentence for it', () => {
    const over = { ...at, progress: { evidenceMs: 600_000, requests: 50 } };
    expect(view(over, {}, { steps }).sentence).toBe(
      'The hold is over; 40 more compared answers are needed before 5%.',
    );
    expect(view(at, { gateways: [] }, { steps }).sentence).toBe(
      'Waiting for a gateway to mirror 10%; none is heard of.',
    );
    const paused = { ...UNDER_TEST, step: 0, phase: 'paused', resumeTo: 'holding', reason: 'lunch' } as const;
    expect(view(paused, {}, { steps }).sentence).toMatch(/^Paused mirroring 10%: lunch\./);
    expect(projectDeclared(plan({ steps }), 0).sentence).toContain('mirrors 10% to v2');
  });
});
