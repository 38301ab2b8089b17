import { describe, expect, it } from 'vitest';
import { evidenceGap, type GapInput } from '../../../src/core/analysis/evidence-gap.ts';
import { emptyWindow, foldSummary } from '../../../src/core/analysis/evidence-window.ts';
import { check, plan } from '../rollout/plans.ts';
import { type ArmSecond, summary } from './summaries.ts';

function input(
  changes: Partial<GapInput>,
  ...seconds: readonly Readonly<Record<string, ArmSecond>>[]
): GapInput {
  const window = seconds.map((arms, i) => summary(i + 1, arms)).reduce(foldSummary, emptyWindow(120_000));
  return {
    plan: plan(),
    weightBp: 500,
    holdMs: 600_000,
    window,
    silentMs: 100,
    silentGateways: [],
    lostNow: 0,
    checks: [],
    ...changes,
  };
}

const both = { v1: { ok: 10 }, v2: { ok: 1 } };
const none = {
  ...check('no-evidence'),
  evidence: { kind: 'none', cause: 'source-down', detail: 'refused' },
} as const;
const noBaseline = { ...check('no-evidence'), evidence: { kind: 'none', cause: 'no-baseline' } } as const;

const compared = { v1: { ok: 10, mirrored: [5, 1] }, v2: { mirrored: [4, 0] } } as const;
const outOfPlace = { ...check('no-evidence'), evidence: { kind: 'none', cause: 'mirror-only' } } as const;
const noMirror = { ...check('no-evidence'), evidence: { kind: 'none', cause: 'no-mirror' } } as const;

describe('evidenceGap', () => {
  it.each<[string, GapInput, string | null]>([
    ['flows with traffic on both versions', input({}, both), null],
    ['is stale before the first report', input({ silentMs: null }), 'stale'],
    ['is stale when gateways have gone silent', input({ silentMs: 5001 }, both), 'stale'],
    [
      'is partial when a gateway serves but does not report',
      input({ silentGateways: ['gw-2'] }, both),
      'partial',
    ],
    [
      'flows while clients give up on the canary: that is traffic',
      input({}, { v1: { ok: 10 }, v2: { abandoned: 3 } }),
      null,
    ],
    ['is lost when summaries are missing', input({ lostNow: 2 }, both), 'lost'],
    ['has no traffic without a canary request', input({}, { v1: { ok: 10 } }), 'no-traffic'],
    [
      'flows while the last canary request is less than a minute ago',
      input({}, both, ...Array(59).fill({ v1: { ok: 1 } })),
      null,
    ],
    [
      'has no traffic once it is longer ago',
      input({}, both, ...Array(60).fill({ v1: { ok: 1 } })),
      'no-traffic',
    ],
    [
      'notices silence sooner on a short step',
      input({ holdMs: 4000 }, both, ...Array(5).fill({ v1: { ok: 1 } })),
      'no-traffic',
    ],
    ['has no baseline without a baseline request', input({}, { v2: { ok: 1 } }), 'no-baseline'],
    [
      'has a breaker open that refuses the canary',
      input({}, { v1: { ok: 10 }, v2: { bad: 2, refused: 30 } }),
      'breaker-open',
    ],
    [
      'says so too when nothing gets through',
      input({}, { v1: { ok: 10 }, v2: { refused: 30 } }),
      'breaker-open',
    ],
    ['has one open that refuses the baseline', input({}, { ...both, v1: { refused: 1 } }), 'breaker-open'],
    [
      'does not care about the baseline at 100 %',
      input({ weightBp: 10_000 }, { ...both, v1: { refused: 1 } }),
      null,
    ],
    ['needs no baseline at 100 %', input({ weightBp: 10_000 }, { v2: { ok: 1 } }), null],
    ['names the source that a rule could not ask', input({ checks: [none] }, both), 'source-down'],
    [
      'ignores comparisons that 100 % makes impossible',
      input({ weightBp: 10_000, checks: [noBaseline] }, { v2: { ok: 1 } }),
      null,
    ],
    [
      'flows at a step that mirrors while both versions are compared, whatever traffic there is',
      input({ mirroring: true, weightBp: 0, checks: [outOfPlace] }, compared),
      null,
    ],
    [
      'has nothing mirrored while the canary is not compared',
      input({ mirroring: true, weightBp: 0 }, { v1: { ok: 10, mirrored: [5, 0] } }),
      'not-mirrored',
    ],
    [
      'has nothing mirrored while the baseline is not compared with itself',
      input({ mirroring: true, weightBp: 0 }, { v1: { ok: 10 }, v2: { mirrored: [5, 0] } }),
      'not-mirrored',
    ],
    ['ignores rules about mirrors elsewhere', input({ checks: [noMirror] }, both), null],
  ])('%s', (_title, given, cause) => {
    expect(evidenceGap(given)?.cause ?? null).toBe(cause);
  });
});
