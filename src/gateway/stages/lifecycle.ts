/**
 * Notes that what the route serves is on its way out, counts who still calls it, and answers 410 once it is gone.
 * Comes when the caller is known; the fields that announce it are edits of every response.
 * @module
 */

import { lifecycleState } from '../../core/policy/lifecycle.ts';
import type { Exchange } from '../exchange.ts';
import { replyProblem } from '../problem.ts';
import { claimText } from '../sticky.ts';

export function lifecycle(exchange: Exchange): boolean {
  const compiled = exchange.route?.lifecycle ?? null;
  if (compiled === null) return true;
  const state = lifecycleState(compiled.policy, exchange.runtime.clock.nowMs());
  exchange.note('lifecycle', state);
  compiled.counts.add(state, claimText(exchange, 'sub') ?? '');
  if (state !== 'gone') return true;
  const { successor } = compiled.policy;
  replyProblem(exchange, 'GONE', successor === null ? '' : `The next version is at ${successor}.`);
  return false;
}
