/**
 * The control API as the command line sees it: requests, answers, and problems turned back into SluiceErrors.
 * Knows the protocol; knows no verb and prints nothing.
 * @module
 */

import * as z from 'zod';
import { ERRORS, type ErrorCode, SluiceError } from '../core/domain/errors.ts';
import type { RolloutEvent } from '../core/domain/rollout-event.ts';
import type { Purge } from '../core/policy/cache/purge.ts';
import type { RolloutView } from '../core/view/rollout-view.ts';
import type { RunSummary } from '../core/view/run-summary.ts';
import type { MeasuredTraffic } from '../ports/control.ts';
import type { PurgeReceipt } from '../ports/purge-channel.ts';

export interface ClientOptions {
  /** Origin of the control API. */
  readonly server: string;
  readonly token: string | null;
  /** Recorded as the actor where no token names one. */
  readonly user: string | null;
  readonly fetch: typeof fetch;
  readonly signal: AbortSignal;
}

export interface ActionBody {
  readonly expectStep?: number | null;
  readonly expectRun?: number | null;
  readonly reason?: string | null;
  readonly message?: string | null;
  readonly full?: boolean;
  readonly dryRun?: boolean;
  readonly source?: { readonly file: string; readonly text: string } | null;
}

export type ActionVerb = 'start' | 'pause' | 'resume' | 'promote' | 'abort' | 'retry' | 'undo';

const TIMEOUT_MS = 30_000;

const problemSchema = z.looseObject({
  title: z.string().optional(),
  detail: z.string().optional(),
  hint: z.string().optional(),
  code: z.string().optional(),
  data: z.record(z.string(), z.unknown()).default({}),
  request_id: z.string().optional(),
});

/** Enough of each answer to tell that the other side speaks this API at all. */
const viewShape = z.looseObject({ rollout: z.string(), phase: z.string(), steps: z.array(z.unknown()) });
const listShape = z.looseObject({ rollouts: z.array(viewShape) });
const eventsShape = z.looseObject({ events: z.array(z.looseObject({ sequence: z.number() })) });
const trafficShape = z.looseObject({
  traffic: z.looseObject({ requestsPerSecond: z.number(), errorRate: z.number() }).nullable(),
});
const receiptShape = z.looseObject({
  sequence: z.number(),
  reached: z.looseObject({ gateways: z.number(), applied: z.number() }).nullable(),
});
const runsShape = z.looseObject({ runs: z.array(z.looseObject({ run: z.number() })) });

/** All methods throw SluiceError: the server's own problems, or UNREACHABLE. */
export class ControlClient {
  readonly server: string;
  readonly #options: ClientOptions;

  constructor(options: ClientOptions) {
    this.server = options.server;
    this.#options = options;
  }

  async list(): Promise<readonly RolloutView[]> {
    const { rollouts } = await this.#json<{ rollouts: RolloutView[] }>('GET', '/rollouts', listShape);
    return rollouts;
  }

  view(rollout: string): Promise<RolloutView> {
    return this.#json('GET', `/rollouts/${encodeURIComponent(rollout)}`, viewShape);
  }

  act(rollout: string, verb: ActionVerb, body: ActionBody): Promise<RolloutView> {
    return this.#json('POST', `/rollouts/${encodeURIComponent(rollout)}/${verb}`, viewShape, body);
  }

  async events(rollout: string, after: number, limit: number): Promise<readonly RolloutEvent[]> {
    const path = `/rollouts/${encodeURIComponent(rollout)}/events?after=${after}&limit=${limit}`;
    const { events } = await this.#json<{ events: RolloutEvent[] }>('GET', path, eventsShape);
    return events;
  }

