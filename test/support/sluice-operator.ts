/**
 * An operator's parts in process: a context on the embedded backend with a clock that tests move, and a gateway
 * that only acknowledges and reports. Knows no process and no socket.
 * @module
 */

import { createHash } from 'node:crypto';
import { openEmbedded } from '../../src/adapters/embedded/open-embedded.ts';
import { createSequentialJudge } from '../../src/core/analysis/sequential-judge.ts';
import type { Plan } from '../../src/core/domain/plan.ts';
import type { SplitDocument } from '../../src/core/domain/split-document.ts';
import type { OperatorContext } from '../../src/operator/operator-context.ts';
import type { Backend } from '../../src/ports/backend.ts';
import type { PlanCatalog } from '../../src/ports/plan-catalog.ts';
import { type ArmSecond, summary } from '../core/analysis/summaries.ts';
import { silentLogger } from './silent-logger.ts';

/** A whole minute, so that seconds of summaries are easy to read. */
export const START_MS = 1_800_000_000_000;

export class MovedClock {
  #nowMs = START_MS;

  readonly nowMs = (): number => this.#nowMs;

  advance(ms: number): void {
    this.#nowMs += ms;
  }
}

export function catalogOf(...plans: readonly Plan[]): PlanCatalog {
  return {
    plans: async () => plans,
    async plan(rollout) {
      const found = plans.find((plan) => plan.rollout === rollout);
      if (!found) throw new Error(`the test declares no ${rollout}`);
      return found;
    },
    compile: () => Promise.reject(new Error('nothing to compile here')),
    defaultVersion: async () => 'v1',
  };
}

export async function memoryBackend(clock: MovedClock): Promise<Backend> {
  return openEmbedded({ dir: null, clock });
}

export function contextOf(
  backend: Backend,
  clock: MovedClock,
  changes: Partial<OperatorContext> = {},
): OperatorContext {
  return {
    backend,
    catalog: catalogOf(),
    createJudge: createSequentialJudge,
    metrics: null,
    metricsIntervalMs: 1_000,
    scrapeIntervalMs: null,
    gates: { ask: async () => ({ answer: 'wait', detail: 'nobody is asked in this test' }) },
    recordings: null,
    notifiers: [],
    clock,
    digest: (text) => createHash('sha256').update(text).digest('hex'),
    logger: silentLogger,
    holder: 'operator-1',
    contact: () => 'http://127.0.0.1:1',
    tickMs: 500,
    ...changes,
  };
}

/** A gateway that applies whatever the channel holds, and says what its versions did in the second before. */
export class ReportingGateway {
  readonly #backend: Backend;
  readonly #clock: MovedClock;
  #sequence = 0;
  applied: SplitDocument | null = null;

  constructor(backend: Backend, clock: MovedClock) {
    this.#backend = backend;
    this.#clock = clock;
  }

  async second(arms: Readonly<Record<string, ArmSecond>>): Promise<void> {
    this.#sequence += 1;
    this.applied = await this.#backend.channel.read('orders');
    const second = Math.floor(this.#clock.nowMs() / 1000) - 1;
    await this.#backend.telemetry.emit(summary(second, arms, { sequence: this.#sequence }));
    if (!this.applied) return;
    await this.#backend.channel.acknowledge({
      gateway: 'gw-1',
      incarnation: 'a',
      service: 'orders',
      revision: this.applied.revision,
      state: 'applied',
    });
  }
}
