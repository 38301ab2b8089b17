import { describe, expect, it } from 'vitest';
import { loadGatewayConfig } from '../../src/config/gateway-config.ts';
import { loadRolloutPlan } from '../../src/config/rollout-config.ts';
import { edited, expectFinding, readCases } from './findings-table.ts';

const SOUND = `rollout: orders-v2
service: orders
baseline: v1
canary: v2
steps:
  - { mirror: 10%, hold: 10m }
  - { weight: 1%, hold: 10m }
  - { weight: 100% }
abort:
  - { when: differs > 1%, over: 5m }
  - { when: 5xx > 2x, over: 5m, requests: 300 }
traffic: { requests: 1000/s, errors: 0.5% }
`;

function load(text: string) {
  const file = { name: 'rollouts/orders-v2.yaml', text, absolutePath: '/srv/rollouts/orders-v2.yaml' };
  return loadRolloutPlan(file, null, null);
}

describe('a rollout file with a mirror', () => {
  it.each(readCases('mirror'))('finds $title', (bad) => {
    const text = edited(SOUND, bad);
    expectFinding(load(text), text, bad);
  });

  it('becomes a step without users, which asks for what rules about mirrors need', () => {
    const { value, diagnostics } = load(SOUND);
    expect(diagnostics).toEqual([]);
    expect(value?.steps).toEqual([
      { weightBp: 0, mirrorBp: 1000, holdMs: 600_000, minHoldMs: 120_000, requests: 50, gate: null },
      { weightBp: 100, holdMs: 600_000, minHoldMs: 120_000, requests: 300, gate: null },
      { weightBp: 10_000, holdMs: 0, minHoldMs: 0, requests: 0, gate: null },
    ]);
    expect(value?.abort[0]).toMatchObject({
      condition: { kind: 'differs', limit: 0.01 },
      overMs: 300_000,
      minRequests: 1,
    });
  });

  it.each([
    [
      'none may be mirrored',
      'mirror: false',
      ['no route of "orders" may be mirrored, so this step never has evidence'],
    ],
    ['one mirrors by itself too', 'mirror: { version: v2, share: 5% }', []],
  ])('is held against the routes of the gateway: %s', (_, mirror, messages) => {
    const { value: gateway } = loadGatewayConfig({
      name: 'gateway.yaml',
      absolutePath: '/srv/proxy/gateway.yaml',
      text: `listeners: [{ address: ':8080' }]
services: { orders: { versions: { v1: { endpoints: [http://a.example] }, v2: { endpoints: [http://b.example] } } } }
routes: [{ name: orders, match: { prefix: / }, service: orders, ${mirror} }]
`,
    });
    expect(gateway).not.toBeNull();
    const file = { name: 'orders-v2.yaml', text: SOUND, absolutePath: '/srv/rollouts/orders-v2.yaml' };
    const { diagnostics } = loadRolloutPlan(file, gateway, null);
    expect(diagnostics.map(({ message }) => message)).toEqual(messages);
  });

  it('may mirror more and more, wait at a gate, and say how many answers it wants', () => {
    const text = SOUND.replace(
      '- { weight: 1%',
      '- { mirror: 100%, hold: 5m, requests: 400, gate: manual }\n  - { weight: 1%',
    );
    const { value, diagnostics } = load(text);
    expect(diagnostics).toEqual([]);
    expect(value?.steps[1]).toMatchObject({ mirrorBp: 10_000, requests: 400, gate: { kind: 'manual' } });
  });
});
