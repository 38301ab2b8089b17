/**
 * The live stream (server-sent events): a snapshot, then every view and transition of the rollouts asked for,
 * with replay of missed transitions after a reconnect. Knows neither authentication nor how views come about.
 * @module
 */

import type { ServerResponse } from 'node:http';
import type { RolloutEvent } from '../core/domain/rollout-event.ts';
import type { RolloutView } from '../core/view/rollout-view.ts';
import type { Control, RolloutChange } from '../ports/control.ts';
import { StreamCursor } from './stream-cursor.ts';

export interface StreamLimits {
  /** Time between two comment pings, milliseconds. */
  readonly pingMs: number;
  /** Bytes that may wait for a slow reader before it is disconnected. */
  readonly bufferBytes: number;
  /** Streams open at the same time. */
  readonly streams: number;
}

export const DEFAULT_STREAM_LIMITS: StreamLimits = {
  pingMs: 15_000,
  bufferBytes: 1024 * 1024,
  streams: 256,
};

/** How long a browser waits before it reconnects, milliseconds. */
const RETRY_MS = 2000;
const HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store',
  connection: 'close',
  'x-accel-buffering': 'no',
} as const;
const REPLAY_PAGE = 500;
/** Transitions replayed per rollout after a reconnect; whoever missed more has the snapshot and `/events`. */
const REPLAY_MAX = 5000;
/** Changes that may come in while the snapshot and the replay are being read. */
const EARLY_MAX = 1000;

export interface StreamRequest {
  readonly control: Control;
  readonly response: ServerResponse;
  /** Null: all rollouts, also those that are declared later. */
  readonly rollouts: ReadonlySet<string> | null;
  readonly lastEventId: string | null;
  readonly limits: StreamLimits;
  /** Ends the stream from the server's side. */
  readonly signal: AbortSignal;
}

/**
 * Serves one stream until either side ends it. Messages: `snapshot` ({ rollouts: RolloutView[] }), `view`
 * (RolloutView), `transition` (RolloutEvent). The id is a {@link StreamCursor}; views carry none, because
 * missing one loses nothing.
 */
export async function serveEventStream(request: StreamRequest): Promise<void> {
  await new EventStream(request).serve();
}

class EventStream {
  readonly #request: StreamRequest;
  readonly #closed = new AbortController();
  readonly #signal: AbortSignal;
  #cursor = new StreamCursor();
  /** Version of the view last sent, by rollout. */
  readonly #versions = new Map<string, number>();
  /** Newest views that wait for a slow reader, by rollout. */
  readonly #held = new Map<string, RolloutView>();
  #refreshing = false;

  constructor(request: StreamRequest) {
    this.#request = request;
    this.#signal = AbortSignal.any([request.signal, this.#closed.signal]);
  }

  async serve(): Promise<void> {
    const { control, response, lastEventId, limits } = this.#request;
    if (this.#signal.aborted || response.destroyed) return;
    const end = () => this.#closed.abort();
    response
      .once('close', end)
      .once('error', end)
      .on('drain', () => this.#sendHeld());
    this.#signal.addEventListener('abort', () => response.end(), { once: true });

    // Listening starts before the snapshot is taken, so that nothing falls between the two.
    const early: RolloutChange[] = [];
    let live = false;
    control.subscribe((change) => {
      if (live) this.#deliver(change);
      else if (early.push(change) > EARLY_MAX) response.destroy();
    }, this.#signal);
    const views = await this.#views();
    const resumed = lastEventId === null ? null : StreamCursor.parse(lastEventId);
    this.#cursor = resumed ?? new StreamCursor();
    this.#cursor.fill(views);
    if (this.#signal.aborted) return;
    response.writeHead(200, HEADERS);
    const ping = setInterval(() => this.#ping(), limits.pingMs);
    this.#signal.addEventListener('abort', () => clearInterval(ping), { once: true });
    const id = resumed ? lastEventId : this.#cursor.toString();
    this.#send(`retry: ${RETRY_MS}\n${message('snapshot', { rollouts: views }, id)}`);
    for (const view of views) this.#versions.set(view.rollout, view.version);
    await this.#replay(views);
    live = true;
    for (const change of early) this.#deliver(change);
  }

  async #views(): Promise<readonly RolloutView[]> {
    const { control, rollouts } = this.#request;
    return (await control.list()).filter((view) => !rollouts || rollouts.has(view.rollout));
  }

  #deliver({ view, events }: RolloutChange): void {
    const { rollouts, response } = this.#request;
    if (rollouts && !rollouts.has(view.rollout)) return;
    this.#sendTransitions(events);
    // Views supersede each other: a reader that is behind gets the newest once it has caught up.
    if (response.writableNeedDrain) this.#held.set(view.rollout, view);
    else this.#sendView(view);
  }

  async #replay(views: readonly RolloutView[]): Promise<void> {
    this.#sendTransitions(await missedEvents(this.#request.control, views, this.#cursor));
  }

  #sendTransitions(events: readonly RolloutEvent[]): void {
    for (const event of events) {
      if (this.#cursor.advance(event)) this.#send(message('transition', event, this.#cursor.toString()));
    }
  }

  #sendHeld(): void {
    const views = [...this.#held.values()];
    this.#held.clear();
    for (const view of views) this.#sendView(view);
  }

  #sendView(view: RolloutView): void {
    this.#held.delete(view.rollout);
    this.#versions.set(view.rollout, view.version);
    this.#send(message('view', view, null));
  }

  #ping(): void {
    this.#send(': ping\n\n');
    if (this.#refreshing) return;
    this.#refreshing = true;
    // A store that is away now is asked again with the next ping.
    void this.#refresh()
      .catch(() => undefined)
      .finally(() => {
        this.#refreshing = false;
      });
  }

  /** Rollouts that another operator runs call nobody back here; the store knows what they have committed. */
  async #refresh(): Promise<void> {
    const views = (await this.#views()).filter((view) => this.#versions.get(view.rollout) !== view.version);
    await this.#replay(views);
    for (const view of views) {
      const sent = this.#versions.get(view.rollout);
      if (sent === undefined || sent < view.version) this.#sendView(view);
    }
  }

  #send(text: string): void {
    const { response, limits } = this.#request;
    if (this.#signal.aborted) return;
    response.write(text);
    // A reader that falls this far behind reconnects and replays instead of growing the buffer.
    if (response.writableLength > limits.bufferBytes) response.destroy();
  }
}

async function missedEvents(
  control: Control,
  views: readonly RolloutView[],
  cursor: StreamCursor,
): Promise<readonly RolloutEvent[]> {
  const missed: RolloutEvent[] = [];
  for (const view of views) {
    const newest = view.events.at(-1)?.sequence ?? 0;
    let after = cursor.sequenceOf(view.rollout) ?? 0;
    const limit = after + REPLAY_MAX;
    while (after < newest && after < limit) {
      const page = await control.events(view.rollout, after, REPLAY_PAGE);
      missed.push(...page);
      const last = page.at(-1);
      if (!last) break;
      after = last.sequence;
    }
  }
  return missed.sort((a, b) => a.atMs - b.atMs || a.sequence - b.sequence);
}

function message(event: string, data: unknown, id: string | null): string {
  // JSON never contains a raw line break, so one `data:` line holds it all.
  return `${id === null ? '' : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
