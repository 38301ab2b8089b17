/**
 * One health check of one endpoint: asks, waits, says what came back. Knows no timers but its own, and not what
 * the answer means.
 * @module
 */

import type { Dispatcher } from 'undici';
import { MAX_PROBE_BODY_BYTES } from '../limits.ts';
import type { Endpoint } from './endpoint.ts';

export interface ProbeQuestion {
  readonly path: string;
  /** Null: the endpoint's own. */
  readonly host: string | null;
  readonly timeoutMs: number;
}

/** The status of a complete answer. Rejects when there is none in time, or `signal` says that nobody wants it. */
export function probe(endpoint: Endpoint, question: ProbeQuestion, signal: AbortSignal): Promise<number> {
  return new Promise((resolve, reject) => {
    const handler = new ProbeHandler(resolve, reject);
    const { path, timeoutMs } = question;
    const timer = setTimeout(() => handler.stop(new Error(`no answer within ${timeoutMs}ms`)), timeoutMs);
    const onAbort = (): void => handler.stop(new Error('not wanted any more'));
    signal.addEventListener('abort', onAbort, { once: true });
    handler.onOver = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    };
    const host = question.host ?? (endpoint.host || new URL(endpoint.origin).host);
    endpoint.prober.dispatch(
      {
        servername: endpoint.servername,
        method: 'GET',
        path,
        headers: ['host', host, 'user-agent', 'sluice-health'],
      },
      handler,
    );
  });
}

class ProbeHandler implements Dispatcher.DispatchHandler {
  onOver: () => void = () => {};
  readonly #resolve: (status: number) => void;
  readonly #reject: (error: Error) => void;
  #controller: Dispatcher.DispatchController | null = null;
  #status = 0;
  #bytes = 0;
  #over = false;

  constructor(resolve: (status: number) => void, reject: (error: Error) => void) {
    this.#resolve = resolve;
    this.#reject = reject;
  }

  stop(error: Error): void {
    if (this.#over) return;
    this.#end();
    this.#controller?.abort(error);
    this.#reject(error);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // Stopped while it waited for a connection: throwing takes the request out.
    if (this.#over) throw new Error('not wanted any more');
    this.#controller = controller;
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number): void {
    this.#status = status;
  }

  onResponseData(_controller: Dispatcher.DispatchController, piece: Buffer): void {
    this.#bytes += piece.length;
    if (this.#bytes > MAX_PROBE_BODY_BYTES) this.stop(new Error('the answer is too long'));
  }

  onResponseEnd(): void {
    if (this.#over) return;
    this.#end();
    this.#resolve(this.#status);
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    if (this.#over) return;
    this.#end();
    this.#reject(error);
  }

  #end(): void {
    this.#over = true;
    this.onOver();
  }
}
