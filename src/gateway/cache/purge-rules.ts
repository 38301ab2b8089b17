/**
 * The purges that a route's successful unsafe requests make: compiled once, filled in per request. Knows neither when
 * they are due nor how they travel.
 * @module
 */

import type { PathMatch } from '../../config/gateway-model.ts';
import type { PurgeRule } from '../../config/policies/purge-on-success.ts';
import { flawOfPurge, type Purge } from '../../core/policy/cache/purge.ts';
import { canonicalPath } from '../../core/policy/request-target.ts';
import { fillTemplate, urlSafe } from '../../core/policy/transform/text-template.ts';
import type { TransformSubject } from '../transform/transform-model.ts';
import { segmentsOf, variableValue } from '../transform/variables.ts';

/** Null when a variable has no value, or when what comes out is no path or no tag. */
export type PurgeMaker = (subject: TransformSubject) => Purge | null;

export function compilePurgeRules(
  rules: readonly PurgeRule[],
  route: PathMatch,
  service: string,
): readonly PurgeMaker[] {
  const segments = segmentsOf(route);
  return rules.map(({ by, value: template }) => (subject) => {
    const filled = fillTemplate(
      template,
      (variable) => {
        const value = variableValue(subject, variable, segments);
        // With a hole in it a prefix would be one of much more.
        if (value === undefined || value === '') return undefined;
        if (by === 'tag' || variable.scope === 'request.path') return value;
        return urlSafe(value);
      },
      (value) => value,
    );
    if (filled === undefined) return null;
    const value = by === 'tag' ? filled : canonicalPath(filled);
    const purge: Purge | null = value === undefined ? null : { by, value, service };
    return purge === null || flawOfPurge(purge) !== null ? null : purge;
  });
}
