/**
 * Two sockets that pass on to each other whatever comes, after a change of protocols: back-pressure both ways, an idle
 * timeout, a count of bytes. Knows of WebSockets only where one frame ends, to say goodbye there.
 * @module
 */

import type { Duplex } from 'node:stream';
import { FrameTracker, GOING_AWAY } from '../../core/policy/websocket-frames.ts';
import { Deadline } from '../deadlines.ts';
import type { Exchange } from '../exchange.ts';
import type { Target } from '../upstream/target.ts';
import type { TunnelCounts, TunnelEnd } from './tunnel-metrics.ts';
import type { HeldSocket } from './upgrade-model.ts';

export class Tunnel extends Deadline {
  readonly #exchange: Exchange;
  readonly #client: Duplex;
  readonly #resetClient: () => void;
  readonly #upstream: Duplex;
  readonly #target: Target;
  readonly #counts: TunnelCounts;
  readonly #frames: FrameTracker | null;
  #progressMs: number;
  #leaving = false;
  #open = 2;
  /** Bytes from the client. */
  bytesIn = 0;
  end: TunnelEnd | null = null;

  constructor(
    exchange: Exchange,
    target: Target,
    client: HeldSocket,
    upstream: Duplex,
    counts: TunnelCounts,
  ) {
    super();
    this.#exchange = exchange;
    this.#target = target;
    this.#client = client.socket;
    this.#resetClient = client.reset;
    this.#upstream = upstream;
    this.#counts = counts;
    this.#frames = exchange.upgrade === 'websocket' ? new FrameTracker() : null;
    this.#progressMs = exchange.runtime.monotonicMs();
  }

  /** `early`: what the client has sent already. */
  start(early: Buffer): void {
    const { runtime } = this.#exchange;
    runtime.tunnels.add(this);
    this.#counts.open += 1;
    // It is under way there, for those who look for the less busy endpoint.
    this.#target.state.inFlight += 1;
    this.#connect(this.#client, this.#upstream, (piece) => {
      this.bytesIn += piece.length;
    });
    this.#connect(this.#upstream, this.#client, (piece) => {
      this.#exchange.bytesOut += piece.length;
      this.#frames?.feed(piece);
    });
    this.#client.on('end', () => this.#note('client'));
    this.#upstream.on('end', () => this.#note('upstream'));
    this.#client.on('error', () => this.#note('client'));
    this.#upstream.on('error', () => this.#upstream.destroy());
    this.#client.on('close', () => this.#onClose('client', this.#upstream));
    this.#upstream.on('close', () =>
      this.#onClose(this.#upstream.readableEnded ? 'upstream' : 'reset', this.#client),
    );
    if (early.length > 0) this.#client.unshift(early);
    this.#arm();
    this.#client.resume();
    this.#upstream.resume();
  }

  /** Ends it for a gateway that goes away, where the protocol allows it with a word. */
  goAway(): void {
    this.#leaving = true;
    this.#note('drain');
    if (this.#frames === null || this.#frames.atBoundary) this.#sayGoodbye();
  }

  destroy(): void {
    this.#resetClient();
    this.#upstream.destroy();
  }

  override expire(nowMs: number): void {
    const dueMs = this.#progressMs + this.#idleMs();
    if (nowMs < dueMs) {
      this.#exchange.runtime.wheel.arm(this, dueMs);
      return;
    }
    this.#note('idle');
    this.destroy();
  }

  #connect(from: Duplex, to: Duplex, count: (piece: Buffer) => void): void {
    from.on('data', (piece: Buffer) => {
      if (to.writableEnded || to.destroyed) return;
      this.#progressMs = this.#exchange.runtime.wheel.coarseNowMs;
      count(piece);
      if (!to.write(piece)) from.pause();
      if (this.#leaving && this.#frames?.atBoundary === true) this.#sayGoodbye();
    });
    to.on('drain', () => from.resume());
    from.on('end', () => {
      if (!to.writableEnded) to.end();
    });
  }

  #sayGoodbye(): void {
    if (this.#client.writableEnded) return;
    if (this.#frames === null || this.#frames.closed) this.#client.end();
    else this.#client.end(GOING_AWAY);
    if (!this.#upstream.writableEnded) this.#upstream.end();
  }

  /** What the other side was still sent reaches it, or the idle time ends it. */
  #onClose(end: TunnelEnd, other: Duplex): void {
    this.#note(end);
    this.#open -= 1;
    if (this.#open > 0) {
      other.resume();
      if (end === 'reset') this.#resetClient();
      else if (other.writableFinished) other.destroy();
      else other.end(() => other.destroy());
      return;
    }
    const { runtime } = this.#exchange;
    runtime.wheel.disarm(this);
    runtime.tunnels.delete(this);
    this.#target.state.inFlight -= 1;
    this.#counts.open -= 1;
    this.#counts[this.end ?? 'client'] += 1;
  }

  #note(end: TunnelEnd): void {
    this.end ??= end;
  }

  #idleMs(): number {
    return this.#exchange.route?.timeout.idleMs ?? 0;
  }

  #arm(): void {
    this.#exchange.runtime.wheel.arm(this, this.#progressMs + this.#idleMs());
  }
}
