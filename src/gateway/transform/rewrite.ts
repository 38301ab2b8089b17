/**
 * Path and query for the upstream, from those of the client. Whatever a rule makes is brought into the one canonical
 * form that client paths have, or the request is refused: a rewrite never opens a way that routing would not.
 * @module
 */

import { RE2JS } from 're2js';
import type { PathMatch } from '../../config/gateway-model.ts';
import {
  dependsOnMoreThanPath,
  type PathRewrite,
  type RewritePolicy,
} from '../../config/policies/rewrite.ts';
import { parseTarget } from '../../core/policy/request-target.ts';
import { applyQueryRules } from '../../core/policy/transform/query-rules.ts';
import { fillTemplate, urlSafe } from '../../core/policy/transform/text-template.ts';
import type { CompiledRewrite, TransformSubject } from './transform-model.ts';
import { compileText, segmentsOf, variableValue } from './variables.ts';

type PathMaker = (subject: TransformSubject) => string | undefined;

export function compileRewrite(policy: RewritePolicy | null, route: PathMatch): CompiledRewrite | null {
  if (policy === null) return null;
  const makePath =
    policy.path === null ? (subject: TransformSubject) => subject.path : compilePath(policy.path, route);
  const { query } = policy;
  const set = (query?.set ?? []).map(({ name, value }) => ({
    name,
    fill: compileText(value, route, (each) => each),
  }));
  return {
    ofMoreThanPath: dependsOnMoreThanPath(policy),
    target: (subject) => {
      const path = makePath(subject);
      if (path === undefined || !path.startsWith('/') || path.includes('//')) return undefined;
      const canonical = parseTarget(path);
      if (canonical === undefined || canonical.query !== '' || path.includes('?')) return undefined;
      const values = set.map(({ name, fill }) => [name, fill(subject) ?? null] as const);
      const rest = query === null ? subject.query : applyQueryRules(subject.query, query, values);
      return canonical.path + rest;
    },
  };
}

function compilePath(rewrite: PathRewrite, route: PathMatch): PathMaker {
  switch (rewrite.kind) {
    case 'prefix': {
      const from = route.path === '/' ? 0 : route.path.length;
      return ({ path }) => {
        const rest = path.slice(from);
        return rewrite.to + (rest === '' && rewrite.to === '' ? '/' : rest);
      };
    }
    case 'path': {
      const segments = segmentsOf(route);
      return (subject) =>
        fillTemplate(
          rewrite.to,
          (variable) => {
            if (variable.scope !== 'param') {
              const value = variableValue(subject, variable, segments);
              return value === undefined || value === '' ? undefined : urlSafe(value);
            }
            // As it came: it is a canonical segment already.
            return subject.path.split('/')[segments.indexOf(`{${variable.name}}`)];
          },
          (value) => value,
        );
    }
    case 'regex': {
      const pattern = RE2JS.compile(rewrite.pattern);
      return ({ path }) => {
        const matcher = pattern.matcher(path);
        if (!matcher.find()) return path;
        const made = rewrite.to.replace(/\$(\$|\d)/g, (_all, group: string) =>
          group === '$' ? '$' : (matcher.group(Number(group)) ?? ''),
        );
        return path.slice(0, matcher.start()) + made + path.slice(matcher.end());
      };
    }
  }
}
