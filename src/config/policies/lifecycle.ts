/**
 * The `lifecycle` policy: its shape in YAML, its defaults, and what does not fit together. Knows no requests; the
 * fields are made in `core/policy/lifecycle.ts`.
 * @module
 */

import * as z from 'zod';
import type { LifecyclePolicy } from '../../core/policy/lifecycle.ts';
import { httpUrl } from '../primitives.ts';
import type { Path, YamlSource } from '../yaml-source.ts';
import { parseMoment } from '../zoned-time.ts';

const moment = z
  .string({ error: 'expected a date such as 2026-06-30, or an instant such as 2026-06-30T12:00:00Z' })
  .meta({
    description: 'A date (its first moment in UTC) or an RFC 3339 instant.',
    examples: ['2026-06-30'],
  })
  .transform((text, context) => {
    const found = parseMoment(text, 'UTC');
    if (found !== undefined) return Math.floor(found.fromMs / 1000) * 1000;
    context.addIssue({
      code: 'custom',
      message: `expected a date such as 2026-06-30, or an instant such as 2026-06-30T12:00:00Z, got "${text}"`,
    });
    return z.NEVER;
  });

/** What may stand between `<` and `>` of a Link field. */
const IN_LINK = /^[\x21\x23-\x3b\x3d\x3f-\x5b\x5d\x5f\x61-\x7a\x7e]+$/;
const NOT_IN_LINK = 'expected a URL without spaces, quotes, angle brackets or letters outside ASCII';

const lifecycle = z.strictObject({
  deprecated: moment.optional().meta({ description: 'From when on it is deprecated; past or to come.' }),
  sunset: moment.optional().meta({ description: 'When it may stop working. Default: not known.' }),
  link: httpUrl
    .regex(IN_LINK, { error: NOT_IN_LINK })
    .optional()
    .meta({ description: 'Page that tells clients what to do.' }),
  successor: z
    .union([httpUrl, z.string().regex(/^\//)], { error: 'expected an http(s) URL or a path such as /v2' })
    .refine((text) => IN_LINK.test(text), { error: NOT_IN_LINK })
    .optional()
    .meta({ description: 'Where the next version is: a URL, or a path.' }),
  goneAfterSunset: z
    .boolean()
    .optional()
    .meta({ description: 'After the sunset, requests get 410. Default false.' }),
});

export const lifecycleField = z
  .union([lifecycle, z.literal(false)])
  .optional()
  .meta({ description: 'Deprecation and sunset of what the route serves; false for none.' });

export type LifecycleYaml = z.output<typeof lifecycleField>;

/** `over` wins field by field. */
export function mergeLifecycle(base: LifecycleYaml, over: LifecycleYaml): LifecycleYaml {
  return base && over ? { ...base, ...over } : (over ?? base);
}

export function completeLifecycle(yaml: LifecycleYaml): LifecyclePolicy | null {
  if (!yaml) return null;
  return {
    deprecatedMs: yaml.deprecated ?? 0,
    sunsetMs: yaml.sunset ?? null,
    link: yaml.link ?? null,
    successor: yaml.successor ?? null,
    goneAfterSunset: yaml.goneAfterSunset ?? false,
  };
}

/** What only shows once a route has its policy. `merged`: what the route says together with it. */
export function checkRouteLifecycle(
  source: YamlSource,
  index: number,
  route: { readonly policy?: string | undefined; readonly lifecycle?: LifecycleYaml },
  ofPolicy: LifecycleYaml,
  merged: LifecycleYaml,
): void {
  if (!merged) return;
  const { deprecated, sunset, goneAfterSunset } = merged;
  const placeOf = (key: keyof typeof merged): Path => {
    if (route.lifecycle && key in route.lifecycle) return ['routes', index, 'lifecycle', key];
    const here = ofPolicy && key in ofPolicy && route.policy !== undefined;
    if (here) return ['policies', route.policy ?? '', 'lifecycle', key];
    return ['routes', index, route.lifecycle ? 'lifecycle' : 'policy'];
  };
  const error = (key: keyof typeof merged, message: string, hint?: string): void =>
    source.findings.error(source.valueRange(placeOf(key)), message, hint);
  if (deprecated === undefined) {
    const at = source.keyRange(['routes', index, route.lifecycle ? 'lifecycle' : 'policy']);
    source.findings.error(at, 'this lifecycle has no date of deprecation', 'add deprecated: 2026-06-30');
    return;
  }
  if (sunset !== undefined && sunset < deprecated)
    error('sunset', 'the sunset comes before the deprecation (RFC 9745 §4)');
  if (goneAfterSunset === true && sunset === undefined)
    error('goneAfterSunset', 'there is no sunset after which it could be gone', 'add sunset: 2026-12-31');
}
