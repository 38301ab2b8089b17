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
  const { control, response, rollouts, limits } = request;
  const closed = new AbortController();
  const end = () => closed.abort();
  const signal = AbortSignal.any([request.signal, closed.signal]);
  let ping: NodeJS.Timeout | undefined;
  const send = (text: string) => {
    if (signal.aborted) return;
    response.write(text);
    // A reader that falls this far behind reconnects and replays instead of growing the buffer.
    if (response.writableLength > limits.bufferBytes) response.destroy();
  };
  if (signal.aborted || response.destroyed) return;
  response.once('close', end).once('error', end);
  signal.addEventListener('abort', () => {
    clearInterval(ping);
    response.end();
  });

  const resumed = request.lastEventId === null ? null : StreamCursor.parse(request.lastEventId);
  let cursor = resumed ?? new StreamCursor();
  const deliver = ({ view, events }: RolloutChange) => {
    if (rollouts && !rollouts.has(view.rollout)) return;
    for (const event of events) {
      if (!cursor.advance(event)) continue;
      send(message('transition', event, cursor.toString()));
    }
    // Views supersede each other: while the reader is behind, the next one will do.
    if (!response.writableNeedDrain) send(message('view', view, null));
  };

  // Listening starts before the snapshot is taken, so that nothing falls between the two.
  const early: RolloutChange[] = [];
  let live = false;
  control.subscribe((change) => {
    if (live) deliver(change);
    else if (early.push(change) > EARLY_MAX) response.destroy();
  }, signal);
  const views = (await control.list()).filter((view) => !rollouts || rollouts.has(view.rollout));
  if (!resumed) cursor = StreamCursor.at(views);
  const id = resumed ? request.lastEventId : cursor.toString();
  if (signal.aborted) return;
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    connection: 'close',
    'x-accel-buffering': 'no',
  });
  ping = setInterval(() => send(': ping\n\n'), limits.pingMs);
  send(`retry: ${RETRY_MS}\n${message('snapshot', { rollouts: views }, id)}`);
  for (const event of await missedEvents(control, views, cursor)) {
    if (cursor.advance(event)) send(message('transition', event, cursor.toString()));
  }
  live = true;
  for (const change of early) deliver(change);
}

async function missedEvents(
  control: Control,
  views: readonly RolloutView[],
  cursor: StreamCursor,
): Promise<readonly RolloutEvent[]> {
  const missed: RolloutEvent[] = [];
  for (const view of views) {
    const newest = view.events.at(-1)?.sequence ?? 0;
    let after = cursor.sequenceOf(view.rollout) ?? newest;
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
