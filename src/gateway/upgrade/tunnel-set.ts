/**
 * The tunnels of one gateway, to be ended with it. Knows not what a tunnel is.
 * @module
 */

import { TUNNEL_GOODBYE_MS } from '../limits.ts';
import { within } from '../within.ts';

interface Ending {
  /** Ends it, where its protocol allows that with a word. */
  goAway(): void;
  /** Cuts it. */
  destroy(): void;
}

export class TunnelSet {
  readonly #tunnels = new Set<Ending>();
  #onEmpty: (() => void) | null = null;

  add(tunnel: Ending): void {
    this.#tunnels.add(tunnel);
  }

  delete(tunnel: Ending): void {
    this.#tunnels.delete(tunnel);
    if (this.#tunnels.size === 0) this.#onEmpty?.();
  }

  /** Says goodbye on all of them; what is still open a moment later is cut. */
  async close(): Promise<void> {
    if (this.#tunnels.size === 0) return;
    const empty = new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
    for (const tunnel of this.#tunnels) tunnel.goAway();
    await within(empty, TUNNEL_GOODBYE_MS);
    for (const tunnel of this.#tunnels) tunnel.destroy();
  }
}
