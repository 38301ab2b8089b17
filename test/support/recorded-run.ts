/**
 * A whole run in process, recorded: an operator's real ticks and commands on the embedded backend, with a clock that
 * moves by half seconds. Knows scenarios; expects nothing.
 * @module
 */

import type { JudgeMemory } from '../../src/core/analysis/judge.ts';
import type { Plan } from '../../src/core/domain/plan.ts';
import { isActive, type RolloutState } from '../../src/core/rollout/state.ts';
import { createControl } from '../../src/operator/control.ts';
import type { OperatorContext } from '../../src/operator/operator-context.ts';
import type { Session } from '../../src/operator/session.ts';
import { createSessionTable } from '../../src/operator/session-table.ts';
import type { Action } from '../../src/ports/control.ts';
import type { Recordings } from '../../src/ports/recordings.ts';
import type { RolloutStore } from '../../src/ports/rollout-store.ts';
import type { ArmSecond } from '../core/analysis/summaries.ts';
import type { ScrapedSource } from './scraped-source.ts';
import { catalogOf, contextOf, MovedClock, memoryBackend, ReportingGateway } from './sluice-operator.ts';

export interface RunScript {
  readonly plan: Plan;
  /** What the versions do in each second from 1. */
  readonly traffic: (second: number) => Readonly<Record<string, ArmSecond>>;
  /** Commands by the second before which they are given. */
  readonly commands?: Readonly<Record<number, Action>>;
  /** Seconds before which the operator dies and another one takes over. */
  readonly deaths?: readonly number[];
  /** Seconds at whose end nothing can be committed. */
  readonly storeAway?: (second: number) => boolean;
  readonly maxSeconds?: number;
  /** What rules on counters read; it has stored what was scraped by the clock. */
  readonly metrics?: ScrapedSource;
}

export interface RecordedRun {
  readonly lines: readonly string[];
  readonly state: RolloutState;
  /** What the judge remembers at the end. */
  readonly memory: JudgeMemory;
  /** Types of the events on record. */
  readonly events: readonly string[];
}

class MemoryRecordings implements Recordings {
  readonly lines: string[] = [];

  append(_rollout: string, _run: number, head: () => string, line: string): void {
    if (this.lines.length === 0) this.lines.push(head());
    this.lines.push(line);
  }

  async read(): Promise<string | null> {
    return this.lines.length === 0 ? null : `${this.lines.join('\n')}\n`;
  }

  async close(): Promise<void> {}
}

export async function recordRun(script: RunScript): Promise<RecordedRun> {
  const { plan, traffic, commands = {}, deaths = [], maxSeconds = 600, metrics, storeAway } = script;
  const clock = new MovedClock();
  const real = await memoryBackend(clock);
  let away = false;
  const commit: RolloutStore['commit'] = (wanted) =>
    away ? Promise.reject(new Error('no space left on the device')) : real.store.commit(wanted);
  const { load, list, events: eventsOf } = real.store;
  const store = { load, list, events: eventsOf, commit };
  const backend = { ...real, store };
  const gateway = new ReportingGateway(backend, clock);
  const recordings = new MemoryRecordings();
  const actor = { kind: 'user', name: 'ada' } as const;
  const request = (action: Action) => ({
    rollout: plan.rollout,
    action,
    actor,
    expectStep: null,
    expectRun: null,
  });
  const operate = (number: number) => {
    const holder = `operator-${number}`;
    const context: OperatorContext = contextOf(backend, clock, {
      holder,
      recordings,
      metrics: metrics ?? null,
      catalog: catalogOf(plan),
    });
    const sessions = createSessionTable(context);
    return { holder, sessions, control: createControl(context, sessions) };
  };
  const tickNow = async (session: Session): Promise<void> => {
    if (metrics) metrics.nowMs = clock.nowMs();
    await operator.sessions.tickNow(session);
    // Answers that the tick has asked for are there by the next one.
    if (metrics) await new Promise((resolve) => setImmediate(resolve));
  };
  let operator = operate(1);
  await operator.control.act(request({ kind: 'start', source: null, message: null, dryRun: false }));
  for (let second = 1; second <= maxSeconds; second += 1) {
    if (deaths.includes(second)) {
      await backend.leases.release(plan.service, operator.holder);
      operator = operate(second);
      const epoch = await operator.sessions.lease(plan.service);
      const record = await backend.store.load(plan.rollout);
      if (record) await operator.sessions.adopt(record, epoch);
    }
    const command = commands[second];
    if (command) await operator.control.act(request(command));
    clock.advance(500);
    const session = operator.sessions.get(plan.service);
    if (session) await tickNow(session);
    clock.advance(500);
    await gateway.second(traffic(second));
    away = storeAway?.(second) === true;
    if (session) await tickNow(session);
    await operator.sessions.lease(plan.service);
    const record = await backend.store.load(plan.rollout);
    if (record && !isActive(record.state)) break;
  }
  const record = await backend.store.load(plan.rollout);
  const events = await backend.store.events(plan.rollout, 0, 1_000);
  await backend.close();
  if (!record) throw new Error('the run was never recorded');
  const { state, memory } = record;
  return { lines: recordings.lines, state, memory, events: events.map(({ type }) => type) };
}
