/**
 * Follows the frames of a WebSocket stream (RFC 6455 §5.2) just far enough to know whether one has ended. Knows no
 * sockets; keeps no payload.
 * @module
 */

const CLOSE = 0x8;
/** Longest frame head: 2 bytes, 8 of length, 4 of mask. */
const MAX_HEAD = 14;

/** A close frame from a server (unmasked) with status 1001, going away. */
export const GOING_AWAY: Readonly<Uint8Array> = Uint8Array.of(0x88, 0x02, 0x03, 0xe9);

export class FrameTracker {
  readonly #head = new Uint8Array(MAX_HEAD);
  #headLength = 0;
  /** Bytes of payload that are still to come. */
  #payload = 0;
  /** A close frame has begun: nothing may follow it. */
  closed = false;

  /** Between two frames: another one may be put here. */
  get atBoundary(): boolean {
    return this.#headLength === 0 && this.#payload === 0;
  }

  feed(piece: Uint8Array): void {
    let at = 0;
    while (at < piece.length) {
      if (this.#payload > 0) {
        const taken = Math.min(this.#payload, piece.length - at);
        this.#payload -= taken;
        at += taken;
        continue;
      }
      this.#head[this.#headLength] = piece[at] ?? 0;
      this.#headLength += 1;
      at += 1;
      if (this.#headLength >= 2 && this.#headLength === headLengthOf(this.#head)) {
        if (((this.#head[0] ?? 0) & 0x0f) === CLOSE) this.closed = true;
        this.#payload = payloadLengthOf(this.#head);
        this.#headLength = 0;
      }
    }
  }
}

function headLengthOf(head: Uint8Array): number {
  const second = head[1] ?? 0;
  const length = second & 0x7f;
  return 2 + (length === 126 ? 2 : length === 127 ? 8 : 0) + (second >= 0x80 ? 4 : 0);
}

function payloadLengthOf(head: Uint8Array): number {
  const short = (head[1] ?? 0) & 0x7f;
  if (short < 126) return short;
  let length = 0;
  for (let i = 2; i < (short === 126 ? 4 : 10); i += 1) length = length * 256 + (head[i] ?? 0);
  return length;
}
