import { describe, expect, it } from 'vitest';
import { loadGatewayConfig } from '../../src/config/gateway-config.ts';
import { loadRolloutPlan } from '../../src/config/rollout-config.ts';
import type { Plan } from '../../src/core/domain/plan.ts';
import { edited, expectFinding, readCases } from './findings-table.ts';

const SOUND = `rollout: orders-v2
service: orders
baseline: v1
canary: v2
# the second edition of orders
steps:
  - { weight: 1%, hold: 10m }
  - { weight: 5%, hold: 10m }
  - weight: 10%
    gate: manual
  - { weight: 100% }
abort:
  - { when: 5xx > 2x, over: 5m }
  - when: 'p99 > 800ms'
    for: 1m
onNoEvidence: pause
advance: { when: elapsed }
schedule:
  advance: "* 9-17 * * 1-5"
  timezone: Europe/Berlin
  freeze: [2026-12-20/2027-01-04]
notify: [ops]
overrides:
  - { header: X-Version, equals: next, version: v2 }
`;

const MINIMAL = `rollout: orders-v2
service: orders
baseline: v1
canary: v2
steps: [{ weight: 20%, hold: 5m }, { weight: 100% }]
abort: [{ when: 5xx > 1% }]
`;

const AUTO = `rollout: orders-v2
service: orders
baseline: v1
canary: v2
steps: auto
auto: { budget: 50 failed requests, hold: { min: 1m, max: 30m } }
abort:
  - { when: 5xx > 2x, over: 5m }
`;

const SIGHTED = `rollout: orders-v2
service: orders
baseline: v1
canary: v2
traffic: { requests: 200/s, errors: 0.5% }
steps:
  - { weight: 1%, hold: 10m }
  - { weight: 5%, hold: 10m }
  - { weight: 100% }
abort:
  - { when: 5xx > 2x, over: 5m }
`;

const { value: gateway } = loadGatewayConfig({
  name: 'gateway.yaml',
  absolutePath: '/srv/proxy/gateway.yaml',
  text: `listeners: [{ address: ':8080' }]
services: { orders: { versions: { v1: { endpoints: [http://a.example] }, v2: { endpoints: [http://b.example] } } } }
routes: [{ name: orders, match: { prefix: / }, service: orders }]
`,
});
const operator = { prometheus: null, notifiers: { ops: 'log' } };

function load(text: string, facts: Parameters<typeof loadRolloutPlan>[2] = operator) {
  expect(gateway).not.toBeNull();
  const file = { name: 'rollouts/orders-v2.yaml', text, absolutePath: '/srv/rollouts/orders-v2.yaml' };
  return loadRolloutPlan(file, gateway, facts);
}

function sound(text: string, facts?: Parameters<typeof loadRolloutPlan>[2]): Plan {
  const { value, diagnostics } = load(text, facts);
  expect(diagnostics).toEqual([]);
  if (!value) expect.fail('no plan');
  return value;
}

