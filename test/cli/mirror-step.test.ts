import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { describeChange } from '../../src/cli/change.ts';
import { describeEvent } from '../../src/cli/render/event-line.ts';
import { renderExplanation } from '../../src/cli/render/explanation.ts';
import { renderList } from '../../src/cli/render/lists.ts';
import { renderPlan } from '../../src/cli/render/plan.ts';
import { renderStepSummary } from '../../src/cli/render/step-summary.ts';
import { createStyle } from '../../src/cli/render/style.ts';
import type { RenderOptions } from '../../src/cli/render/text.ts';
import { renderView } from '../../src/cli/render/view.ts';
import type { RolloutEvent } from '../../src/core/domain/rollout-event.ts';
import { explain } from '../../src/core/view/explanation.ts';
import type { CheckView, RolloutView } from '../../src/core/view/rollout-view.ts';
import { cliWithApi } from '../support/cli-with-api.ts';
import { event, holdingView, NOON, readyView } from '../support/view-fixture.ts';

const options = (columns: number): RenderOptions => ({
  columns,
  color: false,
  unicode: true,
  timeZone: 'UTC',
});

const DIFFERS: CheckView = {
  rule: 0,
  text: 'differs > 1%',
  verdict: 'fail',
  breachedSinceMs: NOON - 4_000,
  evidence: {
    kind: 'rate',
    of: 'differences',
    windowMs: 300_000,
    canary: { bad: 240, total: 250 },
    baseline: { bad: 1, total: 260 },
    limit: 0.01,
  },
  proof: { worse: 400, share: 1, needed: 100, fine: 0.1, fineNeeded: 100, environment: false },
  summary:
    'canary differs in 96% of its mirrored answers (240/250), over 1%, the baseline from itself in 0.385% (1/260)',
  recent: [0, 0.4, 0.96],
};

const [first, ...others] = readyView().steps;
const ready = first && { ...first, weightBp: 0, mirrorBp: 1_000, requestsNeeded: 1_000 };
const started: RolloutEvent = {
  ...event({
    sequence: 1,
    run: 2,
    type: 'started',
    step: 0,
    weights: [0, 0],
    reason: 'started mirroring 10%',
  }),
  mirrorBp: 1_000,
};
const aborted: RolloutEvent = {
  ...event({
    sequence: 2,
    run: 2,
    type: 'aborted',
    step: 0,
    weights: [0, 0],
    reason: `rule failed: ${DIFFERS.summary}`,
  }),
  evidence: [DIFFERS],
};

function mirroring(): RolloutView {
  const view = holdingView();
  const upcoming = others.map((step) => ({ ...step, state: 'upcoming' as const }));
  return {
    ...view,
    step: 0,
    steps: ready ? [{ ...ready, state: 'current' }, ...upcoming] : [],
    sentence: 'On to 5% in 6m if no rule breaks.',
    progress: { evidenceMs: 240_000, requests: 480 },
    weight: { ...view.weight, setBp: 0, servedBp: 0, canaryRequests: 0 },
    mirror: { shareBp: 1_000, compared: 120 },
    checks: [{ ...DIFFERS, verdict: 'undecided' }],
    events: [started],
  };
}

describe('a step that mirrors, on the terminal', () => {
  it.each([60, 80, 120])('looks as recorded at %i columns', async (columns) => {
    const text = `${renderView(mirroring(), options(columns)).join('\n')}\n`;
    await expect(text).toMatchFileSnapshot(`goldens/mirroring-${columns}.txt`);
  });

  it('is told from a weight in the plan, in the list, in a report and on the line of an event', () => {
    const declared = { ...readyView(), steps: ready ? [ready, ...others] : [] };
    expect(renderPlan(declared, options(80)).join('\n')).toMatch(
      /1 {2}mirror 10% {3}10m {5}1,000\n {5}2 {10}5%/,
    );
    expect(renderList([mirroring()], options(120)).join('\n')).toMatch(/HOLDING\s+mirror 10%\s+m10 ●/);
    expect(renderStepSummary(mirroring())).toContain('v1 → v2, canary **mirroring 10%**.');
    const style = createStyle({ color: false, unicode: true });
    expect(describeEvent(started, style)).toContain('step 1 · mirroring 10% · started mirroring 10%');
    expect(describeEvent(aborted, style)).toContain('step 1 · 0% · rule failed');
  });

  it('is said after each command', () => {
    const view = mirroring();
    expect(describeChange('start', view).changed).toBe(
      'Started orders-v2 (run 2): v2 is asked beside 10% of orders.',
    );
    expect(describeChange('pause', view).changed).toContain('v2 goes on being asked beside 10%');
    expect(describeChange('resume', view).changed).toContain('v2 is asked beside 10%.');
  });

  it('is explained by answers and differences', () => {
    const explanation = explain([started, aborted], null);
    const text = explanation ? renderExplanation(explanation, options(100)).join('\n') : '';
    expect(text).toMatch(/canary +v2 +96\.0?0?%, 240 of 250/);
    expect(text).toMatch(/baseline +v1 +0\.38%, 1 of 260/);
    expect(text).toContain('With 2 or fewer differences among these 250 answers the limit would have held.');
  });
});

describe('plan with a mirror', () => {
  const { api, cli } = cliWithApi();
  const gateway = `listeners: [{ address: ':8080' }]
services: { orders: { versions: { v1: { endpoints: [http://a.example] }, v2: { endpoints: [http://b.example] } } } }
routes: [{ name: orders, match: { prefix: / }, service: orders }]
`;
  const rollout = `rollout: orders-v2
service: orders
baseline: v1
canary: v2
steps: [{ mirror: 10%, hold: 10m }, { weight: 10%, hold: 10m }, { weight: 100% }]
abort: [{ when: differs > 1% }, { when: 5xx > 2x }]
`;
  let dir: string;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'sluice-mirror-plan-'));
    writeFileSync(join(dir, 'gateway.yaml'), gateway);
    mkdirSync(join(dir, 'rollouts'));
    writeFileSync(join(dir, 'rollouts/orders-v2.yaml'), rollout);
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  const plan = async (...argv: readonly string[]) => {
    await api().close();
    const files = ['--gateway', join(dir, 'gateway.yaml'), '--rollouts', join(dir, 'rollouts')];
    return cli(['plan', 'orders-v2', ...files, '--errors', '0.5%', ...argv], { columns: 120 });
  };

  it('says what the mirror sees, and rules only where they look', async () => {
    const run = await plan('--rps', '200');
    expect([run.code, run.stderr]).toEqual([0, '']);
    expect(run.stdout).toMatch(/1 {2}mirror 10% {3}10m {2}differs > 1% +2x/);
    expect(run.stdout.match(/differs > 1%/g)).toHaveLength(1);
    expect(run.stdout).toContain('Of a mirror all requests are taken to be comparable');
  });

  it('says when the mirror is blind, and that more of it helps', async () => {
    const run = await plan('--rps', '2');
    expect(run.stdout).toMatch(
      /Step 1 is blind to 2x by "differs > 1%": hold it for [\dhms]+, or mirror more\./,
    );
  });

  it('gives the comparisons of the mirror as JSON', async () => {
    const { steps } = JSON.parse((await plan('--rps', '200', '--json')).stdout);
    expect(steps[0]).toMatchObject({ weightBp: 0, mirrorBp: 1_000, requests: 6_000 });
    expect(steps[0].sights.map(({ rule }: { rule: number }) => rule)).toEqual([0]);
    expect(steps[1].sights.map(({ rule }: { rule: number }) => rule)).toEqual([1]);
  });
});
