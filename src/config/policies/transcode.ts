/**
 * The `transcode` policy: JSON requests that become gRPC calls. Its shape, its defaults, and what does not fit together.
 * @module
 */

import { dirname, resolve } from 'node:path';
import * as z from 'zod';
import type { Path, YamlSource } from '../yaml-source.ts';
import { type MethodRule, ProtoProblem, readBindings } from './proto-file.ts';

const template = z.string().regex(/^\//, { error: 'expected a path template such as /orders/{id}' });

const rule = z
  .strictObject({
    get: template.optional(),
    put: template.optional(),
    post: template.optional(),
    delete: template.optional(),
    patch: template.optional(),
    body: z
      .string()
      .min(1)
      .optional()
      .meta({ description: 'Field that the body is; * for all. Default: none.' }),
    responseBody: z
      .string()
      .min(1)
      .optional()
      .meta({ description: 'Field of the answer that is sent. Default: all.' }),
  })
  .refine(({ body, responseBody, ...verbs }) => Object.values(verbs).some((path) => path !== undefined), {
    error: 'expected one of get, put, post, delete, patch',
  });

const transcode = z.strictObject({
  proto: z
    .string()
    .min(1)
    .meta({ description: '.proto file, relative to this one; imports are relative to it.' }),
  services: z
    .array(z.string().min(1))
    .min(1)
    .max(64)
    .optional()
    .meta({ description: 'Services in it, such as shop.Orders. Default: all.' }),
  methods: z
    .record(z.string().regex(/^[\w.]+\/\w+$/, { error: 'expected a method such as shop.Orders/Get' }), rule)
    .optional()
    .meta({ description: 'Mappings of methods, instead of their google.api.http options.' }),
  maxMessageBytes: z
    .int()
    .min(1)
    .max(67_108_864)
    .optional()
    .meta({ description: 'A larger message of the service is an error of it. Default 4 MiB.' }),
});

export const transcodeField = z
  .union([transcode, z.literal(false)])
  .optional()
  .meta({ description: 'Turns JSON requests into gRPC calls and their answers into JSON; false for not.' });

export type TranscodeYaml = z.output<typeof transcodeField>;

export interface TranscodePolicy {
  /** Absolute once the policy has met its route. */
  readonly proto: string;
  /** Null: all that have rules. */
  readonly services: readonly string[] | null;
  readonly methods: Readonly<Record<string, MethodRule>>;
  readonly maxMessageBytes: number;
}

const DEFAULT_MAX_MESSAGE_BYTES = 4_194_304;

export function completeTranscode(yaml: TranscodeYaml): TranscodePolicy | null {
  if (!yaml) return null;
  const { proto, services = null, methods = {}, maxMessageBytes = DEFAULT_MAX_MESSAGE_BYTES } = yaml;
  return { proto, services, methods, maxMessageBytes };
}

/** With the path that is relative to the configuration made absolute. */
export function placedTranscode(policy: TranscodePolicy | null, configPath: string): TranscodePolicy | null {
  return policy === null ? null : { ...policy, proto: resolve(dirname(configPath), policy.proto) };
}

/** Reads the files, so that those which cannot be used are found. */
export function checkTranscodeFile(source: YamlSource, path: Path, written: TranscodeYaml): void {
  const policy = completeTranscode(written);
  if (policy === null) return;
  try {
    readBindings({ ...policy, proto: resolve(dirname(source.file.absolutePath), policy.proto) });
  } catch (error) {
    if (!(error instanceof ProtoProblem)) throw error;
    const at = [...path, 'transcode'];
    const place =
      error.method === null
        ? source.valueRange([...at, 'proto'])
        : source.keyRange([...at, 'methods', error.method]);
    source.findings.error(place, error.message);
  }
}

/** Calls need HTTP/2, and their answers have no place in a cache of HTTP. */
export function checkRouteTranscode(
  source: YamlSource,
  at: Path,
  {
    transcode: policy,
    cache,
    idempotency,
  }: { transcode: TranscodePolicy | null; cache: unknown; idempotency: unknown },
  service:
    | { protocol?: string | undefined; versions: Readonly<Record<string, { protocol?: string | undefined }>> }
    | undefined,
): void {
  if (policy === null) return;
  const place = source.valueRange(at);
  if (cache !== null)
    source.findings.error(place, 'answers to transcoded calls cannot be cached; set cache: false');
  if (idempotency !== null) {
    source.findings.error(place, 'idempotency keys do not go with transcode; set idempotency: false');
  }
  for (const [version, { protocol }] of Object.entries(service?.versions ?? {})) {
    if ((protocol ?? service?.protocol) === 'h2') continue;
    source.findings.error(
      place,
      `transcode needs HTTP/2, but version "${version}" of its service speaks HTTP/1.1`,
      'set protocol: h2',
    );
    return;
  }
}
