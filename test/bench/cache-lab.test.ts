import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { loadGatewayConfig } from '../../src/config/gateway-config.ts';

type Request =
  | {
      readonly kind: 'read';
      readonly atMs: number;
      readonly user: number;
      readonly target: string;
      readonly again: boolean;
    }
  | { readonly kind: 'update'; readonly atMs: number; readonly id: number };

interface MixModule {
  readonly requestMix: (options: Readonly<Record<string, number>>) => readonly Request[];
  readonly digestOf: (mix: readonly Request[]) => string;
}

interface Variant {
  readonly id: string;
}

interface VariantsModule {
  readonly VARIANTS: readonly Variant[];
  readonly packFor: (variant: Variant, at: { upstreamPort: number; keysFile: string }) => object;
}

interface CustomersModule {
  readonly outcomeOf: (status: string | undefined) => string;
}

interface Figures {
  readonly id: string;
  readonly reads: number;
  readonly updates: number;
  readonly outcomes: Readonly<Record<string, number>>;
  readonly notModified: number;
  readonly hitRatio: number;
  readonly upstream: { readonly reads: number; readonly updates: number };
  readonly wrong: number;
  readonly faults: number;
}

interface Report {
  readonly digest: string;
  readonly flags: Readonly<Record<string, number>>;
  readonly figures: readonly Figures[];
  readonly broken: readonly string[];
}

const load = <Module>(name: string): Promise<Module> =>
  import(new URL(`../../bench/cache/${name}.mjs`, import.meta.url).href);
const { requestMix, digestOf } = await load<MixModule>('mix');
const { VARIANTS, packFor } = await load<VariantsModule>('variants');
const { outcomeOf } = await load<CustomersModule>('customers');

const OPTIONS = { seed: 7, seconds: 20, rate: 100, users: 30, products: 200, updates: 2 };
const RUN_MS = 120_000;

describe('the request mix of the cache lab', () => {
  const mix = requestMix(OPTIONS);
  const targets = mix.flatMap((each) => (each.kind === 'read' ? [each.target] : []));

  it('is the same for the same seed, and another for another', () => {
    expect(requestMix(OPTIONS)).toEqual(mix);
    expect(digestOf(requestMix(OPTIONS))).toBe(digestOf(mix));
    expect(digestOf(requestMix({ ...OPTIONS, seed: 8 }))).not.toBe(digestOf(mix));
  });

  it('asks in the order of time, at about its rates, for popular products most', () => {
    const moments = mix.map(({ atMs }) => atMs);
    expect(moments).toEqual(moments.toSorted((a, b) => a - b));
    expect(moments.at(-1)).toBeLessThan(20_000);
    // Poisson: four standard deviations are 180 and 26.
    expect(Math.abs(targets.length - 2_000)).toBeLessThan(180);
    expect(Math.abs(mix.length - targets.length - 40)).toBeLessThan(26);
    const counts = new Map<string, number>();
    for (const target of targets) {
      const path = target.split('?')[0] ?? '';
      if (path !== '/catalog/products') counts.set(path, (counts.get(path) ?? 0) + 1);
    }
    const [first = 0, second = 0] = [...counts.values()].toSorted((a, b) => b - a);
    expect(first).toBeGreaterThan(targets.length / 12);
    expect(second).toBeLessThan(first);
  });

  it('spells one page in many ways, which are one when sorted and without utm_*', () => {
    const plain = new Set(
      targets.map((target) => {
        const url = new URL(target, 'http://shop');
        for (const name of [...url.searchParams.keys()])
          if (name.startsWith('utm_')) url.searchParams.delete(name);
        url.searchParams.sort();
        return url.href;
      }),
    );
    expect(targets.some((target) => target.includes('utm_id='))).toBe(true);
    expect(plain.size * 1.5).toBeLessThan(new Set(targets).size);
  });

  it('has customers who come back to a page, for conditional requests', () => {
    const again = mix.filter((each) => each.kind === 'read' && each.again).length;
    expect(again / targets.length).toBeGreaterThan(0.2);
    expect(again / targets.length).toBeLessThan(0.35);
  });
});

