/**
 * Passing a request on to the control API of the operator that holds the service's lease.
 * Knows neither leases nor what the request means.
 * @module
 */

import type { IncomingHttpHeaders } from 'node:http';
import { request } from 'undici';

/** Marks a request that was passed on once: the next operator answers or refuses, so no request goes round. */
export const HOP_HEADER = 'x-sluice-hop';

const TIMEOUT_MS = 10_000;
const MAX_ANSWER_BYTES = 8 * 1024 * 1024;
const PASSED_ON = ['authorization', 'x-sluice-actor', 'x-request-id', 'traceparent'] as const;

export interface ForwardRequest {
  readonly contact: string;
  readonly method: 'GET' | 'POST';
  /** Path and query, as received. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: unknown;
}

export interface ForwardAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: Buffer;
}

/** Undefined when the other operator can't be reached, is too slow, or answers too much. */
export async function forward(to: ForwardRequest): Promise<ForwardAnswer | undefined> {
  if (!URL.canParse(to.path, to.contact)) return undefined;
  const url = new URL(to.path, to.contact);
  const headers: Record<string, string> = { [HOP_HEADER]: '1' };
  for (const name of PASSED_ON) {
    const value = to.headers[name];
    if (typeof value === 'string') headers[name] = value;
  }
  const body = to.body === undefined || to.body === null ? null : JSON.stringify(to.body);
  if (body !== null) headers['content-type'] = 'application/json';
  try {
    const answer = await request(url, {
      method: to.method,
      headers,
      body,
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of answer.body) {
      size += chunk.length;
      if (size > MAX_ANSWER_BYTES) return undefined;
      chunks.push(chunk);
    }
    const contentType = answer.headers['content-type'];
    return {
      status: answer.statusCode,
      contentType: typeof contentType === 'string' ? contentType : 'application/json; charset=utf-8',
      body: Buffer.concat(chunks),
    };
  } catch {
    return undefined;
  }
}