describe('loadRolloutPlan', () => {
  it.each(readCases('rollout'))('finds $title', (bad) => {
    const text = edited(SOUND, bad);
    expectFinding(load(text), text, bad);
  });

  it.each(readCases('sight'))('warns, from stated traffic, of $title', (bad) => {
    const text = edited(SIGHTED, bad);
    expectFinding(load(text), text, bad);
  });

  it('finds nothing where each rule sees what it names, and keeps the stated traffic for the plan', () => {
    expect(sound(SIGHTED).traffic).toEqual({ requestsPerSecond: 200, errorRate: 0.005 });
    expect(sound(SIGHTED.replace('200/s', '12000/min')).traffic?.requestsPerSecond).toBe(200);
    expect(sound(SIGHTED.replace('0.5%', '0%')).traffic?.errorRate).toBe(0);
  });

  it.each(readCases('auto'))('finds, of steps: auto, $title', (bad) => {
    const text = edited(AUTO, bad);
    expectFinding(load(text), text, bad);
  });

  it('compiles steps: auto with its bounds, and the longest ramp that they allow', () => {
    const { auto, steps } = sound(AUTO);
    expect(auto).toEqual({
      budget: 50,
      regression: 2.5,
      fromBp: 100,
      maxFactor: 3,
      minHoldMs: 60_000,
      maxHoldMs: 1_800_000,
      maxDurationMs: 21_600_000,
    });
    expect(steps[0]).toEqual({ weightBp: 100, holdMs: 60_000, minHoldMs: 60_000, requests: 50, gate: null });
    expect(steps.at(-1)).toEqual({ weightBp: 10_000, holdMs: 0, minHoldMs: 0, requests: 0, gate: null });
    const own = 'budget: 400, regression: 3x, from: 0.5%, maxFactor: 4.5x, duration: { max: 2h }, hold:';
    expect(sound(AUTO.replace('budget: 50 failed requests, hold:', own)).auto).toMatchObject({
      budget: 400,
      regression: 3,
      fromBp: 50,
      maxFactor: 4.5,
      maxDurationMs: 7_200_000,
    });
  });

  it('compiles a whole file', () => {
    expect(sound(SOUND)).toEqual({
      rollout: 'orders-v2',
      service: 'orders',
      baseline: 'v1',
      canary: 'v2',
      steps: [
        { weightBp: 100, holdMs: 600_000, minHoldMs: 120_000, requests: 100, gate: null },
        { weightBp: 500, holdMs: 600_000, minHoldMs: 120_000, requests: 100, gate: null },
        { weightBp: 1000, holdMs: 0, minHoldMs: 0, requests: 100, gate: { kind: 'manual' } },
        { weightBp: 10_000, holdMs: 0, minHoldMs: 0, requests: 0, gate: null },
      ],
      abort: [
        {
          text: '5xx > 2x',
          condition: { kind: 'rate-ratio', factor: 2 },
          overMs: 300_000,
          forMs: 0,
          minRequests: 1,
          floor: null,
          source: 'telemetry',
        },
        {
          text: 'p99 > 800ms',
          condition: { kind: 'quantile-limit', quantile: 0.99, limitMs: 800 },
          overMs: 300_000,
          forMs: 60_000,
          minRequests: 100,
          floor: null,
          source: 'telemetry',
        },
      ],
      advance: 'elapsed',
      falseAbort: 0.01,
      segmentShare: 0.1,
      onNoEvidence: { afterMs: 60_000, action: 'pause' },
      onOperatorLoss: { afterMs: 30_000, action: 'baseline' },
      schedule: {
        advance: '* 9-17 * * 1-5',
        timezone: 'Europe/Berlin',
        freeze: [{ fromMs: Date.parse('2026-12-19T23:00:00Z'), toMs: Date.parse('2027-01-04T23:00:00Z') }],
      },
      notify: ['ops'],
      salt: 'orders/orders-v2',
      matches: [{ source: { header: 'x-version' }, equals: 'next', version: 'v2' }],
    });
  });

  it('fills in the defaults', () => {
    expect(sound(MINIMAL)).toMatchObject({
      advance: 'elapsed',
      falseAbort: 0.01,
      onNoEvidence: { afterMs: 60_000, action: 'hold' },
      onOperatorLoss: { afterMs: 30_000, action: 'baseline' },
      schedule: null,
      notify: [],
      matches: [],
    });
  });

  it('asks of a step what the most demanding rule needs, unless it says otherwise', () => {
    const rules = MINIMAL.replace(
      '5xx > 1% }',
      '5xx > 1%, requests: 400 }, { when: p95 > 2x, requests: 90 }',
    );
    expect(sound(rules).steps.map((step) => step.requests)).toEqual([400, 0]);
    const own = rules.replace('weight: 20%', 'weight: 20%, requests: 7').replace('100%', '100%, requests: 9');
    expect(sound(own).steps.map((step) => step.requests)).toEqual([7, 9]);
  });

  it('gives a webhook gate its interval and timeout', () => {
    const text = MINIMAL.replace(
      'weight: 20%',
      'weight: 20%, gate: { webhook: https://a.example/go, timeout: 3s }',
    );
    expect(sound(text).steps[0]?.gate).toEqual({
      kind: 'webhook',
      url: 'https://a.example/go',
      intervalMs: 10_000,
      timeoutMs: 3000,
    });
  });

  it('sends promql rules to Prometheus where there is one', () => {
    const text = MINIMAL.replace('5xx > 1%', '"promql: a > 1"');
    const facts = { prometheus: { url: 'http://p.example' }, notifiers: {} };
    expect(sound(text, facts).abort[0]).toMatchObject({ source: 'prometheus' });
  });

  it('reads a pair of counters as a rate that bets, whose window is the rule’s own', () => {
    const pair =
      'promql: sum(increase(bad{v="$version"}[$interval])) / sum(increase(all{v="$version"}[$interval])) > 2x';
    const text = MINIMAL.replace('5xx > 1%', `'${pair}', over: 2m, floor: 0.5%`);
    const facts = { prometheus: { url: 'http://p.example' }, notifiers: {} };
    expect(sound(text, facts).abort[0]).toMatchObject({
      text: pair,
      condition: { kind: 'rate-ratio', factor: 2 },
      counters: { bad: 'bad{v="$version"}', total: 'all{v="$version"}' },
      source: 'prometheus',
      overMs: 120_000,
      minRequests: 1,
      floor: 0.005,
    });
  });

  it('checks nothing against an operator or a gateway that it does not know', () => {
    const text = MINIMAL.replace('5xx > 1%', '"promql: a > 1"').replace('service: orders', 'service: other');
    const file = { name: 'a.yaml', text: `${text}notify: [who]\n`, absolutePath: '/srv/orders-v2.yaml' };
    expect(loadRolloutPlan(file, null, null).diagnostics).toEqual([]);
  });

  it('finds every problem of the file in one pass, in its order', () => {
    const text = SOUND.replace('service: orders', 'service: ordrs')
      .replace('5xx > 2x', '5xx > 2')
      .replace('weight: 5%', 'weight: 1%')
      .replace('[ops]', '[opps]');
    expect(load(text).diagnostics.map(({ line }) => line)).toEqual([2, 8, 13, 22]);
  });

  it('says that an unknown key misspells a missing one, and not that both are wrong', () => {
    const text = SOUND.replace('canary: v2', 'canry: v2');
    expect(load(text).diagnostics.map(({ message }) => message)).toEqual(['unknown key "canry"']);
  });
});
