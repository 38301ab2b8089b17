/**
 * The `segments` of a service: by which parts of its traffic gateways count attempts apart, so that a regression of one
 * part is found. Shape, default and what does not fit together; counts nothing.
 * @module
 */

import * as z from 'zod';
import { headerName } from '../primitives.ts';
import type { Path, YamlSource } from '../yaml-source.ts';

const dimension = z.string().regex(/^[a-z][a-z0-9_-]{0,31}$/, {
  error: 'expected a short name in lower case, such as tier',
});
/** Listed, so that no client can make up segments. */
const values = z
  .array(z.string().min(1).max(64))
  .min(1)
  .max(16)
  .meta({ description: 'Values that are told apart; requests with others are in no segment of this name.' });

const segmentSource = z.union(
  [
    z.enum(['endpoint', 'route', 'method']),
    z.strictObject({ name: dimension, claim: z.string().min(1).max(64), values }),
    z.strictObject({ name: dimension, header: headerName, values }),
  ],
  {
    error:
      'expected one of endpoint, route, method, { name: tier, claim: plan, values: [free, gold] }, { name: region, header: x-region, values: [eu, us] }',
  },
);

export type SegmentSource = z.output<typeof segmentSource>;

export const segmentsField = z.array(segmentSource).max(8).optional().meta({
  description:
    'Parts of the traffic in which rollouts compare versions, too, and tell one bad endpoint from a bad version. Default: [endpoint, route]; [] for none.',
});

const DEFAULT: readonly SegmentSource[] = ['endpoint', 'route'];

export function completeSegments(yaml: readonly SegmentSource[] | undefined): readonly SegmentSource[] {
  return yaml ?? DEFAULT;
}

/** `path`: of the list. Two dimensions of one name could not be told apart. */
export function checkSegments(
  source: YamlSource,
  path: Path,
  yaml: readonly SegmentSource[] | undefined,
): void {
  const seen = new Set<string>();
  for (const [at, each] of (yaml ?? []).entries()) {
    const name = typeof each === 'string' ? each : each.name;
    if (seen.has(name))
      source.findings.error(source.valueRange([...path, at]), `the segments name "${name}" twice`);
    const builtIn =
      typeof each !== 'string' && (name === 'endpoint' || name === 'route' || name === 'method');
    if (builtIn)
      source.findings.error(
        source.valueRange([...path, at, 'name']),
        `"${name}" is built in and needs no claim or header`,
      );
    seen.add(name);
  }
}
