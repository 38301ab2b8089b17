import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { renderHistory, renderList } from '../../src/cli/render/lists.ts';
import { renderPlan } from '../../src/cli/render/plan.ts';
import { type RenderOptions, widthOf } from '../../src/cli/render/text.ts';
import { renderView } from '../../src/cli/render/view.ts';
import type { RolloutView } from '../../src/core/view/rollout-view.ts';
import { event, holdingView, NOON, readyView } from '../support/view-fixture.ts';

const options = (columns: number, more: Partial<RenderOptions> = {}): RenderOptions => ({
  columns,
  color: false,
  unicode: true,
  timeZone: 'UTC',
  ...more,
});

const ended = (phase: 'promoted' | 'aborted', word: string): RolloutView => {
  const view = holdingView();
  const good = phase === 'promoted';
  return {
    ...view,
    phase,
    word,
    severity: good ? 'good' : 'bad',
    sentence: good
      ? 'v2 serves all traffic of orders.'
      : 'v1 serves all traffic of orders: p95 > +50% was breached for 10m.',
    steps: view.steps.map((step) => ({
      ...step,
      state: good ? 'done' : step.state === 'current' ? 'failed' : step.state,
    })),
    step: good ? 4 : 2,
    weight: { ...view.weight, setBp: good ? 10_000 : 0, servedBp: null, canaryRequests: 0 },
    checks: [],
    sinceMs: NOON - 90_000,
    events: [
      ...view.events,
      event({
        sequence: 10,
        run: 2,
        type: phase,
        step: good ? 4 : 2,
        atMs: NOON - 90_000,
        weights: good ? [5000, 10_000] : [1000, 0],
        reason: good ? 'the last step is complete' : 'p95 287ms is over +50% of the baseline’s 182ms',
      }),
    ],
  };
};

const waiting: RolloutView = {
  ...holdingView(),
  phase: 'awaiting-gate',
  word: 'WAITING',
  severity: 'attention',
  sentence: 'Step 3 is complete and waits for approval: `rollout promote orders-v2` to go to 50%.',
  progress: { evidenceMs: 30 * 60_000, requests: 41_210 },
  gateways: holdingView().gateways.map((gateway, index) =>
    index === 1 ? { ...gateway, current: false, state: 'lease-expired', ageMs: 65_000 } : gateway,
  ),
  evidence: { flowing: false, cause: 'no-traffic', sinceMs: NOON - 45_000 },
};

const VIEWS: Readonly<Record<string, RolloutView>> = {
  ready: readyView(),
  holding: holdingView(),
  waiting,
  promoted: ended('promoted', 'PROMOTED'),
  aborted: ended('aborted', 'ABORTED'),
};

