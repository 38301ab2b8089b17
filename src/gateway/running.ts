/**
 * What goes on for a request while it is under way, as the stages see it: a try of an endpoint, the relay of a call, a
 * mirrored copy. Shapes only.
 * @module
 */

import type { Target } from './upstream/target.ts';

/** What the stages may ask of the try that is under way. */
export interface RunningAttempt {
  readonly target: Target;
  /** Of the response; 0 before there is one. */
  readonly status: number;
  /** Name, value, name, value …, as received; null before there is a response. */
  readonly rawFields: readonly Buffer[] | null;
  /** First response field of that name (lower case). */
  field(name: string): string | undefined;
  readonly times: { readonly flowMs: number };
  /** `over` and `discarding`: nothing more will come of it. */
  readonly phase: string;
  /** Nobody waits for it any more. Idempotent. */
  abandon(): void;
  /** The response is complete as far as anybody cares; it counts as what its status says. */
  discard(): void;
  /** The response cannot be passed on: an error of the upstream. */
  reject(): void;
  /** The client can take more of the body. */
  resume(): void;
}

/** Takes an answer in the place of the client's response. */
export interface CallRelay {
  /** False: it is none of gRPC. */
  head(attempt: RunningAttempt): boolean;
  /** False: not before the client has taken some of it; the attempt is then resumed. */
  piece(piece: Buffer): boolean;
  end(trailers: Readonly<Record<string, unknown>> | null): void;
}

/** A request that is sent a second time once its answer has ended. */
export interface RunningMirror {
  /** Of the first answer's body, as the upstream sent it. */
  piece(piece: Buffer): void;
  end(): void;
  /** There will be no whole answer. Idempotent, nothing after `end`. */
  cancel(): void;
}
