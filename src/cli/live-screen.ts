/**
 * The alternate screen on which `watch` draws: changed lines only, at most five times a second, and the last
 * frame left behind when it closes. Knows no rollout.
 * @module
 */

import type { Output } from './cli-io.ts';

const MIN_INTERVAL_MS = 200;
const ENTER = '\u001b[?1049h\u001b[?25l\u001b[2J';
const LEAVE = '\u001b[?25h\u001b[?1049l';

export interface LiveScreenOptions {
  readonly output: Output;
  columns(): number;
  rows(): number;
  now(): number;
}

export class LiveScreen {
  readonly #options: LiveScreenOptions;
  #wanted: readonly string[] = [];
  #drawn: readonly string[] = [];
  #drawnColumns = 0;
  #drawnAtMs = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: LiveScreenOptions) {
    this.#options = options;
    options.output.write(ENTER);
  }

  /** Draws now, or as soon as the last drawing is old enough; frames in between are skipped. */
  show(lines: readonly string[]): void {
    if (this.#closed) return;
    this.#wanted = lines;
    if (this.#timer) return;
    const waitMs = this.#drawnAtMs + MIN_INTERVAL_MS - this.#options.now();
    if (waitMs <= 0) this.#draw();
    else this.#timer = setTimeout(() => this.#draw(), Math.min(waitMs, MIN_INTERVAL_MS));
  }

  /** Leaves the alternate screen and prints `frame` where the scrollback keeps it. Idempotent. */
  close(frame: readonly string[]): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#options.output.write(`${LEAVE}${frame.map((line) => `${line}\n`).join('')}`);
  }

  #draw(): void {
    this.#timer = undefined;
    this.#drawnAtMs = this.#options.now();
    const columns = this.#options.columns();
    // A terminal that was resized has wrapped the old lines: nothing on it can be kept.
    const fresh = columns !== this.#drawnColumns;
    const before = fresh ? [] : this.#drawn;
    const lines = this.#wanted.slice(0, Math.max(1, this.#options.rows()));
    let text = fresh ? '\u001b[2J' : '';
    for (const [row, line] of lines.entries()) {
      if (line !== before[row]) text += `\u001b[${row + 1};1H${line}\u001b[K`;
    }
    if (lines.length < before.length) text += `\u001b[${lines.length + 1};1H\u001b[J`;
    if (text !== '') this.#options.output.write(text);
    this.#drawn = lines;
    this.#drawnColumns = columns;
  }
}
