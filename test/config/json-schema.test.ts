import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import * as z from 'zod';
import { jsonSchemaFiles } from '../../src/config/json-schema.ts';

const FILES = Object.entries(jsonSchemaFiles());

function read(path: string): string {
  return readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
}

describe('jsonSchemaFiles', () => {
  it.each(FILES)('agrees with the committed %s (else: npm run build && npm run schemas)', (path, text) => {
    expect(read(path)).toBe(text);
  });

  it.each(FILES)('writes %s for draft 7, with the map itself at the root', (_, text) => {
    const schema = JSON.parse(text);
    expect(schema).toMatchObject({ $schema: 'http://json-schema.org/draft-07/schema#', type: 'object' });
    expect(schema).not.toHaveProperty('$ref');
  });

  it.each(FILES)('refuses unknown keys everywhere in %s', (_, text) => {
    const open: string[] = [];
    JSON.parse(text, (key, value) => {
      if (value?.type === 'object' && value.properties && value.additionalProperties !== false)
        open.push(key);
      return value;
    });
    expect(open).toEqual([]);
  });

  it.each([
    ['rollouts/rollout.schema.json', 'rollouts/orders-v2.yaml'],
    ['proxy/gateway.schema.json', 'proxy/gateway.yaml'],
  ])('%s accepts %s, and not with a misspelt key', (schemaPath, yamlPath) => {
    const schema = z.fromJSONSchema(JSON.parse(read(schemaPath)));
    const yaml = parse(read(yamlPath));
    expect(schema.safeParse(yaml).success).toBe(true);
    expect(schema.safeParse({ ...yaml, setps: [] }).success).toBe(false);
  });

  it('lets an editor see a weight without its sign and a duration without its unit', () => {
    const schema = z.fromJSONSchema(JSON.parse(read('rollouts/rollout.schema.json')));
    const yaml = parse(read('rollouts/orders-v2.yaml'));
    const withStep = (step: object) => schema.safeParse({ ...yaml, steps: [step] }).success;
    expect(withStep({ weight: '5%', hold: '1h30m' })).toBe(true);
    expect(withStep({ weight: '5' })).toBe(false);
    expect(withStep({ weight: 5 })).toBe(false);
    expect(withStep({ weight: '5%', hold: '10' })).toBe(false);
  });
});
