/**
 * What an attempt tells of itself: the listener's side of it, its phases and the ways in which it goes wrong.
 * Knows neither how an attempt works nor who listens.
 * @module
 */

import type { Duplex } from 'node:stream';
import type { AttemptBreak } from '../../core/policy/retry.ts';

/** Who hears of an attempt. Nothing is called after `fail` or `end`, nor after the attempt was abandoned. */
export interface AttemptSink<Attempt> {
  /** A response before the response (1xx). Fields: name, value, name, value …, as received. */
  interim(attempt: Attempt, status: number, rawFields: readonly Buffer[]): void;
  /** Status and fields are there. */
  head(attempt: Attempt): void;
  piece(attempt: Attempt, piece: Buffer): void;
  end(attempt: Attempt): void;
  /** The upstream has changed to the protocol that was asked for; the attempt is over, the socket is the listener's. */
  upgraded(attempt: Attempt, socket: Duplex): void;
  fail(attempt: Attempt, trouble: AttemptTrouble): void;
}

/**
 * `tls`: the two sides do not trust or understand each other; `bad-response` cannot be passed on; `unparsable`: no HTTP came, and
 * the connection is lost; `client-stalled`: the client stopped sending its request or taking its response; `unsendable`:
 * undici refuses the request.
 */
export type AttemptTrouble =
  | AttemptBreak
  | 'tls'
  | 'bad-response'
  | 'unparsable'
  | 'client-stalled'
  | 'unsendable';

export type AttemptPhase = 'connecting' | 'waiting' | 'streaming' | 'discarding' | 'over';