describe('what the cache lab compares', () => {
  it.each(VARIANTS)('loads without a finding: $id', (variant) => {
    const text = JSON.stringify(
      packFor(variant, { upstreamPort: 9104, keysFile: '/srv/keys.json' }),
      null,
      2,
    );
    const { value, diagnostics } = loadGatewayConfig({
      name: 'pack.json',
      text,
      absolutePath: '/srv/pack.json',
    });
    expect(diagnostics).toEqual([]);
    expect(value).not.toBeNull();
  });

  it('is the pack as shipped but for addresses, keys, log and what updates drop', () => {
    const pack = parse(readFileSync('proxy/pack.yaml', 'utf8'));
    const tags = VARIANTS.find(({ id }) => id === 'tags');
    if (tags === undefined) expect.fail('no such variant');
    pack.routes.find(({ name }: { name: string }) => name === 'catalog-update').purgeOnSuccess = false;
    expect(packFor(tags, { upstreamPort: 1, keysFile: 'keys.json' })).toMatchObject({
      routes: pack.routes,
      policies: pack.policies,
    });
  });

  it.each([
    [undefined, 'none'],
    ['sluice; hit; ttl=12', 'hit'],
    ['sluice; hit; ttl=-3', 'stale'],
    ['sluice; fwd=stale; fwd-status=304; ttl=30; stored', 'revalidated'],
    ['sluice; fwd=uri-miss; ttl=30; stored', 'miss'],
    ['sluice; fwd=uri-miss; ttl=30; collapsed', 'collapsed'],
  ])('reads Cache-Status %s as %s', (status, outcome) => {
    expect(outcomeOf(status)).toBe(outcome);
  });
});

describe('a small run of the cache lab', () => {
  let report: Report;
  let output = '';
  const of = (id: string): Figures => {
    const figures = report.figures.find((each) => each.id === id);
    if (figures === undefined) throw new Error(`no figures of ${id}`);
    return figures;
  };

  beforeAll(async () => {
    const size = '--seconds 4 --rate 50 --products 25 --updates 4 --render 5 --patience 60'.split(' ');
    const child = spawn(process.execPath, ['bench/cache/run.mjs', '--seed', '11', ...size], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        output += chunk.toString();
      });
    const [code] = await once(child, 'close');
    const path = /^raw figures: (.+)$/m.exec(output)?.[1];
    if (code !== 0 || path === undefined) throw new Error(`the lab ended with ${code}:\n${output}`);
    report = JSON.parse(readFileSync(join(process.cwd(), path), 'utf8'));
  }, RUN_MS);

  it('asks every variant for the sequence of its seed, and gets every answer', () => {
    const mix = requestMix({ ...OPTIONS, ...report.flags });
    expect(report.digest).toBe(digestOf(mix));
    const reads = mix.filter(({ kind }) => kind === 'read').length;
    for (const figures of report.figures) {
      expect([figures.id, figures.reads, figures.updates, figures.faults]).toEqual([
        figures.id,
        reads,
        mix.length - reads,
        0,
      ]);
      expect(Object.values(figures.outcomes).reduce((sum, count) => sum + count)).toBe(reads);
    }
    expect(report.broken).toEqual([]);
  });

  it('finds what a cache, normalised keys and purges are for', () => {
    expect(of('no-cache').hitRatio).toBe(0);
    expect(of('no-cache').upstream.reads).toBe(of('no-cache').reads);
    expect(of('tags').hitRatio).toBeGreaterThan(of('raw-keys').hitRatio);
    expect(of('tags').upstream.reads).toBeLessThan(of('raw-keys').upstream.reads);
    expect(['no-cache', 'raw-keys', 'on-success', 'tags'].map((id) => of(id).wrong)).toEqual([0, 0, 0, 0]);
    expect(of('no-purges').wrong).toBeGreaterThan(0);
  });

  it('counts at the upstream what the variants say that they forwarded', () => {
    for (const { outcomes, reads, upstream } of report.figures) {
      const { hit = 0, stale = 0, collapsed = 0 } = outcomes;
      // What is answered stale may be renewed in the background, once for several of them.
      expect(upstream.reads).toBeGreaterThanOrEqual(reads - hit - collapsed - stale);
      expect(upstream.reads).toBeLessThanOrEqual(reads - hit - collapsed);
    }
  });

  it('prints its table', () => {
    expect(output).toMatch(/variant +requests +hit ratio +stale share +p50 ms +p99 ms +upstream requests/);
    expect(output).toContain('all promises kept');
    expect(output).toContain('command: npm run lab:cache -- --seed 11');
  });
});
