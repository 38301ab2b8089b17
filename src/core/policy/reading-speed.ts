/**
 * Whether a client takes its response fast enough: it may be slow at times, not on the whole. Arithmetic only; knows
 * no sockets and no clock.
 * @module
 */

export interface ReadingSpeed {
  /** Bytes per second that a client has to take while some wait for it; 0: any speed will do. */
  readonly bytesPerSecond: number;
  /** How long it may fall behind that speed, milliseconds. */
  readonly graceMs: number;
}

/**
 * What waits for a client buys it time: bytes that were handed over have to be taken at the minimum speed, or within the
 * grace. So it does not matter in how large steps one sees them being taken.
 */
export class ReadingAllowance {
  readonly #speed: ReadingSpeed;
  #lookedMs: number;
  #sent: number;
  #creditMs: number;

  /** `sent`: all bytes that were handed over for the client so far; `waiting`: those of them that it has not taken. */
  constructor(speed: ReadingSpeed, nowMs: number, sent: number, waiting: number) {
    this.#speed = speed;
    this.#lookedMs = nowMs;
    this.#sent = sent;
    this.#creditMs = speed.graceMs + this.#worthMs(waiting);
  }

  /** False: the client is too slow. The time since the look before counts when something waits now. */
  keepsUp(nowMs: number, sent: number, waiting: number): boolean {
    const { bytesPerSecond, graceMs } = this.#speed;
    if (bytesPerSecond === 0) return true;
    const passedMs = waiting > 0 ? nowMs - this.#lookedMs : 0;
    const creditMs = this.#creditMs + this.#worthMs(sent - this.#sent) - passedMs;
    this.#lookedMs = nowMs;
    this.#sent = sent;
    this.#creditMs = Math.min(creditMs, graceMs + this.#worthMs(waiting));
    return this.#creditMs >= 0;
  }

  /** Milliseconds that a client at the minimum speed takes for so many bytes. */
  #worthMs(bytes: number): number {
    const { bytesPerSecond } = this.#speed;
    return bytesPerSecond === 0 ? 0 : (bytes / bytesPerSecond) * 1_000;
  }
}
