import { describe, expect, it } from 'vitest';
import { evidenceGap } from '../../../src/core/analysis/evidence-gap.ts';
import { emptyWindow, foldSummary } from '../../../src/core/analysis/evidence-window.ts';
import { SecondLedger } from '../../../src/core/analysis/second-ledger.ts';
import { createSequentialJudge, emptyMemory } from '../../../src/core/analysis/sequential-judge.ts';
import type { Plan } from '../../../src/core/domain/plan.ts';
import { Breaker, REFUSED } from '../../../src/core/policy/breaker.ts';
import { decide } from '../../../src/core/rollout/decide.ts';
import { isActive, type RolloutState } from '../../../src/core/rollout/state.ts';
import { begin } from '../../../src/core/rollout/transitions.ts';
import { observed, plan, RULE } from '../rollout/plans.ts';
import { type ArmSecond, summary } from './summaries.ts';

const LIMITS = {
  errorShare: 0.2,
  slow: null,
  windowMs: 10_000,
  minimum: 20,
  openMs: 10_000,
  recoverMs: 10_000,
};

/** Ten canary requests a second through one breaker; `isBad` says how the canary does in a second. */
function run(thePlan: Plan, seconds: number, isBad: (second: number) => boolean): RolloutState[] {
  const breaker = new Breaker(LIMITS);
  let window = emptyWindow(60_000);
  const ledger = new SecondLedger(thePlan, 1_000);
  const judge = createSequentialJudge(thePlan, emptyMemory(thePlan));
  let { state }: { state: RolloutState } = begin(thePlan, { kind: 'user', name: 'ana' }, null, 0);
  const states: RolloutState[] = [];
  for (let second = 1; second <= seconds && isActive(state); second += 1) {
    const nowMs = second * 1_000;
    const canary: ArmSecond = canarySecond(breaker, nowMs, isBad(second));
    const reported = summary(second, { v1: { ok: 100 }, v2: canary });
    window = foldSummary(window, reported);
    ledger.fold(reported, nowMs + 1_000);
    for (const each of ledger.close(nowMs + 1_000)) judge.add(each);
    const weightBp = thePlan.steps[state.step]?.weightBp ?? 0;
    const holdMs = thePlan.steps[state.step]?.holdMs ?? 0;
    const judged = judge.check({
      step: state.step,
      weightBp,
      revision: 1,
      stale: false,
      samples: [null],
      nowMs,
    });
    const { checks } = judged;
    const noEvidence = evidenceGap({
      plan: thePlan,
      weightBp,
      holdMs,
      window,
      silentMs: 0,
      silentGateways: [],
      lostNow: 0,
      checks,
    });
    const canaryRequests = (canary.ok ?? 0) + (canary.bad ?? 0);
    const observation = observed({ checks, noEvidence, canaryRequests });
    const decision = decide(thePlan, state, { kind: 'tick', observation }, nowMs);
    if (!decision.ok) expect.fail(decision.detail);
    state = decision.state;
    states.push(state);
  }
  return states;
}

function canarySecond(breaker: Breaker, nowMs: number, bad: boolean): ArmSecond {
  const counts = { ok: 0, bad: 0, refused: 0 };
  for (let i = 0; i < 10; i += 1) {
    const atMs = nowMs + i * 100;
    const ticket = breaker.admit(atMs, i / 10);
    if (ticket === REFUSED) counts.refused += 1;
    else {
      breaker.settle(ticket, atMs, bad ? 'failed' : 'ok', 10);
      counts[bad ? 'bad' : 'ok'] += 1;
    }
  }
  return counts;
}

describe('a canary behind an open breaker', () => {
  it('is still aborted, by the attempts that opened it and by its probes', () => {
    const last = run(plan(), 120, (second) => second > 3).at(-1);
    expect(last?.phase).toBe('aborted');
    expect(last && 'reason' in last ? last.reason : '').toContain('5xx > 2x');
  });

  it('does not advance on the time that its few attempts leave undecided', () => {
    const undecided = plan({ abort: [{ ...RULE, minRequests: 10_000 }] });
    const healthy = run(undecided, 30, () => false);
    expect(healthy.some(({ step }) => step > 0)).toBe(true);
    const failing = run(undecided, 600, (second) => second > 2);
    expect(failing).toHaveLength(600);
    expect(new Set(failing.map(({ step }) => step))).toEqual(new Set([0]));
  });

  it('goes on once the breaker has closed', () => {
    const undecided = plan({ abort: [{ ...RULE, minRequests: 10_000 }] });
    const states = run(undecided, 120, (second) => second > 2 && second < 20);
    expect(states[25]?.step).toBe(0);
    expect(states.at(-1)?.phase === 'promoted' || (states.at(-1)?.step ?? 0) > 0).toBe(true);
  });
});
