import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { loadGatewayConfig } from '../../src/config/gateway-config.ts';

const MARKDOWN = readFileSync(new URL('../../docs/policies.md', import.meta.url), 'utf8');

/** What an example leaves out. */
const REST = {
  listeners: [{ address: '127.0.0.1:8080' }],
  services: { orders: { versions: { v1: { endpoints: ['http://127.0.0.1:9001'] } } } },
  routes: [{ name: 'orders', match: { prefix: '/orders' }, service: 'orders' }],
};

const examples = [...MARKDOWN.matchAll(/^## (?<title>.*)$|^```yaml\n(?<yaml>[\s\S]*?)^```$/gm)]
  .map(({ groups }) => groups ?? {})
  .reduce<{ title: string; yaml: string }[]>((found, { title, yaml }) => {
    if (title !== undefined) found.push({ title, yaml: '' });
    const last = found.at(-1);
    if (yaml !== undefined && last) last.yaml = yaml;
    return found;
  }, []);

describe('docs/policies.md', () => {
  it.each(examples)('has an example of "$title" that lint finds nothing wrong with', ({ yaml }) => {
    expect(yaml).not.toBe('');
    const text = stringify({ ...REST, ...parse(yaml) });
    const { diagnostics } = loadGatewayConfig({ name: 'example', text, absolutePath: '/srv/gateway.yaml' });
    expect(diagnostics).toEqual([]);
  });
});
