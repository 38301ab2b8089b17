import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const SRC = new URL('../../src/', import.meta.url);
const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.ts'));

function filesWith(pattern: RegExp): string[] {
  return files.filter((path) => pattern.test(readFileSync(new URL(path, SRC), 'utf8'))).sort();
}

describe('a gateway without tracing', () => {
  it('loads no tracing library: one module names it, and one loads that when it is wanted', () => {
    expect(filesWith(/from '@opentelemetry\//)).toEqual(['gateway/tracing/otlp-tracer.ts']);
    expect(filesWith(/from '.*otlp-tracer\.ts'/)).toEqual([]);
    expect(filesWith(/await import\('.*otlp-tracer\.ts'\)/)).toEqual(['gateway/tracing/open-tracer.ts']);
  });
});
