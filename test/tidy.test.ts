import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { describe, expect, it } from 'vitest';

/** What each part of src may import beside itself: the one direction of docs/architecture.md. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  core: [],
  config: ['core'],
  ports: ['core', 'config'],
  telemetry: ['core'],
  adapters: ['core', 'config', 'ports', 'telemetry'],
  gateway: ['core', 'config', 'ports', 'telemetry'],
  operator: ['core', 'config', 'ports', 'telemetry'],
  api: ['core', 'config', 'ports', 'telemetry'],
  cli: ['core', 'config', 'ports', 'telemetry'],
  demo: ['core'],
  bin: ['core', 'config', 'ports', 'telemetry', 'adapters', 'gateway', 'operator', 'api', 'cli', 'demo'],
};
const CORE_ORDER: Readonly<Record<string, readonly string[]>> = {
  domain: ['analysis/histogram.ts'],
  split: ['domain'],
  policy: ['domain', 'split/hash.ts'],
  analysis: ['domain'],
  rollout: ['domain', 'analysis'],
  view: ['domain', 'analysis', 'rollout'],
};
const MAX_LINES = 300;
const BANNED_NAMES = /^(utils?|helpers?|common|misc|types)(\.ts)?$/;

function filesBelow(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    if (name === 'node_modules' || name.startsWith('.')) return [];
    return statSync(path).isDirectory() ? filesBelow(path) : [path];
  });
}

const sources = filesBelow('src').filter((path) => path.endsWith('.ts'));
const text = new Map(sources.map((path) => [path, readFileSync(path, 'utf8')]));

interface Import {
  readonly from: string;
  /** Path below the root for a relative import, else the package. */
  readonly to: string;
  readonly relative: boolean;
}

const imports: readonly Import[] = sources.flatMap((from) => {
  const specifiers = [
    ...(text.get(from) as string).matchAll(
      /^(?:import|export)\s[^;]*?from\s+'([^']+)';|^import\s+'([^']+)';/gm,
    ),
  ];
  return specifiers.map((match) => {
    const specifier = (match[1] ?? match[2]) as string;
    const isRelative = specifier.startsWith('.');
    return {
      from,
      to: isRelative ? normalize(join(dirname(from), specifier)) : specifier,
      relative: isRelative,
    };
  });
});

const withoutComments = (source: string): string => source.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');
const partOf = (path: string): string => relative('src', path).split('/')[0] as string;
const corePartOf = (path: string): string => relative('src/core', path).split('/')[0] as string;
const show = ({ from, to }: Import): string => `${from} → ${to}`;

describe('the source tree', () => {
  it('finds its own imports', () => {
    expect(imports.length).toBeGreaterThan(200);
    expect(new Set(sources.map(partOf))).toEqual(new Set(Object.keys(MAY_IMPORT)));
  });

  it('imports in one direction only', () => {
    const wrong = imports.filter((each) => {
      if (!each.relative) return false;
      const [from, to] = [partOf(each.from), partOf(each.to)];
      return from !== to && !MAY_IMPORT[from]?.includes(to);
    });
    expect(wrong.map(show)).toEqual([]);
  });

  it('keeps the core pure: no package, no node module, no clock, no randomness', () => {
    const packages = imports.filter((each) => partOf(each.from) === 'core' && !each.relative);
    expect(packages.map(show)).toEqual([]);
    const impure = sources.filter(
      (path) =>
        partOf(path) === 'core' &&
        /\b(Date\.now|Math\.random|new Date\(\)|performance\.|process\.|setTimeout|setInterval)\b/.test(
          text.get(path) as string,
        ),
    );
    expect(impure).toEqual([]);
  });

  it('orders the parts of the core', () => {
    const wrong = imports.filter((each) => {
      if (partOf(each.from) !== 'core' || !each.relative) return false;
      const [from, to] = [corePartOf(each.from), corePartOf(each.to)];
      const allowed = CORE_ORDER[from] ?? [];
      return from !== to && !allowed.includes(to) && !allowed.includes(relative('src/core', each.to));
    });
    expect(wrong.map(show)).toEqual([]);
  });

  it('reads the environment and arguments only in bin', () => {
    const readers = sources.filter(
      (path) =>
        partOf(path) !== 'bin' &&
        /\bprocess\.(env|argv|exit\b)/.test(withoutComments(text.get(path) as string)),
    );
    expect(readers).toEqual(['src/demo/sluice-child.ts']);
  });

  it('has no import cycle', () => {
    const next = new Map<string, string[]>(sources.map((path) => [path, []]));
    for (const each of imports) if (each.relative) next.get(each.from)?.push(each.to);
    const state = new Map<string, 'open' | 'done'>();
    const cycles: string[] = [];
    const visit = (path: string, trail: readonly string[]): void => {
      if (state.get(path) === 'done') return;
      if (state.get(path) === 'open') {
        cycles.push([...trail.slice(trail.indexOf(path)), path].join(' → '));
        return;
      }
      state.set(path, 'open');
      for (const to of next.get(path) ?? []) visit(to, [...trail, path]);
      state.set(path, 'done');
    };
    for (const path of sources) visit(path, []);
    expect(cycles).toEqual([]);
  });

  it(`has no file over ${MAX_LINES} lines`, () => {
    const long = sources.filter((path) => (text.get(path) as string).split('\n').length > MAX_LINES + 1);
    expect(long).toEqual([]);
  });

  it('opens every file with what it owns', () => {
    const silent = sources.filter(
      (path) => !/^(#!.*\n)?\/\*\*[\s\S]*?@module/.test(text.get(path) as string),
    );
    expect(silent).toEqual([]);
  });

  it('has no folder or file that is named for nothing', () => {
    expect(sources.flatMap((path) => path.split('/')).filter((name) => BANNED_NAMES.test(name))).toEqual([]);
  });

  it('leaves nothing unfinished or silenced', () => {
    const marks = /\b(TODO|FIXME|XXX|HACK)\b|not implemented|@ts-(ignore|expect-error|nocheck)|biome-ignore/i;
    expect(sources.filter((path) => marks.test(text.get(path) as string))).toEqual([]);
    const casts = /\bas any\b/;
    expect(sources.filter((path) => casts.test(withoutComments(text.get(path) as string)))).toEqual([]);
  });
});

describe('the tests', () => {
  it('skip and focus nothing', () => {
    const marks = /\b(it|test|describe)\.(skip|todo|only|skipIf|runIf)\b/;
    const files = filesBelow('test').filter((path) => path.endsWith('.ts') && path !== 'test/tidy.test.ts');
    expect(files.filter((path) => marks.test(readFileSync(path, 'utf8')))).toEqual([]);
  });

  it('name no path of one machine', () => {
    const files = [...sources, ...filesBelow('test'), ...filesBelow('docs')].filter(
      (path) => path !== 'test/tidy.test.ts',
    );
    expect(files.filter((path) => /\/(work|root|farm)\/[a-z]/.test(readFileSync(path, 'utf8')))).toEqual([]);
  });
});
