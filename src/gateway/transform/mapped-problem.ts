/**
 * The problem document that stands in for an error of the upstream where the `status` policy says so. Knows fields and
 * forms, no responses.
 * @module
 */

import type { Exchange } from '../exchange.ts';
import { fieldsOfChangedBody, fieldsWithout } from './field-list.ts';
import { problemBody } from './own-response.ts';

/** What would be wrong about the body that stands in for another. */
const OF_ANOTHER_BODY: ReadonlySet<string> = new Set([
  'content-type',
  'content-encoding',
  'content-language',
  'content-range',
  'etag',
  'last-modified',
]);

/** `fields`: name, value, name, value … of the upstream; those that come back describe the document. */
export function mappedProblem(
  exchange: Exchange,
  fields: readonly string[],
  status: number,
  { title, detail }: { readonly title: string; readonly detail: string },
): { readonly fields: string[]; readonly body: Buffer } {
  const stated = detail === '' ? undefined : { detail };
  const { type, body } = problemBody(
    exchange,
    JSON.stringify({ type: 'about:blank', title, status, ...stated, request_id: exchange.requestId }),
  );
  const kept = fieldsWithout(fieldsOfChangedBody(fields), (name) => OF_ANOTHER_BODY.has(name));
  return { fields: [...kept, 'Content-Type', type, 'Content-Length', String(body.length)], body };
}
