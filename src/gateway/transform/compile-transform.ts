/**
 * Compiles what a route changes on requests and responses to closures. Knows the policies' model and the modules
 * that carry them out, no sockets.
 * @module
 */

import type { Route } from '../../config/gateway-model.ts';
import type { TransformPolicy } from '../../config/policies/transform.ts';
import { isLifecycleField, lifecycleFields } from '../../core/policy/lifecycle.ts';
import { type CorsPolicy, corsFields } from '../../core/policy/transform/cors.ts';
import type { BodyCounts, BodyDirection } from '../body-metrics.ts';
import { compileBody } from './body-plan.ts';
import { compileCompress } from './compress-body.ts';
import { fieldsWithout, withVary } from './field-list.ts';
import { compileHeaderEdits } from './header-edits.ts';
import { compileRewrite } from './rewrite.ts';
import type { CompiledTransform, FieldEditor, TransformSubject } from './transform-model.ts';
import { compileAsking, compileProblems } from './translation.ts';

const UNCHANGED: TransformPolicy = {
  cors: null,
  headers: null,
  rewrite: null,
  json: null,
  xml: null,
  status: null,
  compress: null,
};

export function compileTransform(
  route: Route,
  countsOf: (direction: BodyDirection) => BodyCounts,
): CompiledTransform | null {
  const { lifecycle } = route;
  if (route.transform === null && lifecycle === null) return null;
  const policy = route.transform ?? UNCHANGED;
  const responseFields: FieldEditor[] = [];
  if (lifecycle !== null) {
    const announced = lifecycleFields(lifecycle);
    responseFields.push((_exchange, fields) => [...fieldsWithout(fields, isLifecycleField), ...announced]);
  }
  const edits = compileHeaderEdits(policy.headers?.response, route.path);
  if (edits !== null) responseFields.push(edits);
  const { cors, xml } = policy;
  if (xml !== null && xml.response !== null)
    responseFields.push((_exchange, fields) => withVary(fields, 'Accept'));
  if (cors !== null) responseFields.push((exchange, fields) => withCors(cors, exchange, fields));
  return {
    cors,
    requestFields: compileHeaderEdits(policy.headers?.request, route.path),
    rewrite: compileRewrite(policy.rewrite, route.path),
    asking: xml === null ? null : compileAsking(xml),
    problem: xml === null ? null : compileProblems(xml),
    requestBody: compileBody('request', policy, route.path, countsOf),
    responseBody: compileBody('response', policy, route.path, countsOf),
    status: policy.status,
    compress: policy.compress === null ? null : compileCompress(policy.compress),
    responseFields,
  };
}

/** The upstream's own words about origins are replaced. */
function withCors(cors: CorsPolicy, exchange: TransformSubject, fields: readonly string[]): string[] {
  const kept = fieldsWithout(fields, (name) => name.startsWith('access-control-'));
  const { origin } = exchange.request.headers;
  const own = corsFields(cors, origin);
  if (origin !== undefined) exchange.note('cors', own.length > 0 ? 'allowed' : 'refused');
  return [...(cors.any ? kept : withVary(kept, 'Origin')), ...own];
}
