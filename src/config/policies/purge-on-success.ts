/**
 * The `purgeOnSuccess` policy: its shape in YAML, merging, and what does not fit together. Templates are parsed here, so
 * that a bad one has its place in the file; they are filled in by the data plane.
 * @module
 */

import * as z from 'zod';
import { isSafe } from '../../core/policy/cache/invalidation.ts';
import type { PurgeKind } from '../../core/policy/cache/purge.ts';
import { canonicalPath } from '../../core/policy/request-target.ts';
import { parseTemplate, type TextTemplate } from '../../core/policy/transform/text-template.ts';
import type { Path, YamlSource } from '../yaml-source.ts';
import { checkRouteVariables, checkTemplate, type RoutePath } from './template-check.ts';

const MAX_RULES = 16;

/** What paths are made of, before variables are filled in. */
const pathText = z
  .string({ error: 'expected a path such as /catalog' })
  .regex(/^(?:\/|\$\{)[\x21-\x7e]*$/, { error: `expected a path such as /catalog/\${param.id}` })
  .regex(/^[^?#\\]*$/, { error: 'expected a path without query: each query is purged' })
  .max(1024);

const tagText = z
  .string({ error: `expected a tag such as product-\${param.id}` })
  .regex(/^[^\s,]+$/, { error: 'expected a tag without spaces and commas' })
  .max(1024);

const purgeOnSuccess = z.strictObject({
  paths: z.array(pathText).max(MAX_RULES).optional().meta({
    description: 'Paths, each with every query; may hold variables of the request.',
  }),
  prefixes: z.array(pathText).max(MAX_RULES).optional().meta({
    description: 'Paths with everything below them, by whole segments; may hold variables of the request.',
  }),
  tags: z.array(tagText).max(MAX_RULES).optional().meta({
    description: 'Tags of stored responses; may hold variables of the request.',
  }),
});

export const purgeOnSuccessField = z
  .union([purgeOnSuccess, z.literal(false)])
  .optional()
  .meta({
    description:
      'What else of the service’s stored responses a successful unsafe request drops, in all gateways; false for nothing. Default: nothing.',
  });

export type PurgeOnSuccessYaml = z.output<typeof purgeOnSuccessField>;

export interface PurgeRule {
  readonly by: Exclude<PurgeKind, 'url'>;
  readonly value: TextTemplate;
}

/** `over` wins list by list; `false` switches inherited purges off. */
export function mergePurgeOnSuccess(base: PurgeOnSuccessYaml, over: PurgeOnSuccessYaml): PurgeOnSuccessYaml {
  return base && over ? { ...base, ...over } : (over ?? base);
}

export function completePurgeOnSuccess(yaml: PurgeOnSuccessYaml): readonly PurgeRule[] {
  if (!yaml) return [];
  const rules = (by: PurgeRule['by'], texts: readonly string[] = []): PurgeRule[] =>
    texts.map((text) => ({ by, value: parseTemplate(text).template }));
  return [...rules('path', yaml.paths), ...rules('prefix', yaml.prefixes), ...rules('tag', yaml.tags)];
}

export function checkPurgeOnSuccess(source: YamlSource, path: Path, written: PurgeOnSuccessYaml): void {
  if (!written) return;
  const at: Path = [...path, 'purgeOnSuccess'];
  for (const list of ['paths', 'prefixes', 'tags'] as const) {
    for (const [index, text] of (written[list] ?? []).entries()) {
      checkTemplate(source, [...at, list, index], text);
      if (list !== 'tags') checkPath(source, [...at, list, index], text);
    }
  }
}

function checkPath(source: YamlSource, at: Path, text: string): void {
  const [first, ...rest] = parseTemplate(text).template;
  if (typeof first === 'object' && first.scope !== 'request.path') {
    source.findings.error(
      source.partRange(at, first.offset, first.length),
      `expected a path: of all variables only \${request.path} begins with /`,
    );
  } else if (typeof first === 'string' && rest.length === 0 && canonicalPath(first) === undefined) {
    source.findings.error(source.valueRange(at), `no request has the path "${first}"`);
  }
}

/** What can only be judged once a policy has met its route. `path` is the route's. */
export function checkRoutePurges(
  source: YamlSource,
  path: Path,
  route: {
    readonly name: string;
    readonly path: RoutePath;
    readonly authenticated: boolean;
    readonly methods: readonly string[] | undefined;
  },
  rules: readonly PurgeRule[],
): void {
  if (rules.length === 0) return;
  checkRouteVariables(
    source,
    [...path, 'name'],
    route,
    rules.map(({ value }) => value),
  );
  if (route.methods?.every(isSafe) !== true) return;
  source.findings.warning(
    source.valueRange([...path, 'name']),
    `the route "${route.name}" purges nothing: it has no method that changes anything`,
    'purgeOnSuccess belongs to the routes of POST, PUT, PATCH and DELETE',
  );
}
