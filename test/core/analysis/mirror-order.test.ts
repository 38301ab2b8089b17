import { describe, expect, it } from 'vitest';
import { MirrorNoise } from '../../../src/core/analysis/mirror-noise.ts';
import { MirrorOrder, type MirrorTurn } from '../../../src/core/analysis/mirror-order.ts';
import type { MirrorArm } from '../../../src/core/analysis/mirror-report.ts';
import { seeded } from '../rollout/auto-run.ts';

type Delays = Readonly<Record<MirrorArm, number>>;
type Counts = Record<MirrorArm, number>;

/** Differing answers of each version in some seconds of a mirror, when both differ at the same rare places. */
function simulate(random: () => number, delays: Delays, inOrder: boolean): Counts {
  const differing: Counts = { candidate: 0, baseline: 0 };
  const noise = new MirrorNoise();
  const hear = (arm: MirrorArm, places: readonly string[]): void => {
    if (noise.note(arm, places) === true) differing[arm] += 1;
  };
  const order = new MirrorOrder(hear);
  const answers: { readonly atS: number; readonly turn: MirrorTurn; readonly places: string[] }[] = [];
  const waitS = (mean: number): number => -mean * Math.log(1 - random());
  for (let atS = 0; atS < 8; atS += waitS(1 / 200)) {
    const turn = order.begin(random() < 0.5 ? 'candidate' : 'baseline');
    if (turn === null) expect.fail('too many wait');
    const places = Array.from({ length: 100 }, (_, place) => `/p${place}`).filter(() => random() < 0.02);
    answers.push({ atS: atS + waitS(delays[turn.arm]), turn, places });
  }
  for (const { turn, places } of answers.sort((a, b) => a.atS - b.atS)) {
    if (inOrder) order.end(turn, places);
    else hear(turn.arm, places);
  }
  return differing;
}

function total(delays: Delays, inOrder: boolean): Counts {
  const random = seeded(11);
  const sum: Counts = { candidate: 0, baseline: 0 };
  for (let run = 0; run < 60; run += 1) {
    const { candidate, baseline } = simulate(random, delays, inOrder);
    sum.candidate += candidate;
    sum.baseline += baseline;
  }
  return sum;
}

/** Of a fair coin, in standard deviations. */
const bias = ({ candidate, baseline }: Counts): number =>
  (candidate - baseline) / Math.sqrt(candidate + baseline);

describe('the order of mirrored answers', { timeout: 120_000 }, () => {
  it.each<[string, Delays]>([
    ['a canary that is twenty times as fast', { candidate: 0.05, baseline: 1 }],
    ['a canary that is twenty times as slow', { candidate: 1, baseline: 0.05 }],
    ['versions that are as fast', { candidate: 0.3, baseline: 0.3 }],
  ])('leaves the coin fair for answers of equal content: %s', (_, delays) => {
    const counts = total(delays, true);
    expect(counts.candidate + counts.baseline).toBeGreaterThan(500);
    expect(Math.abs(bias(counts))).toBeLessThan(4);
  });

  it('is what makes it fair: by their ends, the answers of the faster version would differ more often', () => {
    expect(bias(total({ candidate: 0.05, baseline: 1 }, false))).toBeGreaterThan(8);
  });

  it('hands over what has ended, as soon as all before it have, and nothing of what cannot be compared', () => {
    const heard: string[] = [];
    const order = new MirrorOrder((arm, [place]) => heard.push(`${arm} ${place}`));
    const turns = ['candidate', 'baseline', 'candidate'].map((arm) => order.begin(arm as MirrorArm));
    const [one, two, three] = turns;
    if (!one || !two || !three) expect.fail('no turn');
    order.end(three, ['/c']);
    order.end(two, null);
    expect(heard).toEqual([]);
    order.end(one, ['/a']);
    order.end(one, ['/again']);
    order.end(three, ['/again']);
    expect(heard).toEqual(['candidate /a', 'candidate /c']);
  });

  it('lets so many wait and no more, and takes turns again when they have gone', () => {
    let heard = 0;
    const order = new MirrorOrder(() => {
      heard += 1;
    });
    const turns = Array.from({ length: 5_000 }, () => order.begin('candidate'));
    expect(order.begin('baseline')).toBeNull();
    for (const turn of turns.reverse()) if (turn) order.end(turn, []);
    expect(heard).toBe(5_000);
    expect(order.begin('baseline')).not.toBeNull();
  });
});
