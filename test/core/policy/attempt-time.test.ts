import { describe, expect, it } from 'vitest';
import { attemptLatency, flowTime, isStream } from '../../../src/core/policy/attempt-time.ts';

const NOW = 10_000;
const times = { startedMs: 1_000, headMs: 1_200, progressMs: 9_900, pausedSinceMs: -1, pausedMs: 0 };

describe('attemptLatency', () => {
  it.each([
    ['a whole response: to its last byte', times, 'whole', 9_000],
    ['a whole response: without what the client took', { ...times, pausedMs: 500 }, 'whole', 8_500],
    ['a stream: to its head', times, 'stream', 200],
    ['an abandoned flow: to its head, and the short silence', times, 'abandoned', 300],
    ['a body that stopped half-way: with the silence', { ...times, progressMs: 1_300 }, 'abandoned', 8_900],
    [
      'a client that stopped reading and left: to the head',
      { ...times, progressMs: 1_300, pausedSinceMs: 1_400 },
      'abandoned',
      200,
    ],
    ['no head until the client left: all of it', { ...times, headMs: -1, progressMs: 0 }, 'abandoned', 9_000],
  ] as const)('counts of %s', (_case, given, course, expected) => {
    expect(attemptLatency(given, course, NOW)).toBe(expected);
  });

  it('is what is left without the flow', () => {
    for (const course of ['stream', 'abandoned'] as const) {
      expect(attemptLatency(times, course, NOW) + flowTime(times, course, NOW)).toBe(NOW - times.startedMs);
    }
  });
});

describe('isStream', () => {
  it.each([
    'text/event-stream',
    'Text/Event-Stream; charset=utf-8',
    'application/grpc',
    'application/grpc+proto',
    'multipart/x-mixed-replace;boundary=x',
  ])('takes %s for a stream', (type) => expect(isStream(type)).toBe(true));

  it.each([undefined, '', 'text/html', 'text/event-streams', 'application/json'])(
    'does not take %s for one',
    (type) => expect(isStream(type)).toBe(false),
  );
});
