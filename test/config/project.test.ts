import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Diagnostic } from '../../src/config/diagnostic.ts';
import { detectKind, lintPaths } from '../../src/config/lint-paths.ts';
import { loadProject } from '../../src/config/load-project.ts';

const GATEWAY = `listeners: [{ address: ':8080' }]
services: { orders: { versions: { v1: { endpoints: [http://a.example] }, v2: { endpoints: [http://b.example] } } } }
routes: [{ name: orders, match: { prefix: / }, service: orders }]
`;

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sluice-project-'));
});
afterEach(() => rmSync(root, { recursive: true }));

function write(name: string, text: string | Uint8Array): string {
  const path = join(root, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return path;
}

function rollout(name: string, more = ''): string {
  return `rollout: ${name}
service: orders
baseline: v1
canary: v2
steps: [{ weight: 20%, hold: 5m }, { weight: 100% }]
abort: [{ when: 5xx > 1% }]
${more}`;
}

function load() {
  return loadProject({ gatewayPath: join(root, 'proxy/gateway.yaml'), rolloutsDir: join(root, 'rollouts') });
}

function lint(...names: string[]) {
  return lintPaths(
    names.map((name) => join(root, name)),
    { gatewayPath: join(root, 'proxy/gateway.yaml') },
  );
}

function told(diagnostics: readonly Diagnostic[]): readonly string[] {
  return diagnostics.map(
    ({ file, line, column, severity, message }) =>
      `${file.slice(root.length + 1)}:${line}:${column} ${severity} ${message}`,
  );
}

describe('the example project', () => {
  it('lints clean and loads', () => {
    const paths = { gatewayPath: 'proxy/gateway.yaml', rolloutsDir: 'rollouts' };
    const { diagnostics, value } = loadProject(paths);
    expect(diagnostics).toEqual([]);
    expect(value?.plans['orders-v2']?.steps.map((step) => step.weightBp)).toEqual([
      100, 500, 1000, 5000, 10_000,
    ]);
    const linted = lintPaths(['proxy', 'rollouts'], paths);
    expect(linted.diagnostics).toEqual([]);
    expect(linted.files.map(({ name, kind }) => `${name} ${kind}`)).toEqual(
      expect.arrayContaining(['proxy/gateway.yaml gateway', 'rollouts/orders-v2.yaml rollout']),
    );
  });
});

describe('loadProject', () => {
  it('reads the gateway, the operator and every rollout beside it', () => {
    write('proxy/gateway.yaml', GATEWAY);
    write('rollouts/operator.yaml', 'operator: { notifiers: { ops: log } }\n');
    write('rollouts/a.yaml', rollout('a', 'notify: [ops]'));
    write('rollouts/b.yml', rollout('b'));
    write('rollouts/rollout.schema.json', '{}');
    const { value, diagnostics } = load();
    expect(told(diagnostics)).toEqual([]);
    expect(Object.keys(value?.plans ?? {})).toEqual(['a', 'b']);
    expect(value?.operator.notifiers).toEqual({ ops: 'log' });
    expect(value?.gateway.path).toBe(join(root, 'proxy/gateway.yaml'));
  });

  it('knows without an operator file that there is neither a Prometheus nor a notifier', () => {
    write('proxy/gateway.yaml', GATEWAY);
    write('rollouts/a.yaml', rollout('a', 'notify: [ops]').replace('5xx > 1%', '"promql: a > 1"'));
    expect(told(load().diagnostics)).toEqual([
      'rollouts/a.yaml:6:17 error this rule needs Prometheus, and none is configured',
      'rollouts/a.yaml:7:10 error there is no notifier "ops"',
    ]);
  });

  it('refuses a second rollout of the same name', () => {
    write('proxy/gateway.yaml', GATEWAY);
    write('rollouts/a.yaml', rollout('a'));
    write('rollouts/z.yaml', rollout('a'));
    const { value, diagnostics } = load();
    expect(value).toBeNull();
    expect(told(diagnostics)).toEqual([
      `rollouts/z.yaml:1:10 error ${join(root, 'rollouts/a.yaml')} already has a rollout called "a"`,
      'rollouts/z.yaml:1:10 warning the rollout "a" is in a file called z.yaml',
    ]);
  });

  it('keeps what is sound beside a broken file, and does not blame rollouts for a broken gateway', () => {
    write('proxy/gateway.yaml', GATEWAY.replace("':8080'", '8080'));
    write('rollouts/a.yaml', rollout('a'));
    write('rollouts/b.yaml', rollout('b').replace('20%', '20'));
    const { value, parts, diagnostics } = load();
    expect(value).toBeNull();
    expect(Object.keys(parts.plans)).toEqual(['a']);
    expect(told(diagnostics).map((line) => line.split(' ')[0])).toEqual([
      'proxy/gateway.yaml:1:24',
      'rollouts/b.yaml:5:19',
    ]);
  });

  it('says what it cannot read', () => {
    expect(told(load().diagnostics)).toEqual([
      'proxy/gateway.yaml:1:1 error cannot read this file: ENOENT',
      'rollouts:1:1 error cannot list this folder: ENOENT',
    ]);
    write('proxy/gateway.yaml', Uint8Array.of(0xff, 0xfe, 0x00));
    write('rollouts/big.yaml', `rollout: a # ${'x'.repeat(1_100_000)}`);
    expect(told(load().diagnostics)).toEqual([
      'proxy/gateway.yaml:1:1 error expected a text file in UTF-8',
      'rollouts/big.yaml:1:1 error expected a file of at most 1 MiB, got 1.0 MiB',
    ]);
  });
});

describe('lintPaths', () => {
  it('tells by its keys what each file is, wherever it is', () => {
    expect(detectKind({ rollout: 'a', services: {} })).toBe('rollout');
    expect(detectKind({ operator: {} })).toBe('operator');
    expect(detectKind({ listeners: [] })).toBe('gateway');
    expect(detectKind({ rolout: 'a', baseline: 'v1' })).toBe('rollout');
    expect(detectKind({ policeis: {}, admn: {} })).toBe('gateway');
    expect(detectKind({ apiVersion: 'v1', kind: 'Pod' })).toBeNull();
    expect(detectKind([1])).toBeNull();
  });

  it('lints one rollout against the gateway and the operator it belongs to, reporting only what was asked', () => {
    write('proxy/gateway.yaml', GATEWAY.replace('routes:', 'drian: 3s\nroutes:'));
    write('rollouts/operator.yaml', 'operator: { notifiers: { ops: log } }\n');
    write('rollouts/a.yaml', rollout('a', 'notify: [opps]'));
    expect(told(lint('rollouts/a.yaml').diagnostics)).toEqual([
      'rollouts/a.yaml:7:10 error there is no notifier "opps"',
    ]);
    write('proxy/gateway.yaml', GATEWAY);
    write('rollouts/a.yaml', rollout('a').replace('v2', 'v3'));
    expect(told(lint('rollouts/a.yaml').diagnostics)).toEqual([
      'rollouts/a.yaml:4:9 error the service "orders" has no version "v3"',
    ]);
  });

  it('lints a rollout alone where there is no gateway file', () => {
    write('a.yaml', rollout('a').replace('orders', 'other'));
    expect(told(lint('a.yaml').diagnostics)).toEqual([]);
  });

  it('lints several gateway files each by itself', () => {
    write('one.yaml', GATEWAY);
    write('two.yaml', GATEWAY.replace('routes:', 'drian: 3s\nroutes:'));
    expect(told(lint('one.yaml', 'two.yaml', 'two.yaml').diagnostics)).toEqual([
      'two.yaml:3:1 error unknown key "drian"',
    ]);
  });

  it('says so when it cannot tell what a file is, or read it', () => {
    write('pod.yaml', 'apiVersion: v1\nkind: Pod\n');
    write('empty.yaml', '');
    expect(told(lint('pod.yaml', 'empty.yaml', 'none.yaml').diagnostics)).toEqual([
      'empty.yaml:1:1 error the file is empty',
      'none.yaml:1:1 error cannot read this file: ENOENT',
      'pod.yaml:1:1 error cannot tell what this file is: expected a rollout, an operator or a gateway file',
    ]);
  });
});
