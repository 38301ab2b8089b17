/** Drives a rollout through the state machine, for its tests. */

import type { Plan } from '../../../src/core/domain/plan.ts';
import type { Actor, Transition } from '../../../src/core/domain/rollout-event.ts';
import { decide } from '../../../src/core/rollout/decide.ts';
import type { Observation, RolloutInput } from '../../../src/core/rollout/decision.ts';
import { canaryWeightBp, type RolloutState } from '../../../src/core/rollout/state.ts';
import { begin } from '../../../src/core/rollout/transitions.ts';
import { observed, plan } from './plans.ts';

export const ANA: Actor = { kind: 'user', name: 'ana' };

/** Drives a rollout second by second; every method returns the transitions of its last input. */
export class Drive {
  readonly plan: Plan;
  state: RolloutState;
  nowMs = 0;
  readonly log: Transition[] = [];

  constructor(changes: Partial<Plan> = {}) {
    this.plan = plan(changes);
    const { state, transition } = begin(this.plan, ANA, null, this.nowMs);
    this.state = state;
    this.log.push(transition);
  }

  input(input: RolloutInput): readonly Transition[] {
    const decision = decide(this.plan, this.state, input, this.nowMs);
    if (!decision.ok) throw new Error(`refused: ${decision.detail}`);
    this.state = decision.state;
    this.log.push(...decision.transitions);
    return decision.transitions;
  }

  tick(seconds: number, changes: Partial<Observation> = {}): void {
    for (let i = 0; i < seconds; i += 1) {
      this.nowMs += 1000;
      this.input({ kind: 'tick', observation: observed(changes) });
    }
  }

  get weightBp(): number {
    return canaryWeightBp(this.plan, this.state);
  }
}
