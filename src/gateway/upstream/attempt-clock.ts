/**
 * The times of one attempt, as they are measured. What they mean is decided in the core; knows no responses.
 * @module
 */

import { type AttemptTimes, attemptLatency, flowTime, isStream } from '../../core/policy/attempt-time.ts';

export class AttemptClock implements AttemptTimes {
  readonly startedMs: number;
  headMs = -1;
  progressMs = 0;
  pausedSinceMs = -1;
  pausedMs = 0;
  /** Milliseconds of streaming that are no latency; known once `latency` was asked for. */
  flowMs = 0;

  constructor(startedMs: number) {
    this.startedMs = startedMs;
  }

  /** Time until `resume` is the client's. */
  pause(nowMs: number): void {
    this.pausedSinceMs = nowMs;
  }

  resume(nowMs: number): void {
    this.pausedMs += nowMs - this.pausedSinceMs;
    this.pausedSinceMs = -1;
    this.progressMs = nowMs;
  }

  /** Stands still from the head on: a long stream is no hang. */
  ageMs(nowMs: number): number {
    return (this.headMs < 0 ? nowMs : this.headMs) - this.startedMs;
  }

  /** What counts as the latency of the attempt, which is over. */
  latency(abandoned: boolean, mediaType: string | undefined, nowMs: number): number {
    const course = isStream(mediaType) ? 'stream' : abandoned ? 'abandoned' : 'whole';
    this.flowMs = flowTime(this, course, nowMs);
    return attemptLatency(this, course, nowMs);
  }

  /** Since when there was no sign of life of whom the response waits for. */
  get waitingSinceMs(): number {
    return this.pausedSinceMs >= 0 ? this.pausedSinceMs : this.progressMs;
  }
}
