import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  Breaker,
  type BreakerLimits,
  type BreakerOutcome,
  type BreakerState,
  REFUSED,
} from '../../../src/core/policy/breaker.ts';

const LIMITS: BreakerLimits = {
  errorShare: 0.2,
  slow: null,
  windowMs: 10_000,
  minimum: 20,
  openMs: 5_000,
  recoverMs: 10_000,
};

/** One attempt that is admitted and over at once. */
function attempt(breaker: Breaker, nowMs: number, outcome: BreakerOutcome, latencyMs = 1): boolean {
  const ticket = breaker.admit(nowMs, 0);
  if (ticket === REFUSED) return false;
  breaker.settle(ticket, nowMs, outcome, latencyMs);
  return true;
}

function many(breaker: Breaker, count: number, nowMs: number, outcome: BreakerOutcome, latencyMs = 1): void {
  for (let i = 0; i < count; i += 1) attempt(breaker, nowMs, outcome, latencyMs);
}

function tripped(limits: Partial<BreakerLimits> = {}): Breaker {
  const breaker = new Breaker({ ...LIMITS, ...limits });
  many(breaker, 20, 0, 'failed');
  expect(breaker.state).toBe('open');
  return breaker;
}

describe('Breaker', () => {
  it.each<[string, Partial<BreakerLimits>, [number, BreakerOutcome, number][], BreakerState]>([
    ['stays closed below its minimum, even when all fail', {}, [[19, 'failed', 1]], 'closed'],
    ['opens at the minimum', {}, [[20, 'failed', 1]], 'open'],
    [
      'stays closed below its share',
      {},
      [
        [17, 'ok', 1],
        [3, 'failed', 1],
      ],
      'closed',
    ], // 15 %
    [
      'opens at its share',
      {},
      [
        [16, 'ok', 1],
        [4, 'failed', 1],
      ],
      'open',
    ], // 20 %
    [
      'does not count client errors',
      {},
      [
        [500, 'client-error', 1],
        [20, 'failed', 1],
      ],
      'open',
    ],
    [
      'does not count client aborts',
      {},
      [
        [19, 'failed', 1],
        [500, 'neutral', 1],
      ],
      'closed',
    ],
    [
      'opens for slowness alone',
      { errorShare: null, slow: { overMs: 500, share: 0.5 } },
      [
        [10, 'ok', 1],
        [10, 'ok', 501],
      ],
      'open',
    ],
    [
      'takes the threshold itself for fast',
      { errorShare: null, slow: { overMs: 500, share: 0.5 } },
      [[40, 'ok', 500]],
      'closed',
    ],
    [
      'ignores errors when only slowness is watched',
      { errorShare: null, slow: { overMs: 500, share: 0.5 } },
      [[40, 'failed', 1]],
      'closed',
    ],
  ])('%s', (_title, limits, steps, state) => {
    const breaker = new Breaker({ ...LIMITS, ...limits });
    for (const [count, outcome, latencyMs] of steps) many(breaker, count, 1_000, outcome, latencyMs);
    expect(breaker.state).toBe(state);
  });

  it('forgets what left the window', () => {
    const breaker = new Breaker(LIMITS);
    many(breaker, 19, 500, 'failed');
    many(breaker, 19, 10_500, 'failed');
    expect(breaker.state).toBe('closed');
    many(breaker, 1, 10_500, 'failed');
    expect(breaker.state).toBe('open');
  });

  it('refuses everything while open and says for how long', () => {
    const breaker = tripped();
    expect([breaker.isOpen(4_999), breaker.openForMs(1_000)]).toEqual([true, 4_000]);
    expect(breaker.admit(4_999, 0)).toBe(REFUSED);
    expect(breaker.refusals).toBe(1);
    expect(breaker.isOpen(5_000)).toBe(false);
  });

  it('lets one probe through at first, whatever chance says, and no second one until it is answered', () => {
    const breaker = tripped();
    const probe = breaker.admit(5_000, 0.999);
    expect(probe).not.toBe(REFUSED);
    expect(breaker.admit(9_000, 0)).toBe(REFUSED);
    breaker.settle(probe, 9_000, 'ok', 1);
    expect(breaker.admit(9_000, 0.39)).not.toBe(REFUSED);
    expect(breaker.admit(9_000, 0.41)).toBe(REFUSED);
  });

  it('never has more unanswered probes than answers plus one: a hanging upstream is spared', () => {
    const breaker = tripped();
    attempt(breaker, 5_000, 'ok');
    attempt(breaker, 10_000, 'ok');
    const admitted = Array.from({ length: 100 }, () => breaker.admit(14_000, 0)).filter((t) => t !== REFUSED);
    expect(admitted).toHaveLength(3);
  });

  it('closes when the recovery time is over and answers are good', () => {
    const breaker = tripped();
    attempt(breaker, 5_000, 'ok');
    expect(breaker.state).toBe('half-open');
    attempt(breaker, 15_000, 'ok');
    expect(breaker.state).toBe('closed');
  });

  it('takes a client error for a sign of life while it recovers', () => {
    const breaker = tripped({ recoverMs: 0 });
    attempt(breaker, 5_000, 'client-error');
    expect(breaker.state).toBe('closed');
  });

  it('opens again after five bad probes, and its time starts anew', () => {
    const breaker = tripped();
    many(breaker, 5, 6_000, 'failed');
    expect([breaker.state, breaker.trips, breaker.openForMs(6_000)]).toEqual(['open', 2, 5_000]);
  });

  it('goes on probing after a probe whose client went away', () => {
    const breaker = tripped();
    expect(attempt(breaker, 5_000, 'neutral')).toBe(true);
    expect(attempt(breaker, 5_001, 'ok')).toBe(true);
  });

  it('ignores what attempts from before it opened have to say', () => {
    const breaker = new Breaker({ ...LIMITS, recoverMs: 0 });
    const early = breaker.admit(0, 0);
    many(breaker, 20, 0, 'failed');
    const probe = breaker.admit(5_000, 0);
    breaker.settle(early, 5_000, 'ok', 1);
    expect(breaker.state).toBe('half-open');
    breaker.settle(probe, 5_000, 'ok', 1);
    expect(breaker.state).toBe('closed');
  });

  it('property: agrees with a model that remembers every attempt', () => {
    const event = fc.record({
      gapMs: fc.integer({ min: 0, max: 3_000 }),
      outcome: fc.constantFrom<BreakerOutcome>('ok', 'failed', 'failed', 'neutral', 'client-error'),
      random: fc.double({ min: 0, max: 0.999, noNaN: true }),
    });
    const limits: BreakerLimits = { ...LIMITS, minimum: 8, errorShare: 0.5, openMs: 2_000, recoverMs: 4_000 };
    fc.assert(
      fc.property(fc.array(event, { maxLength: 300 }), (events) => {
        const breaker = new Breaker(limits);
        const model = new Model(limits);
        let nowMs = 0;
        for (const { gapMs, outcome, random } of events) {
          nowMs += gapMs;
          const ticket = breaker.admit(nowMs, random);
          expect(ticket !== REFUSED).toBe(model.admits(nowMs, random));
          if (ticket !== REFUSED) {
            breaker.settle(ticket, nowMs, outcome, 1);
            model.settle(nowMs, outcome);
          }
          expect(breaker.state).toBe(model.state);
        }
      }),
    );
  });

  it('property: never trips on fewer attempts than its minimum, however they are spread', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 20_000 }), { maxLength: 60 }), (gapsMs) => {
        const breaker = new Breaker(LIMITS);
        const atMs: number[] = [];
        let nowMs = 0;
        for (const gapMs of gapsMs) {
          nowMs += gapMs;
          if (!attempt(breaker, nowMs, 'failed')) break;
          atMs.push(nowMs);
          const recent = atMs.filter((each) => each > nowMs - LIMITS.windowMs).length;
          if (breaker.state === 'open') expect(recent).toBeGreaterThanOrEqual(LIMITS.minimum);
        }
      }),
    );
  });
});

