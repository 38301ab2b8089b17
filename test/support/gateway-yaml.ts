/**
 * Gateway configurations from YAML for tests that want what the loader makes of a policy, on free ports.
 * @module
 */

import { expect } from 'vitest';
import { loadGatewayConfig } from '../../src/config/gateway-config.ts';
import type { GatewayConfig } from '../../src/config/gateway-model.ts';

/** `routes` and further keys as YAML text; the service `orders` with one version at `upstream` is there. */
export function gatewayOfYaml(upstream: string, text: string): GatewayConfig {
  const whole = `listeners: [{ address: 127.0.0.1:0 }]
admin: { address: 127.0.0.1:0 }
accessLog: 'off'
services:
  orders: { versions: { v1: { endpoints: ['${upstream}'] } } }
${text}`;
  const { value, diagnostics } = loadGatewayConfig({
    name: 'gateway.yaml',
    text: whole,
    absolutePath: '/srv/gateway.yaml',
  });
  expect(diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
  if (value === null) expect.fail('no configuration');
  return value;
}
