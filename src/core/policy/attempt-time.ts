/**
 * How much of an attempt's time is that of its version. Knows times only; who measures them is the data plane's
 * business.
 * @module
 */

/** Monotonic milliseconds. */
export interface AttemptTimes {
  readonly startedMs: number;
  /** When the head of the response came; −1: not yet. */
  readonly headMs: number;
  /** Last sign of life of the response. */
  readonly progressMs: number;
  /** Since when the client takes nothing more; −1: it does. */
  readonly pausedSinceMs: number;
  /** Time that the client took before that. */
  readonly pausedMs: number;
}

/** `whole`: to its end. `stream`: it has no end worth waiting for. `abandoned`: the client left before the end. */
export type ResponseCourse = 'whole' | 'stream' | 'abandoned';

/**
 * The time after the head that says nothing about the version, because it is as long as the client or the matter
 * itself wants it to be: all of a stream's; of an abandoned body what was in flow, but not the silence before the
 * client gave up, or a version that stops half-way until its clients give up would look fast.
 */
export function flowTime(times: AttemptTimes, course: ResponseCourse, nowMs: number): number {
  const { headMs, progressMs, pausedSinceMs } = times;
  if (headMs < 0 || course === 'whole') return 0;
  const untilMs = course === 'stream' || pausedSinceMs >= 0 ? nowMs : progressMs;
  return Math.max(0, untilMs - headMs);
}

/** What counts as the latency of an attempt that is over at `nowMs`. */
export function attemptLatency(times: AttemptTimes, course: ResponseCourse, nowMs: number): number {
  const { startedMs, headMs, pausedSinceMs, pausedMs } = times;
  if (headMs >= 0 && course !== 'whole')
    return Math.max(0, nowMs - startedMs - flowTime(times, course, nowMs));
  const paused = pausedMs + (pausedSinceMs >= 0 ? nowMs - pausedSinceMs : 0);
  return Math.max(0, nowMs - startedMs - paused);
}

/** Media types of responses that are open for as long as there is something to tell. */
const STREAMS = /^(?:text\/event-stream|multipart\/x-mixed-replace|application\/grpc)(?:$|[\s;+])/i;

export function isStream(mediaType: string | undefined): boolean {
  return mediaType !== undefined && STREAMS.test(mediaType);
}
