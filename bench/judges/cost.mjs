/**
 * What Sluice's judge costs: per rule and second with a look after each, and a week of seconds replayed. CPU time,
 * of nothing but the judge; the traffic is drawn before.
 * @module
 */

import { PLAN } from './ours.mjs';
import { Random } from './random.mjs';
import { SCENARIOS } from './scenarios.mjs';
import { BEFORE_S, secondOf, simulate } from './traffic.mjs';

const SECONDS = 1800;
const WEEK_S = 7 * 86_400;

/** At 200 requests per second; the same seconds over and over, moved on in time. */
export function measureCost(ours, kinds, quick) {
  const scenario = SCENARIOS.find(({ id }) => id === 'same-200');
  const traffic = simulate(scenario, SECONDS, new Random(99), kinds);
  const drawn = Array.from({ length: SECONDS }, (_, at) => secondOf(traffic, BEFORE_S + at, ours));
  const perSecondUs = judgeSeconds(ours, drawn, 4 * SECONDS, true);
  // A quick run takes a day of seconds and says what a week would take.
  const replayed = quick ? 86_400 : WEEK_S;
  const replayUs = judgeSeconds(ours, drawn, replayed, false);
  return {
    perSecondUs,
    perRuleUs: perSecondUs / PLAN.abort.length,
    replayed,
    replayUs,
    weekS: (replayUs * WEEK_S) / 1e6,
  };
}

/** Microseconds of CPU for each of `count` seconds: those that were drawn, over and over, moved on in time. */
export function judgeSeconds(ours, drawn, count, looking) {
  const judge = ours.createSequentialJudge(PLAN, ours.emptyMemory(PLAN));
  const samples = PLAN.abort.map(() => null);
  const before = process.cpuUsage();
  for (let at = 0; at < count; at += 1) {
    const startMs = at * 1000;
    judge.add({ ...drawn[at % drawn.length], startMs });
    if (looking)
      judge.check({ step: 0, weightBp: 500, revision: 1, stale: false, samples, nowMs: startMs + 2000 });
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / count;
}
