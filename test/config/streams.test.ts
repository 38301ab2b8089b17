import { describe, expect, it } from 'vitest';
import { loadGatewayConfig } from '../../src/config/gateway-config.ts';

function load(text: string) {
  return loadGatewayConfig({ name: 'gateway.yaml', text, absolutePath: '/srv/gateway.yaml' });
}

describe('upgrade', () => {
  const yaml = (service: string, route: string) => `listeners: [{ address: 127.0.0.1:8080 }]
services:
  chat:
    versions: { v1: { endpoints: [http://127.0.0.1:9001] } }
    ${service}
policies:
  live: { upgrade: [websocket] }
routes:
  - name: chat
    match: { prefix: / }
    service: chat
    ${route}
`;

  it('is inherited from a policy, replaced and switched off by a route', () => {
    const upgradeOf = (route: string) => load(yaml('salt: x', route)).value?.routes[0]?.upgrade;
    expect(upgradeOf('policy: live')).toEqual(new Set(['websocket']));
    expect(upgradeOf('policy: live\n    upgrade: [mqtt]')).toEqual(new Set(['mqtt']));
    expect(upgradeOf('policy: live\n    upgrade: false')).toBeNull();
    expect(upgradeOf('maxBodyBytes: 5')).toBeNull();
  });

  it('does not go with a service that speaks HTTP/2', () => {
    const { diagnostics } = load(yaml('protocol: h2', 'policy: live'));
    expect(diagnostics).toMatchObject([
      {
        severity: 'error',
        message: 'upgrade needs HTTP/1.1, but version "v1" of its service speaks h2',
        line: 9,
        column: 11,
      },
    ]);
  });
});
