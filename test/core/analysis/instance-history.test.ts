import { describe, expect, it } from 'vitest';
import { InstanceHistory } from '../../../src/core/analysis/instance-history.ts';
import { addArms } from '../../../src/core/analysis/second-parts.ts';
import type { SlidingWindow } from '../../../src/core/analysis/sliding-window.ts';
import { RULE } from '../rollout/plans.ts';
import { arm } from './seconds.ts';

const rule = { ...RULE, overMs: 20_000 };
const PODS = ['a', 'b', 'c'];

/** Instance `a` has no traffic in every third second; every instance has latencies of its own. */
function secondAt(at: number) {
  const seen = at % 3 === 0 ? PODS.slice(1) : PODS;
  const instances = Object.fromEntries(
    seen.map((pod) => [pod, arm({ ok: 5, bad: at % 2, latenciesMs: [10 + pod.charCodeAt(0), 20 + at] })]),
  );
  const canary = Object.values(instances).reduce(addArms);
  return { startMs: at * 1000, canary, baseline: arm({ ok: 40, bad: 1 }), instances };
}

function contents({ canary, baseline }: SlidingWindow) {
  return {
    canary: { ...canary.sums, latencyUs: canary.latencyUs?.toWire() },
    baseline: { ...baseline.sums, latencyUs: baseline.latencyUs?.toWire() },
  };
}

/** As asked for once, at the end. */
function fromScratch(instance: string, seconds: number) {
  const history = new InstanceHistory([rule]);
  for (let at = 0; at < seconds; at += 1) history.add(secondAt(at));
  return contents(history.windowWithout(instance, rule));
}

describe('the window without an instance', () => {
  it('is that of the other instances’ attempts in the rule’s window', () => {
    const others = Array.from({ length: 20 }, (_, i) => secondAt(30 + i)).flatMap(({ instances }) =>
      Object.entries(instances).flatMap(([pod, of]) => (pod === 'b' ? [] : [of])),
    );
    const { total, bad, seen, latencyUs } = others.reduce(addArms);
    expect(fromScratch('b', 50).canary).toEqual({ total, bad, seen, latencyUs });
  });

  it('is the same whether it grew second by second, with another instance between, or is made at once', () => {
    const history = new InstanceHistory([rule]);
    for (let at = 0; at < 300; at += 1) {
      history.add(secondAt(at));
      if (at < 30) continue;
      const instance = at >= 40 && at < 45 ? 'c' : 'a';
      const grown = contents(history.windowWithout(instance, rule));
      if (at % 9 === 0 || at === 45) expect(grown).toEqual(fromScratch(instance, at + 1));
    }
  });
});
