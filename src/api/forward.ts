/**
 * Passing a request on to the control API of the operator that holds the service's lease.
 * Knows neither leases nor what the request means.
 * @module
 */

import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import { request } from 'undici';

/** Marks a request that was passed on once: the next operator answers or refuses, so no request goes round. */
export const HOP_HEADER = 'x-sluice-hop';

const HEADERS_TIMEOUT_MS = 10_000;
/** Between two pieces of an answer; a live stream pings more often than that. */
const BODY_TIMEOUT_MS = 40_000;
const MAX_ANSWER_BYTES = 8 * 1024 * 1024;
const PASSED_ON = [
  'authorization',
  'x-sluice-actor',
  'x-request-id',
  'traceparent',
  'last-event-id',
] as const;

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
  /** A live stream is passed through; everything else is read first. */
  readonly body: Buffer | Readable;
}

/** Undefined when the other operator can't be reached, is too slow, or answers too much. */
export async function forward(to: ForwardRequest): Promise<ForwardAnswer | undefined> {
  const url = targetOf(to);
  if (!url) return undefined;
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
      headersTimeout: HEADERS_TIMEOUT_MS,
      bodyTimeout: BODY_TIMEOUT_MS,
    });
    const contentType = String(answer.headers['content-type'] ?? 'application/json; charset=utf-8');
    const status = answer.statusCode;
    if (contentType.startsWith('text/event-stream')) return { status, contentType, body: answer.body };
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of answer.body) {
      size += chunk.length;
      if (size > MAX_ANSWER_BYTES) return undefined;
      chunks.push(chunk);
    }
    return { status, contentType, body: Buffer.concat(chunks) };
  } catch {
    return undefined;
  }
}

/** The caller's token goes to the contact and nowhere else, whatever the request target looks like. */
function targetOf({ path, contact }: ForwardRequest): URL | undefined {
  if (!URL.canParse(path, contact)) return undefined;
  const url = new URL(path, contact);
  return url.origin === new URL(contact).origin ? url : undefined;
}
