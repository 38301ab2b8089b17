/**
 * The `rewrite` policy: its shape in YAML and its checks. Patterns are RE2 (linear time in the length of the path,
 * whatever they are); what a request becomes is decided by the data plane.
 * @module
 */

import { RE2JS } from 're2js';
import * as z from 'zod';
import { parseTemplate, type TextTemplate, variablesOf } from '../../core/policy/transform/text-template.ts';
import type { Path, YamlSource } from '../yaml-source.ts';
import { checkTemplate, type RoutePath } from './template-check.ts';

const PATH_TEXT = /^\/[^\s?#\\]*$/;
const parameter = z.string({ error: 'expected a parameter name' }).min(1).max(128);

const rewrite = z.strictObject({
  prefix: z
    .string()
    .regex(/^\/[\w.~!$&'()*+,;=:@/-]*$/, { error: 'expected a path such as /v2, or / for nothing' })
    .optional()
    .meta({ description: 'Stands in for the prefix that the route matches.' }),
  path: z
    .string()
    .regex(PATH_TEXT, { error: 'expected a path such as /catalog/items/{id}' })
    .max(1024)
    .optional()
    .meta({ description: 'The whole path; {id} is a parameter of the route’s path as it came.' }),
  regex: z
    .strictObject({
      pattern: z.string().min(1).max(512).meta({ description: 'RE2 syntax; its first match is replaced.' }),
      to: z
        .string()
        .max(1024)
        .meta({ description: 'What replaces it; $1 to $9 are groups, $$ is a dollar.' }),
    })
    .optional()
    .meta({ description: 'A path that does not match stays as it is.' }),
  query: z
    .strictObject({
      keep: z.array(parameter).max(64).optional().meta({ description: 'Only these parameters stay.' }),
      remove: z.array(parameter).max(64).optional(),
      rename: z.record(parameter, parameter).optional().meta({ description: 'Old name: new name.' }),
      set: z
        .record(parameter, z.string().max(4096))
        .optional()
        .meta({ description: 'Parameters with this one value; variables as in headers.' }),
    })
    .optional(),
});

export const rewriteField = z
  .union([rewrite, z.literal(false)])
  .optional()
  .meta({
    description: 'Path and query that the upstream gets instead of the client’s; false for the same.',
  });

export type RewriteYaml = z.output<typeof rewriteField>;

export type PathRewrite =
  | { readonly kind: 'prefix'; readonly to: string }
  | { readonly kind: 'path'; readonly to: TextTemplate }
  | { readonly kind: 'regex'; readonly pattern: string; readonly to: string };

export interface RewritePolicy {
  readonly path: PathRewrite | null;
  readonly query: {
    readonly keep: ReadonlySet<string> | null;
    readonly remove: ReadonlySet<string>;
    readonly rename: ReadonlyMap<string, string>;
    readonly set: readonly { readonly name: string; readonly value: TextTemplate }[];
  } | null;
}

export function completeRewrite(yaml: RewriteYaml): RewritePolicy | null {
  if (!yaml) return null;
  const { query } = yaml;
  return {
    path: completePath(yaml),
    query:
      query === undefined
        ? null
        : {
            keep: query.keep === undefined ? null : new Set(query.keep),
            remove: new Set(query.remove),
            rename: new Map(Object.entries(query.rename ?? {})),
            set: Object.entries(query.set ?? {}).map(([name, text]) => ({
              name,
              value: parseTemplate(text).template,
            })),
          },
  };
}

function completePath(yaml: Exclude<RewriteYaml, false | undefined>): PathRewrite | null {
  if (yaml.prefix !== undefined) return { kind: 'prefix', to: yaml.prefix.replace(/\/+$/, '') };
  if (yaml.path !== undefined) return { kind: 'path', to: parseTemplate(withParameters(yaml.path)).template };
  return yaml.regex === undefined ? null : { kind: 'regex', ...yaml.regex };
}

/** `{id}` is short for the variable `param.id`; both have the same meaning in a path. */
function withParameters(path: string): string {
  return path.replace(/(?<!\$)\{(\w+)\}/g, (_all, name: string) => `\${param.${name}}`);
}

export function templatesOfRewrite({ path, query }: RewritePolicy): readonly TextTemplate[] {
  return [...(path?.kind === 'path' ? [path.to] : []), ...(query?.set ?? []).map(({ value }) => value)];
}

/** Compiles a pattern; the message of what is wrong with it, or undefined. */
export function patternProblem(pattern: string): string | undefined {
  try {
    RE2JS.compile(pattern);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

export function checkRewrite(source: YamlSource, path: Path, written: RewriteYaml): void {
  if (!written) return;
  const at: Path = [...path, 'rewrite'];
  const ways = (['prefix', 'path', 'regex'] as const).filter((way) => written[way] !== undefined);
  const [, second] = ways;
  if (second !== undefined) {
    source.findings.error(
      source.keyRange([...at, second]),
      `expected one of prefix, path and regex, got ${ways.join(' and ')}`,
    );
  }
  if (written.path !== undefined) {
    for (const name of written.path.matchAll(/(?<!\$)\{([^{}]*)\}/g)) {
      if (/^\w+$/.test(name[1] ?? '')) continue;
      source.findings.error(
        source.partRange([...at, 'path'], name.index, name[0].length),
        `expected a parameter such as {id}, got "${name[0]}"`,
      );
    }
    checkTemplate(source, [...at, 'path'], written.path);
  }
  if (written.regex !== undefined) checkRegex(source, [...at, 'regex'], written.regex);
  for (const [name, text] of Object.entries(written.query?.set ?? {})) {
    checkTemplate(source, [...at, 'query', 'set', name], text);
  }
}

function checkRegex(source: YamlSource, at: Path, regex: { pattern: string; to: string }): void {
  const problem = patternProblem(regex.pattern);
  if (problem !== undefined) {
    source.findings.error(source.valueRange([...at, 'pattern']), `this is no RE2 pattern: ${problem}`);
    return;
  }
  const groups = RE2JS.compile(regex.pattern).groupCount();
  for (const reference of regex.to.matchAll(/\$(\$|\d?)/g)) {
    const [text, group = ''] = reference;
    if (group === '$' || (group !== '' && group !== '0' && Number(group) <= groups)) continue;
    source.findings.error(
      source.partRange([...at, 'to'], reference.index, text.length),
      group === '' ? 'expected $1 to $9 or $$' : `the pattern has ${groups} groups, so there is no ${text}`,
    );
  }
}

/** What can only be judged with the path of the route. `place` is the route's name. */
export function checkRewriteRoute(
  source: YamlSource,
  place: Path,
  route: { readonly name: string; readonly path: RoutePath },
  policy: RewritePolicy | null,
): void {
  if (policy?.path?.kind !== 'prefix' || route.path.kind === 'prefix') return;
  source.findings.error(
    source.valueRange(place),
    `the route "${route.name}" matches a path, so there is no prefix to rewrite`,
    'use rewrite: { path: … }',
  );
}

/** Whether the same URL of a client may become different ones upstream. */
export function dependsOnMoreThanPath(policy: RewritePolicy): boolean {
  return templatesOfRewrite(policy)
    .flatMap(variablesOf)
    .some(({ scope }) => scope !== 'param' && scope !== 'request.path' && scope !== 'route.name');
}
