/**
 * A rollout whose operator meets a failure at every single write and read in turn, on a clock that only moves
 * when told: whatever fails, and whether or not it had already taken effect, the promises hold.
 * @module
 */

import { describe, expect, it } from 'vitest';
import type { Plan } from '../../src/core/domain/plan.ts';
import { isActive } from '../../src/core/rollout/state.ts';
import { openSession, type Session } from '../../src/operator/session.ts';
import { startRun } from '../../src/operator/start-run.ts';
import { tick } from '../../src/operator/tick.ts';
import type { Backend } from '../../src/ports/backend.ts';
import { plan } from '../core/rollout/plans.ts';
import { logProblems } from '../support/sluice-client.ts';
import { contextOf, MovedClock, memoryBackend, ReportingGateway } from '../support/sluice-operator.ts';

const LEASE_MS = 10_000;
const MAX_SECONDS = 120;

const promoted: Plan = plan({
  steps: [500, 2_500, 10_000].map((weightBp) => ({
    weightBp,
    holdMs: 2_000,
    minHoldMs: 0,
    requests: 0,
    gate: null,
  })),
});

type When = 'before' | 'after';

/** Counts the operator's calls and lets one of them fail: before it takes effect, or after. */
class Fault {
  calls = 0;
  readonly #failing: number;
  readonly #when: When;

  constructor(failing: number, when: When) {
    this.#failing = failing;
    this.#when = when;
  }

  /** The operator's view of the backend; the gateway's own is sound. */
  around(backend: Backend): Backend {
    return {
      ...backend,
      channel: this.#proxy(backend.channel),
      store: this.#proxy(backend.store),
      telemetry: this.#proxy(backend.telemetry),
      leases: this.#proxy(backend.leases),
    };
  }

  #proxy<T extends object>(port: T): T {
    return new Proxy(port, {
      get: (target, key) => {
        const method: unknown = Reflect.get(target, key);
        if (typeof method !== 'function') return method;
        return async (...args: unknown[]) => {
          const fails = this.calls === this.#failing;
          this.calls += 1;
          if (fails && this.#when === 'before') throw new Error('failed before it took effect');
          const result: unknown = await Reflect.apply(method, target, args);
          if (fails) throw new Error('failed after it took effect');
          return result;
        };
      },
    });
  }
}

interface Outcome {
  readonly phase: string;
  readonly steps: readonly string[];
  readonly problems: readonly string[];
  readonly servedBp: number;
  readonly calls: number;
}

/** One rollout from start to end; each failure kills the operator, and another takes over. */
async function simulate(fault: Fault, badFromSecond: number): Promise<Outcome> {
  const clock = new MovedClock();
  const backend = await memoryBackend(clock);
  const gateway = new ReportingGateway(backend, clock);
  const problems: string[] = [];
  let operators = 0;
  let session: Session | null = null;
  const operate = async (): Promise<void> => {
    const holder = `operator-${operators}`;
    const context = contextOf(fault.around(backend), clock, { holder });
    const lease = await context.backend.leases.acquire('orders', holder, '', LEASE_MS);
    if (!lease.ok) return;
    const { epoch } = lease.grant;
    const record =
      session?.record ??
      (await context.backend.store.load('orders-v2')) ??
      (await startRun(context, promoted, epoch, { kind: 'user', name: 'ada' }, null)).record;
    session ??= openSession(context, record, epoch, []);
    await tick(context, session);
  };
  for (let second = 1; second <= MAX_SECONDS; second += 1) {
    clock.advance(1_000);
    const canary = second >= badFromSecond ? { ok: 10, bad: 10 } : { ok: 20 };
    await gateway.second({ v1: { ok: 80 }, v2: canary });
    try {
      await operate();
    } catch {
      session = null;
      operators += 1;
    }
    const [stored, record] = [await backend.channel.read('orders'), await backend.store.load('orders-v2')];
    const recordedBp = (await backend.store.events('orders-v2', 0, 1000)).at(-1)?.weightAfterBp ?? 0;
    const askedBp = stored?.weights.v2 ?? 0;
    // Raised only after it was recorded; lowered at the latest by the next tick without a failure.
    const allowedBp = record && !isActive(record.state) ? 10_000 : recordedBp;
    if (askedBp > allowedBp) problems.push(`second ${second}: ${askedBp} asked, ${recordedBp} recorded`);
    const settled = stored?.lease === null && record !== null && !isActive(record.state);
    if (settled && gateway.applied?.revision === stored.revision) break;
  }
  const events = await backend.store.events('orders-v2', 0, 1000);
  const record = await backend.store.load('orders-v2');
  await backend.close();
  return {
    phase: record?.state.phase ?? 'none',
    steps: events.map(({ type, step }) => `${type} ${step}`),
    problems: [...problems, ...logProblems(events)],
    servedBp: gateway.applied?.weights.v2 ?? 0,
    calls: fault.calls,
  };
}

describe('a rollout with one failure', { timeout: 120_000 }, () => {
  it.each<When>(['before', 'after'])(
    'anywhere, %s it takes effect, is promoted step by step',
    async (when) => {
      const { calls } = await simulate(new Fault(-1, when), Number.POSITIVE_INFINITY);
      expect(calls).toBeGreaterThan(20);
      for (let failing = 0; failing < calls; failing += 1) {
        const outcome = await simulate(new Fault(failing, when), Number.POSITIVE_INFINITY);
        expect(outcome, `failing call ${failing}`).toMatchObject({
          phase: 'promoted',
          steps: ['started 0', 'advanced 1', 'advanced 2', 'promoted 2'],
          problems: [],
          servedBp: 10_000,
        });
      }
    },
  );

  it.each<When>(['before', 'after'])(
    'anywhere, %s it takes effect, still takes a bad canary to 0',
    async (when) => {
      const { calls } = await simulate(new Fault(-1, when), 5);
      for (let failing = 0; failing < calls; failing += 1) {
        const outcome = await simulate(new Fault(failing, when), 5);
        expect(outcome, `failing call ${failing}`).toMatchObject({
          phase: 'aborted',
          problems: [],
          servedBp: 0,
        });
      }
    },
  );
});
