import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  AdaptiveLimit,
  type AdaptiveLimits,
  type LoadOutcome,
} from '../../../src/core/policy/adaptive-limit.ts';

const LIMITS: AdaptiveLimits = { min: 4, max: 200, initial: 20 };

/** `windows` windows of twenty requests, all alike. */
function feed(
  limit: AdaptiveLimit,
  windows: number,
  { latencyMs = 50, inFlight = 1_000, outcome = 'ok' as LoadOutcome, fromMs = 0 } = {},
): void {
  for (let window = 0; window < windows; window += 1) {
    for (let i = 0; i < 20; i += 1)
      limit.note(outcome, latencyMs, inFlight, fromMs + window * 1_000 + i * 13.2);
  }
}

interface Server {
  readonly workers: number;
  readonly serviceMs: number;
  /** Requests that want in, as a multiple of what the workers can do. */
  readonly load: number;
}

/** Runs a server with a FIFO queue behind the limit for `durationMs`, from a seed; requests beyond the limit are lost. */
function simulate(limit: AdaptiveLimit, server: Server, durationMs: number, seed: number, fromMs = 0) {
  let state = seed >>> 0;
  const random = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state + 1) / 4_294_967_297;
  };
  const exponential = (mean: number): number => -Math.log(random()) * mean;
  const { workers, serviceMs, load } = server;
  const free = new Array<number>(workers).fill(fromMs);
  const ends: { endMs: number; startMs: number }[] = [];
  let answered = 0;
  let nowMs = fromMs;
  while (nowMs < fromMs + durationMs) {
    nowMs += exponential(serviceMs / workers / load);
    for (;;) {
      const [first] = ends;
      if (first === undefined || first.endMs > nowMs) break;
      limit.note('ok', first.endMs - first.startMs, ends.length, first.endMs);
      ends.shift();
      answered += 1;
    }
    if (ends.length >= limit.limit) continue;
    const worker = free.indexOf(Math.min(...free));
    // Half of the service time is fixed, so that a median is what it says.
    const endMs = Math.max(nowMs, free[worker] ?? 0) + serviceMs / 2 + exponential(serviceMs / 2);
    free[worker] = endMs;
    const at = ends.findIndex((other) => other.endMs > endMs);
    ends.splice(at < 0 ? ends.length : at, 0, { endMs, startMs: nowMs });
  }
  return { answeredPerMs: answered / durationMs, capacityPerMs: workers / serviceMs };
}