describe('the picture of a rollout', () => {
  for (const [name, view] of Object.entries(VIEWS)) {
    for (const columns of [60, 80, 120]) {
      it(`looks as recorded: ${name} at ${columns} columns`, async () => {
        const text = `${renderView(view, options(columns)).join('\n')}\n`;
        await expect(text).toMatchFileSnapshot(`goldens/${name}-${columns}.txt`);
      });
    }
  }

  it('says which parts of the traffic are not told apart', () => {
    const lines = renderView({ ...holdingView(), leftOut: { route: 1_234 } }, options(80));
    expect(lines).toContain('          too many values of route to tell apart: 1,234 attempts/min left out');
  });

  it('looks as recorded without unicode', async () => {
    const text = `${renderView(holdingView(), options(80, { unicode: false })).join('\n')}\n`;
    await expect(text).toMatchFileSnapshot('goldens/holding-80-ascii.txt');
  });

  it('looks as recorded in colour, and colour changes no letter', async () => {
    const colored = renderView(holdingView(), options(80, { color: true })).join('\n');
    await expect(`${colored}\n`).toMatchFileSnapshot('goldens/holding-80-color.txt');
    expect(stripVTControlCharacters(colored)).toBe(renderView(holdingView(), options(80)).join('\n'));
  });

  it('is never wider than the terminal, whatever the names, notes and numbers', () => {
    const long = 'käse-と🙂'.repeat(40);
    const views: readonly RolloutView[] = [
      ...Object.values(VIEWS),
      { ...holdingView(), message: long, sentence: long.repeat(5) },
      {
        ...holdingView(),
        step: 50,
        steps: Array.from({ length: 100 }, (_, index) => ({
          weightBp: (index + 1) * 100,
          state: index < 50 ? 'done' : index === 50 ? 'current' : 'upcoming',
          holdMs: 1000,
          requestsNeeded: 1_000_000,
          gate: 'webhook',
        })),
        checks: holdingView().checks.map((check) => ({ ...check, text: `${check.text} ${long}` })),
        gateways: Array.from({ length: 9 }, (_, index) => ({
          name: `${long}-${index}`,
          revision: 1,
          state: 'applied',
          ageMs: 1e9,
          current: false,
        })),
        events: [event({ sequence: 1, type: 'paused', reason: long, by: long })],
      },
    ];
    for (const view of views) {
      for (let columns = 40; columns <= 140; columns += 1) {
        for (const line of renderView(view, options(columns))) {
          expect(widthOf(line), `${columns}: ${line}`).toBeLessThanOrEqual(columns);
        }
      }
    }
  });

  it('lets nobody write to the terminal through a note, a reason or a name', () => {
    const evil = 'a\u001b[2Jb\u0007\u009bc\nd\u202ee';
    const view: RolloutView = {
      ...holdingView(),
      message: evil,
      sentence: evil,
      checks: holdingView().checks.map((check) => ({ ...check, text: evil })),
      gateways: [{ name: evil, revision: 1, state: 'applied', ageMs: 1, current: false }],
      events: [event({ sequence: 1, type: 'paused', reason: evil, by: evil })],
    };
    for (const line of renderView(view, options(80))) expect(line).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  });

  it('puts the worst check first', () => {
    const lines = renderView(holdingView(), options(120));
    const rows = lines.filter((line) => /^ {2}[✗✓·] /.test(line)).map((line) => line.slice(2, 12));
    expect(rows).toEqual(['✗ p95 > +5', '· promql: ', '✓ 5xx > 2x']);
  });
});

describe('tables', () => {
  it('list the rollouts that need attention first', async () => {
    const views = [
      { ...readyView('alpha'), sinceMs: null },
      holdingView(),
      { ...waiting, rollout: 'search-v3' },
      { ...VIEWS.aborted, rollout: 'mail-v9' } as RolloutView,
    ];
    for (const columns of [60, 120]) {
      const text = `${renderList(views, options(columns)).join('\n')}\n`;
      await expect(text).toMatchFileSnapshot(`goldens/list-${columns}.txt`);
    }
  });

  it('show runs with who and why', async () => {
    const actor = { kind: 'user', name: 'ana' } as const;
    const run = { baseline: 'v1', canary: 'v2', startedAtMs: NOON, startedBy: actor };
    const rows = [
      { ...run, run: 2, outcome: 'running', endedAtMs: null, endedBy: null, reason: null, message: 'try 2' },
      {
        ...run,
        run: 1,
        outcome: 'aborted',
        endedAtMs: NOON + 95_000,
        endedBy: { kind: 'operator', name: 'op-1' },
        reason: '5xx 4.1% is over 2x the baseline’s 0.5%',
        message: 'try 1',
      },
    ] as const;
    const text = `${renderHistory(rows, options(100)).join('\n')}\n`;
    await expect(text).toMatchFileSnapshot('goldens/history-100.txt');
  });

  it('show a plan with its steps, rules and least duration', async () => {
    const text = `${renderPlan(readyView(), options(80)).join('\n')}\n`;
    await expect(text).toMatchFileSnapshot('goldens/plan-80.txt');
  });
});