/** One attempt at a time, each over at once; windows in whole tenths, as the breaker promises. */
class Model {
  readonly #limits: BreakerLimits;
  state: BreakerState = 'closed';
  #sinceMs = 0;
  #answered = 0;
  #past: { bucket: number; failed: boolean }[] = [];

  constructor(limits: BreakerLimits) {
    this.#limits = limits;
  }

  admits(nowMs: number, random: number): boolean {
    if (this.state === 'open' && nowMs - this.#sinceMs >= this.#limits.openMs)
      this.#enter('half-open', nowMs);
    if (this.state === 'closed') return true;
    if (this.state === 'open') return false;
    return this.#answered === 0 || random * this.#limits.recoverMs < nowMs - this.#sinceMs;
  }

  settle(nowMs: number, outcome: BreakerOutcome): void {
    if (outcome === 'neutral') return;
    const bucket = Math.floor(nowMs / (this.#limits.windowMs / 10));
    if (outcome !== 'failed') this.#answered += 1;
    if (outcome !== 'client-error') {
      this.#past = this.#past.filter((each) => each.bucket > bucket - 10);
      this.#past.push({ bucket, failed: outcome === 'failed' });
    }
    const failed = this.#past.filter((each) => each.failed).length;
    const over = failed > 0 && failed >= 0.5 * this.#past.length;
    const needed = this.state === 'closed' ? this.#limits.minimum : 5;
    if (outcome !== 'client-error' && this.#past.length >= needed && over) this.#enter('open', nowMs);
    else if (this.state === 'half-open' && this.#answered > 0 && !over) {
      if (nowMs - this.#sinceMs >= this.#limits.recoverMs) this.#enter('closed', nowMs);
    }
  }

  #enter(state: BreakerState, nowMs: number): void {
    this.state = state;
    this.#sinceMs = nowMs;
    this.#answered = 0;
    this.#past = [];
  }
}
