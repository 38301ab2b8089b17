/**
 * One HTTP POST with a deadline, as notifiers need it: redirects are not followed, the answer is read up to a
 * limit, nothing stays open. Knows nothing of what is sent.
 * @module
 */

import { Agent, type Dispatcher } from 'undici';
import type { Delivery } from '../../ports/notifier.ts';

export interface Post {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** From the call to the end of the answer, milliseconds. */
  readonly timeoutMs: number;
}

export type PostResult =
  | {
      readonly kind: 'answered';
      readonly status: number;
      /** Start of the body, for the record. */
      readonly text: string;
      /** From `Retry-After` (RFC 9110 §10.2.3), at most an hour. */
      readonly retryAfterMs: number | null;
    }
  /** No complete answer. Whether the receiver acted is unknown. */
  | { readonly kind: 'failed'; readonly detail: string };

const MAX_TEXT_BYTES = 1024;
const MAX_RETRY_AFTER_MS = 3_600_000;

/** Never rejects but for a bug. The URL, which may be a secret, is in no result. */
export async function postOnce(post: Post, signal: AbortSignal): Promise<PostResult> {
  if (signal.aborted) return { kind: 'failed', detail: 'cancelled' };
  const agent = new Agent({ connections: 1, connect: { timeout: post.timeoutMs } });
  const ended = new AbortController();
  const cancel = () => ended.abort('cancelled');
  signal.addEventListener('abort', cancel, { once: true });
  const timer = setTimeout(() => ended.abort(`no answer within ${post.timeoutMs} ms`), post.timeoutMs);
  try {
    return await send(agent, post, ended.signal);
  } catch (error) {
    const detail = ended.signal.aborted ? String(ended.signal.reason) : describeFailure(error);
    return { kind: 'failed', detail };
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', cancel);
    await agent.destroy();
  }
}

/**
 * What an answer means for a delivery: any 2xx has it, 408, 425, 429 and 5xx are worth another try, the rest
 * (a redirect as well: the signature is for this receiver) will not get better.
 */
export function deliveryOf(result: PostResult): Delivery {
  if (result.kind === 'failed') return { kind: 'retry', detail: result.detail, retryAfterMs: null };
  const { status, text, retryAfterMs } = result;
  if (status >= 200 && status < 300) return { kind: 'delivered' };
  const detail = text === '' ? `HTTP ${status}` : `HTTP ${status}: ${text}`;
  const temporary = status === 408 || status === 425 || status === 429 || status >= 500;
  return temporary ? { kind: 'retry', detail, retryAfterMs } : { kind: 'refused', detail };
}

async function send(agent: Agent, post: Post, signal: AbortSignal): Promise<PostResult> {
  const url = new URL(post.url);
  const response = await agent.request({
    origin: url.origin,
    path: url.pathname + url.search,
    method: 'POST',
    headers: { ...post.headers, ...credentials(url) },
    body: post.body,
    signal,
    headersTimeout: post.timeoutMs,
    bodyTimeout: post.timeoutMs,
  });
  return {
    kind: 'answered',
    status: response.statusCode,
    text: await startOf(response.body),
    retryAfterMs: parseRetryAfterMs(response.headers['retry-after'], Date.now()),
  };
}

/** `http://user:password@host/` as Basic authentication (RFC 7617). */
function credentials(url: URL): Record<string, string> {
  if (url.username === '' && url.password === '') return {};
  const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  return { authorization: `Basic ${Buffer.from(pair).toString('base64')}` };
}

/** Reads no further than it keeps; the connection is given up afterwards. */
async function startOf(body: Dispatcher.ResponseData['body']): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    const piece = Buffer.from(chunk);
    chunks.push(piece);
    bytes += piece.length;
    if (bytes >= MAX_TEXT_BYTES) break;
  }
  return Buffer.concat(chunks).subarray(0, MAX_TEXT_BYTES).toString('utf8').trim();
}

/** Seconds or an HTTP date, as milliseconds from now. */
function parseRetryAfterMs(header: string | string[] | undefined, nowMs: number): number | null {
  const text = Array.isArray(header) ? header[0] : header;
  if (text === undefined) return null;
  const waitMs = /^\d+$/.test(text.trim()) ? Number(text) * 1000 : Date.parse(text) - nowMs;
  return Number.isNaN(waitMs) ? null : Math.min(MAX_RETRY_AFTER_MS, Math.max(0, waitMs));
}

function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return 'the connection failed';
  const code = 'code' in error && typeof error.code === 'string' ? error.code : error.name;
  return `the connection failed (${code})`;
}
