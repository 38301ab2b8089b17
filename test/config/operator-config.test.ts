import { describe, expect, it } from 'vitest';
import { defaultOperatorConfig, loadOperatorConfig } from '../../src/config/operator-config.ts';
import { edited, expectFinding, readCases } from './findings-table.ts';

const SOUND = `operator:
  api:
    address: 0.0.0.0:7070
    tokens:
      - { name: ci, role: operator, token: { env: CI_TOKEN } }
  prometheus:
    url: http://prometheus:9090
    timeout: 2s
  notifiers:
    ops: { slack: { webhookUrl: { file: slack-url } } }
    audit: { webhook: { url: https://a.example/hook, signingKey: { env: KEY } } }
    here: log
`;

function load(text: string) {
  return loadOperatorConfig({ name: 'operator.yaml', text, absolutePath: '/srv/rollouts/operator.yaml' });
}

describe('loadOperatorConfig', () => {
  it.each(readCases('operator'))('finds $title', (bad) => {
    const text = edited(SOUND, bad);
    expectFinding(load(text), text, bad);
  });

  it('keeps secrets as places, never as values', () => {
    expect(load(SOUND)).toMatchObject({
      diagnostics: [],
      value: {
        path: '/srv/rollouts/operator.yaml',
        api: {
          address: { host: '0.0.0.0', port: 7070 },
          tokens: [{ name: 'ci', role: 'operator', token: { env: 'CI_TOKEN' } }],
        },
        prometheus: { url: 'http://prometheus:9090', timeoutMs: 2000, intervalMs: 10_000, bearerToken: null },
        notifiers: { ops: { slack: { webhookUrl: { file: 'slack-url' } } }, here: 'log' },
      },
    });
  });

  it('runs on defaults where the file says nothing, and without a file', () => {
    const expected = {
      path: '/srv/rollouts/operator.yaml',
      api: { address: { host: '127.0.0.1', port: 7070 }, tokens: [] },
      prometheus: null,
      notifiers: {},
    };
    expect(load('operator: {}\n').value).toEqual(expected);
    expect(defaultOperatorConfig('/srv/rollouts/operator.yaml')).toEqual(expected);
    expect(load('operator: { prometheus: { url: http://p } }\n').value?.prometheus).toMatchObject({
      timeoutMs: 5000,
      intervalMs: 10_000,
    });
  });
});
