/**
 * Everything that changes requests and responses on their way, gathered: shapes, merging, defaults, checks. Each
 * policy has a file of its own next door; knows no data plane.
 * @module
 */

import type { CorsPolicy } from '../../core/policy/transform/cors.ts';
import type { TextTemplate } from '../../core/policy/transform/text-template.ts';
import type { Path, YamlSource } from '../yaml-source.ts';
import {
  type CompressPolicy,
  type CompressYaml,
  completeCompress,
  compressField,
  mergeCompress,
} from './compress.ts';
import { type CorsYaml, checkCors, completeCors, corsField } from './cors.ts';
import {
  checkHeaders,
  completeHeaders,
  type HeaderEdits,
  type HeadersPolicy,
  type HeadersYaml,
  headersField,
  mergeHeaders,
} from './headers.ts';
import {
  checkJson,
  completeJson,
  completeStatus,
  type JsonPolicy,
  type JsonYaml,
  jsonField,
  type StatusPolicy,
  type StatusYaml,
  statusField,
  templatesOfJson,
} from './json-map.ts';
import { checkRouteStream } from './json-stream.ts';
import {
  checkRewrite,
  checkRewriteRoute,
  completeRewrite,
  type RewritePolicy,
  type RewriteYaml,
  rewriteField,
  templatesOfRewrite,
} from './rewrite.ts';
import { checkRouteVariables, type RoutePath } from './template-check.ts';
import { checkXml, completeXml, type XmlPolicy, type XmlYaml, xmlField } from './xml.ts';

export const transformFields = {
  cors: corsField,
  headers: headersField,
  rewrite: rewriteField,
  json: jsonField,
  xml: xmlField,
  status: statusField,
  compress: compressField,
};

export interface TransformYaml {
  cors?: CorsYaml;
  headers?: HeadersYaml;
  rewrite?: RewriteYaml;
  json?: JsonYaml;
  xml?: XmlYaml;
  status?: StatusYaml;
  compress?: CompressYaml;
}

/** Null: the route does none of it. */
export interface TransformPolicy {
  readonly cors: CorsPolicy | null;
  readonly headers: HeadersPolicy | null;
  readonly rewrite: RewritePolicy | null;
  readonly json: JsonPolicy | null;
  readonly xml: XmlPolicy | null;
  readonly status: StatusPolicy | null;
  readonly compress: CompressPolicy | null;
}

/** Policies that are one decision are replaced whole. */
function replace<Value>(base: Value, over: Value): Value {
  return over ?? base;
}

export const TRANSFORM_MERGES = {
  cors: replace<CorsYaml>,
  headers: mergeHeaders,
  rewrite: replace<RewriteYaml>,
  json: replace<JsonYaml>,
  xml: replace<XmlYaml>,
  status: replace<StatusYaml>,
  compress: mergeCompress,
};

export function completeTransform(fields: TransformYaml): TransformPolicy | null {
  const policy: TransformPolicy = {
    cors: completeCors(fields.cors),
    headers: completeHeaders(fields.headers),
    rewrite: completeRewrite(fields.rewrite),
    json: completeJson(fields.json),
    xml: completeXml(fields.xml),
    status: completeStatus(fields.status),
    compress: completeCompress(fields.compress),
  };
  return Object.values(policy).every((part) => part === null) ? null : policy;
}

export function checkTransform(source: YamlSource, path: Path, written: TransformYaml): void {
  checkCors(source, path, written.cors);
  checkHeaders(source, path, written.headers);
  checkRewrite(source, path, written.rewrite);
  checkJson(source, path, written.json);
  checkXml(source, path, written.xml);
}

/** What can only be judged once a policy has met its route. `path` is the route's. */
export function checkRouteTransform(
  source: YamlSource,
  path: Path,
  route: {
    readonly name: string;
    readonly path: RoutePath;
    readonly authenticated: boolean;
    readonly transform: TransformPolicy | null;
    readonly ownJson: boolean;
    readonly transcodes: boolean;
    readonly maxBodyBytes: number;
  },
): void {
  if (route.transform === null) return;
  const { json, xml } = route.transform;
  if (json?.request != null) {
    const toXml = xml !== null && xml.request !== null && xml.upstream === 'xml';
    checkRouteStream(source, path, { ...route, rules: json.request, toXml });
  }
  checkRewriteRoute(source, [...path, 'name'], route, route.transform.rewrite);
  checkRouteVariables(source, [...path, 'name'], route, templatesOf(route.transform));
}

function templatesOf({ headers, rewrite, json }: TransformPolicy): readonly TextTemplate[] {
  const of = (edits: HeaderEdits | null | undefined): readonly TextTemplate[] =>
    edits ? [...edits.set, ...edits.add].map(({ value }) => value) : [];
  return [
    ...of(headers?.request),
    ...of(headers?.response),
    ...(rewrite === null ? [] : templatesOfRewrite(rewrite)),
    ...(json === null ? [] : templatesOfJson(json)),
  ];
}
