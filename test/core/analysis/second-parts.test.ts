import { describe, expect, it } from 'vitest';
import { Histogram } from '../../../src/core/analysis/histogram.ts';
import { SecondLedger } from '../../../src/core/analysis/second-ledger.ts';
import { OTHER_INSTANCES, type Segments, type VersionSummary } from '../../../src/core/domain/telemetry.ts';
import { frameLine, readFrame } from '../../../src/core/rollout/recording.ts';
import { summary, traffic } from './summaries.ts';

const histogram = new Histogram();
histogram.record(30_000);
const latencyUs = histogram.toWire();

function version(segments: Segments): VersionSummary {
  return { attempts: traffic({ ok: 9, bad: 1 }), responses: traffic({}), forced: 0, segments };
}

/** Two gateways report the same second. */
function closed() {
  const ledger = new SecondLedger({ canary: 'v2', baseline: 'v1' }, 5_000);
  const of = (gateway: string, v1: Segments, v2: Segments): void => {
    ledger.fold(summary(5, {}, { gateway, versions: { v1: version(v1), v2: version(v2) } }), 6_000);
  };
  of(
    'gw-1',
    {
      route: { list: { total: 8, bad: 0, latencyUs } },
      endpoint: { 'http://b:1': { total: 10, bad: 1, latencyUs } },
    },
    {
      route: { list: { total: 4, bad: 3, distinctBad: 1, latencyUs } },
      endpoint: { 'http://c:1': { total: 10, bad: 1, latencyUs } },
    },
  );
  of(
    'gw-2',
    { route: { list: { total: 2, bad: 1, latencyUs: [] } } },
    {
      endpoint: {
        'http://c:1': { total: 5, bad: 5, latencyUs: [] },
        'http://c:2': { total: 1, bad: 0, latencyUs },
      },
    },
  );
  return ledger.close(20_000)[0];
}

describe('the parts of a second', () => {
  it('are summed over gateways, side by side for segments', () => {
    expect(closed()?.segments).toEqual({
      'route=list': {
        canary: { total: 4, bad: 3, distinctBad: 1, seen: 4, latencyUs },
        baseline: { total: 10, bad: 1, distinctBad: 1, seen: 10, latencyUs },
      },
    });
  });

  it('are instances of the canary only: versions have none in common', () => {
    expect(closed()?.instances).toEqual({
      'http://c:1': { total: 15, bad: 6, distinctBad: 6, seen: 15, latencyUs },
      'http://c:2': { total: 1, bad: 0, distinctBad: 0, seen: 1, latencyUs },
    });
  });

  it('of more instances than one gateway tells apart, from several gateways, are still all there', () => {
    const ledger = new SecondLedger({ canary: 'v2', baseline: 'v1' }, 5_000);
    for (const gateway of ['gw-1', 'gw-2']) {
      const endpoint = Object.fromEntries(
        Array.from({ length: 200 }, (_, n) => [`http://${gateway}-${n}:1`, { total: 2, bad: 1, latencyUs }]),
      );
      ledger.fold(summary(5, {}, { gateway, versions: { v2: version({ endpoint }) } }), 6_000);
    }
    const instances = ledger.close(20_000)[0]?.instances ?? {};
    expect(Object.keys(instances)).toHaveLength(257);
    expect(instances[OTHER_INSTANCES]).toMatchObject({ total: 288, bad: 144 });
  });

  it('are recorded and read again as they were', () => {
    const second = closed();
    if (second === undefined) throw new Error('the second is complete');
    const look = {
      stale: false,
      revision: 3,
      samples: [],
      noEvidence: null,
      applied: true,
      canaryRequests: 0,
      gate: null,
      mayAdvance: true,
    };
    const frame = {
      kind: 'look',
      atMs: 6_000,
      begins: null,
      recalled: [],
      seconds: [second],
      intervals: [],
      look,
      transitions: [],
    } as const;
    expect(readFrame(frameLine(frame))).toEqual(frame);
  });
});