describe('AdaptiveLimit', () => {
  it('rises while times stay what they are and the limit is used', () => {
    const limit = new AdaptiveLimit(LIMITS);
    feed(limit, 60);
    expect(limit.limit).toBeGreaterThan(80);
    feed(limit, 200, { fromMs: 60_000 });
    expect(limit.limit).toBe(200);
  });

  it.each<[string, Parameters<typeof feed>[2]]>([
    ['nobody uses it', { inFlight: 3 }],
    ['nobody uses it and times grow', { inFlight: 3, latencyMs: 500 }],
    ['requests say nothing about load', { outcome: 'neutral', latencyMs: 900 }],
  ])('stays where it is while %s', (_name, traffic) => {
    const limit = new AdaptiveLimit(LIMITS);
    feed(limit, 1);
    const before = limit.limit;
    feed(limit, 50, { ...traffic, fromMs: 1_000 });
    expect(limit.limit).toBe(before);
  });

  it('falls when times grow under load, and no further than its lower bound', () => {
    const limit = new AdaptiveLimit(LIMITS);
    feed(limit, 60);
    const before = limit.limit;
    feed(limit, 5, { latencyMs: 500, fromMs: 60_000 });
    expect(limit.limit).toBeLessThan(before * 0.75);
    feed(limit, 60, { latencyMs: 500_000, fromMs: 65_000 });
    expect(limit.limit).toBeGreaterThanOrEqual(LIMITS.min);
  });

  it('falls when more than one request in ten is dropped, however fast the others are', () => {
    const limit = new AdaptiveLimit(LIMITS);
    feed(limit, 60);
    const before = limit.limit;
    for (let i = 0; i < 40; i += 1) {
      limit.note(i % 5 === 0 ? 'dropped' : 'ok', 1, 1_000, 60_000 + i * 20);
    }
    expect(limit.limit).toBeLessThan(before);
  });

  it('judges a window only when it is old enough and has enough samples', () => {
    const limit = new AdaptiveLimit(LIMITS);
    for (let i = 0; i < 1_000; i += 1) limit.note('ok', 50, 1_000, 0);
    for (let i = 0; i < 9; i += 1) limit.note('ok', 50, 1_000, 249);
    expect(limit.limit).toBe(20);
    limit.note('ok', 50, 1_000, 250);
    expect(limit.limit).toBeGreaterThanOrEqual(20);
    expect(limit.baselineMs).toBe(50);
    for (let i = 0; i < 9; i += 1) limit.note('ok', 500, 1_000, 1_000 + i * 1_000);
    expect(limit.baselineMs).toBe(50);
  });

  it('does not let a long overload teach it that slow is normal', () => {
    const limit = new AdaptiveLimit({ min: 4, max: 10_000, initial: 20 });
    simulate(limit, { workers: 10, serviceMs: 50, load: 0.3 }, 20_000, 1);
    simulate(limit, { workers: 10, serviceMs: 50, load: 3 }, 60_000, 2, 20_000);
    const after = limit.limit;
    simulate(limit, { workers: 10, serviceMs: 50, load: 3 }, 1_200_000, 3, 80_000);
    expect(Math.abs(limit.limit - after)).toBeLessThan(after * 0.5);
    expect(limit.limit).toBeLessThan(45);
  });

  it('finds its way back when an upstream has become slower for good', () => {
    const limit = new AdaptiveLimit(LIMITS);
    simulate(limit, { workers: 20, serviceMs: 20, load: 1.5 }, 60_000, 1);
    simulate(limit, { workers: 20, serviceMs: 200, load: 1.5 }, 300_000, 2, 60_000);
    const { answeredPerMs, capacityPerMs } = simulate(
      limit,
      { workers: 20, serviceMs: 200, load: 1.5 },
      60_000,
      3,
      360_000,
    );
    expect(answeredPerMs).toBeGreaterThan(capacityPerMs * 0.8);
  });

  it('settles near what a server can do, without leaving it idle or letting a long queue build up', () => {
    const servers = fc.record({
      workers: fc.integer({ min: 8, max: 40 }),
      serviceMs: fc.integer({ min: 10, max: 200 }),
      load: fc.double({ min: 1.2, max: 4, noNaN: true }),
    });
    fc.assert(
      fc.property(servers, fc.integer({ min: 1, max: 1_000_000 }), (server, seed) => {
        const limit = new AdaptiveLimit({ min: 4, max: 10_000, initial: 4 });
        simulate(limit, server, 60_000, seed);
        const { answeredPerMs, capacityPerMs } = simulate(limit, server, 20_000, seed + 1, 60_000);
        expect(answeredPerMs).toBeGreaterThan(capacityPerMs * 0.75);
        expect(limit.limit).toBeGreaterThanOrEqual(server.workers * 0.7);
        expect(limit.limit).toBeLessThanOrEqual(server.workers * 3 + 12);
      }),
      { numRuns: 30, seed: 7 },
    );
  });

  it('never leaves its bounds, whatever happens', () => {
    const note = fc.record({
      outcome: fc.constantFrom<LoadOutcome>('ok', 'dropped', 'neutral'),
      latencyMs: fc.double({ min: 0, max: 1e6, noNaN: true }),
      inFlight: fc.integer({ min: 1, max: 500 }),
      afterMs: fc.integer({ min: 0, max: 400 }),
    });
    fc.assert(
      fc.property(fc.array(note, { minLength: 50, maxLength: 400 }), (notes) => {
        const limit = new AdaptiveLimit({ min: 3, max: 30, initial: 5 });
        let nowMs = 0;
        for (const { outcome, latencyMs, inFlight, afterMs } of notes) {
          nowMs += afterMs;
          limit.note(outcome, latencyMs, inFlight, nowMs);
          expect(limit.limit).toBeGreaterThanOrEqual(3);
          expect(limit.limit).toBeLessThanOrEqual(30);
        }
      }),
    );
  });
});
