import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { loadGatewayConfig } from '../../src/config/gateway-config.ts';
import { loadRolloutPlan } from '../../src/config/rollout-config.ts';

const FOLDER = new URL('../../docs/policies/', import.meta.url);
const INDEX = readFileSync(new URL('../../docs/policies.md', import.meta.url), 'utf8');

/** What an example leaves out. */
const REST = {
  listeners: [{ address: '127.0.0.1:8080' }],
  services: { orders: { versions: { v1: { endpoints: ['http://127.0.0.1:9001'] } } } },
  routes: [{ name: 'orders', match: { prefix: '/orders' }, service: 'orders' }],
};

interface Section {
  page: string;
  title: string;
  yaml: string;
}

function sectionsOf(page: string): Section[] {
  const text = readFileSync(new URL(page, FOLDER), 'utf8');
  const sections: Section[] = [];
  for (const { groups } of text.matchAll(/^## (?<title>.*)$|^```yaml\n(?<yaml>[\s\S]*?)^```$/gm)) {
    const last = sections.at(-1);
    if (groups?.title !== undefined) sections.push({ page, title: groups.title, yaml: '' });
    else if (last) last.yaml = groups?.yaml ?? '';
  }
  return sections;
}

const sections = readdirSync(FOLDER).flatMap(sectionsOf);

describe('docs/policies', () => {
  it.each(sections)('$page has an example of "$title" that lint finds nothing wrong with', ({ yaml }) => {
    expect(yaml).not.toBe('');
    const text = stringify({ ...REST, ...parse(yaml) });
    if (Object.hasOwn(Object(parse(yaml)), 'rollout')) {
      const rollout = { name: 'example', text: yaml, absolutePath: '/srv/rollouts/orders-v2.yaml' };
      expect(loadRolloutPlan(rollout, null, null).diagnostics).toEqual([]);
      return;
    }
    const { diagnostics } = loadGatewayConfig({ name: 'example', text, absolutePath: '/srv/gateway.yaml' });
    expect(diagnostics).toEqual([]);
  });

  it.each(sections)('the index names "$title"', ({ page, title }) => {
    expect(INDEX).toContain(`[${title}](policies/${page}#${title.toLowerCase().replaceAll(' ', '-')})`);
  });
});
