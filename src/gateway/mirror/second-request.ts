/**
 * The second request of a mirror: sent once, kept within its time and size, its answer handed over and thrown away.
 * Counts for nobody: neither breakers nor outliers nor the telemetry of a version hear of it.
 * @module
 */

import type { Dispatcher } from 'undici';
import { KeptBytes } from '../../core/policy/kept-bytes.ts';
import { Deadline, type DeadlineWheel } from '../deadlines.ts';
import { bufferOf } from '../kept-buffer.ts';
import { fieldsFor } from '../upstream/endpoint.ts';
import type { Target } from '../upstream/target.ts';
import type { RawAnswer } from './answer.ts';

export interface SecondQuestion {
  readonly method: string;
  readonly path: string;
  readonly fields: string[];
  readonly body: Buffer | null;
  /** Longer answers are not read to their end. */
  readonly maxBytes: number;
}

/** Called once. */
export type OnSecondAnswer = (answer: RawAnswer | 'timeout' | 'failed') => void;

const OVER = new Error('the mirrored request is over');

export class SecondRequest extends Deadline implements Dispatcher.DispatchHandler {
  readonly #wheel: DeadlineWheel;
  readonly #maxBytes: number;
  readonly #done: OnSecondAnswer;
  readonly #target: Target;
  #controller: Dispatcher.DispatchController | null = null;
  #status = 0;
  #rawFields: readonly Buffer[] = [];
  readonly #kept = new KeptBytes();
  #over = false;

  constructor(wheel: DeadlineWheel, target: Target, maxBytes: number, done: OnSecondAnswer) {
    super();
    this.#wheel = wheel;
    this.#target = target;
    this.#maxBytes = maxBytes;
    this.#done = done;
  }

  /** `byMs`: of the monotonic clock, when the answer must be there. */
  send({ method, path, fields, body }: SecondQuestion, byMs: number): void {
    const { endpoint, state } = this.#target;
    state.inFlight += 1;
    this.#wheel.arm(this, byMs);
    endpoint.pool.dispatch(
      {
        servername: endpoint.servername,
        path,
        method: method as Dispatcher.HttpMethod,
        headers: fieldsFor(endpoint, fields),
        body,
      },
      this,
    );
  }

  override expire(): void {
    this.#end('timeout');
    this.#controller?.abort(OVER);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // Given up while it waited for a connection: throwing takes the request out and leaves the connection alone.
    if (this.#over) throw OVER;
    this.#controller = controller;
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    if (status < 200) return;
    this.#status = status;
    this.#rawFields = controller.rawHeaders as Buffer[]; // Both pools give buffers, as for attempts.
  }

  onResponseData(controller: Dispatcher.DispatchController, piece: Buffer): void {
    if (this.#over) return;
    if (this.#kept.length + piece.length <= this.#maxBytes) {
      this.#kept.add(piece);
      return;
    }
    this.#end({ status: this.#status, rawFields: this.#rawFields, body: null });
    controller.abort(OVER);
  }

  onResponseEnd(): void {
    this.#end({ status: this.#status, rawFields: this.#rawFields, body: bufferOf(this.#kept.joined()) });
  }

  onResponseError(): void {
    this.#end('failed');
  }

  #end(answer: RawAnswer | 'timeout' | 'failed'): void {
    if (this.#over) return;
    this.#over = true;
    this.#wheel.disarm(this);
    this.#target.state.inFlight -= 1;
    this.#kept.clear();
    this.#done(answer);
  }
}
