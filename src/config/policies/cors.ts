/**
 * The `cors` policy: its shape in YAML, its defaults, and what must not stand together. Knows no requests; which
 * origin may do what is decided in `core/policy/transform/cors.ts`.
 * @module
 */

import * as z from 'zod';
import type { CorsPolicy } from '../../core/policy/transform/cors.ts';
import { duration, headerName } from '../primitives.ts';
import type { Path, YamlSource } from '../yaml-source.ts';

const DAY = 86_400_000;
const HOST = String.raw`(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*|\[[0-9a-f:.]+\])`;
const EXACT = new RegExp(String.raw`^https?://${HOST}(?::\d{1,5})?$`);
const BELOW = new RegExp(String.raw`^(https?://)\*(\.${HOST}\.${HOST}(?::\d{1,5})?)$`);

const method = z.enum(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

const origin = z
  .string({ error: 'expected an origin such as https://shop.example' })
  .refine((text) => text === '*' || EXACT.test(text) || BELOW.test(text), {
    error:
      'expected an origin such as https://shop.example, https://*.shop.example, or * (lower case, no path)',
  });

const cors = z.strictObject({
  origins: z.array(origin).min(1).max(256).meta({
    description: 'Who may read: exact origins, https://*.shop.example for all below it, or * for all.',
  }),
  methods: z.array(method).min(1).optional().meta({
    description: 'What a preflight allows. Default: GET, HEAD, POST, PUT, PATCH, DELETE.',
  }),
  headers: z
    .union([z.literal('*'), z.array(headerName).max(64)])
    .optional()
    .meta({
      description:
        'Request headers that a preflight allows; * for whatever is asked. Default: authorization, content-type, idempotency-key.',
    }),
  expose: z.array(headerName).max(64).optional().meta({
    description: 'Response headers that scripts may read beside the safe ones. Default: x-request-id.',
  }),
  credentials: z.boolean().optional().meta({
    description: 'Cookies and HTTP authentication may be sent along. Never with origin *. Default false.',
  }),
  maxAge: duration(0, DAY).optional().meta({
    description: 'How long a browser may remember the answer to a preflight. Default 10m.',
  }),
});

export const corsField = z
  .union([cors, z.literal(false)])
  .optional()
  .meta({
    description:
      'Cross-origin requests of browsers: preflights are answered here, and the CORS headers of the upstream replaced; false for none.',
  });

export type CorsYaml = z.output<typeof corsField>;

const DEFAULT_METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;
const DEFAULT_HEADERS = ['authorization', 'content-type', 'idempotency-key'];
const DEFAULT_MAX_AGE_MS = 600_000;
/** A default port is not part of an origin as browsers write it. */
const DEFAULT_PORT = /^(http:\/\/.*):80$|^(https:\/\/.*):443$/;

export function completeCors(yaml: CorsYaml): CorsPolicy | null {
  if (!yaml) return null;
  const origins = yaml.origins.map((each) => each.replace(DEFAULT_PORT, '$1$2'));
  return {
    any: origins.includes('*'),
    exact: new Set(origins.filter((each) => EXACT.test(each))),
    below: origins.flatMap((each) => {
      const [, scheme, suffix] = BELOW.exec(each) ?? [];
      return scheme === undefined || suffix === undefined ? [] : [{ scheme, suffix }];
    }),
    methods: [...new Set(yaml.methods ?? DEFAULT_METHODS)],
    headers: yaml.headers === '*' ? null : new Set(yaml.headers ?? DEFAULT_HEADERS),
    expose: yaml.expose ?? ['x-request-id'],
    credentials: yaml.credentials ?? false,
    maxAgeS: Math.floor((yaml.maxAge ?? DEFAULT_MAX_AGE_MS) / 1000),
  };
}

export function checkCors(source: YamlSource, path: Path, written: CorsYaml): void {
  if (!written) return;
  const star = written.origins.indexOf('*');
  if (star >= 0 && written.credentials === true) {
    source.findings.error(
      source.valueRange([...path, 'cors', 'credentials']),
      'credentials cannot be allowed to every origin',
      'name the origins',
    );
  }
  if (star >= 0 && written.origins.length > 1) {
    source.findings.warning(
      source.valueRange([...path, 'cors', 'origins', star]),
      'with * the other origins make no difference',
    );
  }
}