  async recording(rollout: string, run: number | null): Promise<string> {
    const query = run === null ? '' : `?run=${run}`;
    return this.#withinTime(async (signal) => {
      const path = `/api/v1/rollouts/${encodeURIComponent(rollout)}/recording${query}`;
      const answer = await this.#send(path, { headers: this.#headers(), signal });
      return answer.text();
    });
  }

  async traffic(rollout: string): Promise<MeasuredTraffic | null> {
    const path = `/rollouts/${encodeURIComponent(rollout)}/traffic`;
    const { traffic } = await this.#json<{ traffic: MeasuredTraffic | null }>('GET', path, trafficShape);
    return traffic;
  }

  async runs(rollout: string): Promise<readonly RunSummary[]> {
    const path = `/rollouts/${encodeURIComponent(rollout)}/runs`;
    const { runs } = await this.#json<{ runs: RunSummary[] }>('GET', path, runsShape);
    return runs;
  }

  purge({ by, value, service }: Purge): Promise<PurgeReceipt> {
    return this.#json('POST', '/cache/purge', receiptShape, { [by]: value, service });
  }

  /** Opens the live stream; the body ends when `signal` does. */
  async openStream(
    rollouts: readonly string[],
    lastEventId: string | null,
    signal: AbortSignal,
  ): Promise<ReadableStream<Uint8Array>> {
    const query = rollouts.length > 0 ? `?rollouts=${rollouts.map(encodeURIComponent).join(',')}` : '';
    const headers = { ...this.#headers(), accept: 'text/event-stream' };
    const answer = await this.#send(`/api/v1/events${query}`, {
      headers: lastEventId === null ? headers : { ...headers, 'last-event-id': lastEventId },
      signal,
    });
    if (!answer.body || !answer.headers.get('content-type')?.startsWith('text/event-stream')) {
      await answer.body?.cancel();
      throw this.#strange('it did not answer with a live stream');
    }
    return answer.body;
  }

  /** The cast states what the shapes check loosely: /api/v1 answers these types, in full. */
  async #json<T>(method: 'GET' | 'POST', path: string, shape: z.ZodType, body?: object): Promise<T> {
    const headers = this.#headers();
    const text = await this.#withinTime(async (signal) => {
      const answer = await this.#send(`/api/v1${path}`, {
        method,
        headers: body ? { ...headers, 'content-type': 'application/json' } : headers,
        body: body ? JSON.stringify(body) : null,
        signal,
      });
      return answer.text();
    });
    const json = parseJson(text);
    if (!shape.safeParse(json).success) throw this.#strange('its answer is not one of this API');
    return json as T;
  }

  /** Not AbortSignal.any: Node 20 may collect a combined signal, and its abort with it. */
  async #withinTime<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { signal } = this.#options;
    const ending = new AbortController();
    const interrupt = (): void => ending.abort(signal.reason);
    const timer = setTimeout(() => ending.abort(new DOMException('', 'TimeoutError')), TIMEOUT_MS);
    signal.addEventListener('abort', interrupt, { once: true });
    if (signal.aborted) interrupt();
    try {
      return await work(ending.signal);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', interrupt);
    }
  }

  #headers(): Record<string, string> {
    const { token, user } = this.#options;
    if (token !== null) return { authorization: `Bearer ${token}` };
    return user === null ? {} : { 'x-sluice-actor': user };
  }

  async #send(path: string, init: RequestInit): Promise<Response> {
    let answer: Response;
    try {
      // A redirect would carry the token to wherever it points.
      answer = await this.#options.fetch(`${this.server}${path}`, { ...init, redirect: 'error' });
    } catch (error) {
      this.#options.signal.throwIfAborted();
      throw this.#unreachable(error);
    }
    if (answer.ok) return answer;
    throw problemError(answer.status, parseJson(await answer.text()));
  }

  #unreachable(error: unknown): SluiceError {
    return new SluiceError('UNREACHABLE', {
      detail: `tried ${this.server} (${causeOf(error)})`,
      hint: 'Start it with `rollout up`, or name another one with --server or SLUICE_SERVER.',
      data: { server: this.server },
      cause: error,
    });
  }

  #strange(what: string): SluiceError {
    return new SluiceError('UNREACHABLE', {
      detail: `something listens at ${this.server}, but ${what}`,
      hint: 'Check --server or SLUICE_SERVER.',
      data: { server: this.server },
    });
  }
}

function problemError(status: number, body: unknown): SluiceError {
  const problem = problemSchema.safeParse(body).data;
  const known = problem?.code !== undefined && isErrorCode(problem.code) ? problem.code : null;
  const detail = problem?.detail ?? (known ? undefined : `HTTP ${status} ${problem?.title ?? ''}`.trim());
  const requestId = problem?.request_id;
  return new SluiceError(known ?? (status === 401 ? 'UNAUTHENTICATED' : 'INTERNAL'), {
    ...(detail === undefined ? {} : { detail }),
    ...(problem?.hint === undefined ? {} : { hint: problem.hint }),
    data: { ...problem?.data, ...(requestId === undefined ? {} : { request_id: requestId }) },
  });
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** fetch hides the reason in `cause`. */
function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'no answer';
  if (error.name === 'TimeoutError') return `no answer within ${TIMEOUT_MS / 1000}s`;
  const { cause } = error;
  if (cause instanceof Error) {
    return 'code' in cause && typeof cause.code === 'string' ? cause.code : cause.message;
  }
  return error.message;
}
