/**
 * A small in-memory Control whose rollouts move only when a test says so, for the API and the CLI over real
 * sockets. The real operator behind the same API is exercised in test/e2e.
 * @module
 */

import { type ErrorCode, SluiceError } from '../../src/core/domain/errors.ts';
import type { RolloutEvent, RolloutEventType } from '../../src/core/domain/rollout-event.ts';
import { FULL_BP } from '../../src/core/domain/weight.ts';
import type { RolloutView, StepView } from '../../src/core/view/rollout-view.ts';
import type { ActRequest, Control, MeasuredTraffic, RolloutChange } from '../../src/ports/control.ts';
import { event, NOON, readyView } from './view-fixture.ts';

/** Phases, words and severities as the real projection pairs them. */
const LOOKS = {
  holding: { word: 'HOLDING', severity: 'active' },
  'awaiting-gate': { word: 'WAITING', severity: 'attention' },
  paused: { word: 'PAUSED', severity: 'attention' },
  promoted: { word: 'PROMOTED', severity: 'good' },
  aborted: { word: 'ABORTED', severity: 'bad' },
  undone: { word: 'UNDONE', severity: 'bad' },
} as const;

export class ScriptedControl implements Control {
  /** Every request that `act` was called with. */
  readonly requests: ActRequest[] = [];
  /** Thrown by the next call of any method, once. */
  failNext: Error | null = null;
  /** Called after each action has been answered: what the operator would do by itself next. */
  afterAct: (() => void) | null = null;
  readonly #views = new Map<string, RolloutView>();
  readonly #events = new Map<string, RolloutEvent[]>();
  readonly #listeners = new Set<(change: RolloutChange) => void>();

  constructor(views: readonly RolloutView[] = [readyView()]) {
    for (const view of views) this.put(view);
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  /** Declares a rollout or replaces it silently. */
  put(view: RolloutView): void {
    this.#views.set(view.rollout, view);
    this.#events.set(view.rollout, [...view.events]);
  }

  async list(): Promise<readonly RolloutView[]> {
    this.#throwPlanned();
    return [...this.#views.values()];
  }

  async view(rollout: string): Promise<RolloutView> {
    this.#throwPlanned();
    return this.#viewOf(rollout);
  }

  async events(rollout: string, afterSequence: number, limit: number): Promise<readonly RolloutEvent[]> {
    this.#throwPlanned();
    this.#viewOf(rollout);
    return (this.#events.get(rollout) ?? []).filter((e) => e.sequence > afterSequence).slice(0, limit);
  }

  /** By rollout. */
  readonly recordings = new Map<string, string>();

  async recording(rollout: string): Promise<string | null> {
    this.#viewOf(rollout);
    return this.recordings.get(rollout) ?? null;
  }

  async storedView(rollout: string): Promise<RolloutView> {
    return this.#viewOf(rollout);
  }

  subscribe(listener: (change: RolloutChange) => void, signal: AbortSignal): void {
    this.#listeners.add(listener);
    signal.addEventListener('abort', () => this.#listeners.delete(listener), { once: true });
  }

  /** What `traffic` answers. */
  measured: MeasuredTraffic | null = null;

  async traffic(rollout: string): Promise<MeasuredTraffic | null> {
    this.#viewOf(rollout);
    return this.measured;
  }

  async act(request: ActRequest): Promise<RolloutView> {
    this.#throwPlanned();
    this.requests.push(request);
    const view = this.#viewOf(request.rollout);
    if (request.expectStep !== null && request.expectStep !== view.step) {
      throw new SluiceError('STEP_MOVED', {
        detail: `it is at step ${view.step + 1}, not ${request.expectStep + 1}`,
        data: { expectedStep: request.expectStep, actualStep: view.step },
      });
    }
    if (request.expectRun !== null && request.expectRun !== view.run) {
      throw new SluiceError('STEP_MOVED', {
        detail: `this is run ${view.run}, not ${request.expectRun}`,
        data: { expectedRun: request.expectRun, actualRun: view.run },
      });
    }
    const next = this.#apply(view, request);
    if (this.afterAct) setImmediate(this.afterAct);
    return next;
  }

  /** One transition of the operator or a person, told to every listener. */
  move(rollout: string, type: RolloutEventType, change: Partial<RolloutView>, by?: string): RolloutView {
    const before = this.#viewOf(rollout);
    const log = this.#events.get(rollout) ?? [];
    const steps = before.steps.map((step, index) => ({
      ...step,
      state: stateOf(index, change.step ?? before.step, change.phase ?? before.phase),
    }));
    const next: RolloutView = {
      ...before,
      steps,
      sentence: `${type} by the script.`,
      version: before.version + 1,
      sinceMs: NOON,
      ...(change.phase && change.phase !== 'ready' ? LOOKS[change.phase] : {}),
      ...change,
    };
    const seed = {
      sequence: (log.at(-1)?.sequence ?? 0) + 1,
      type,
      rollout,
      run: next.run,
      step: next.step,
      weights: [before.weight.setBp, next.weight.setBp] as const,
    };
    const recorded = event(by === undefined ? seed : { ...seed, by });
    log.push(recorded);
    const shown = { ...next, events: log.slice(-20) };
    this.#views.set(rollout, shown);
    this.#events.set(rollout, log);
    this.emit(rollout, [recorded]);
    return shown;
  }

  /** What a tick sends: the view, with or without events. */
  emit(rollout: string, events: readonly RolloutEvent[] = []): void {
    const change = { view: this.#viewOf(rollout), events };
    for (const listener of [...this.#listeners]) listener(change);
  }

  #apply(view: RolloutView, { rollout, action, actor }: ActRequest): RolloutView {
    const at = (setBp: number) => ({ ...view.weight, setBp, revision: view.weight.revision + 1 });
    const active = view.phase === 'holding' || view.phase === 'awaiting-gate' || view.phase === 'paused';
    const need = (allowed: boolean, code: ErrorCode = 'WRONG_PHASE') => {
      if (!allowed) throw new SluiceError(code, { detail: `${rollout} is ${view.phase}` });
    };
    const firstBp = view.steps[0]?.weightBp ?? 0;
    const begin = (message: string | null) => ({
      phase: 'holding' as const,
      step: 0,
      run: view.run + 1,
      message,
      startedAtMs: NOON,
      weight: at(firstBp),
    });
    switch (action.kind) {
      case 'start':
        need(!active, 'ALREADY_RUNNING');
        if (action.dryRun) return view;
        return this.move(rollout, 'started', begin(action.message), actor.name);
      case 'retry':
        need(view.phase === 'aborted' || view.phase === 'undone');
        return this.move(rollout, 'started', begin(action.message), actor.name);
      case 'pause':
        need(view.phase === 'holding');
        return this.move(rollout, 'paused', { phase: 'paused' }, actor.name);
      case 'resume':
        need(view.phase === 'paused');
        return this.move(rollout, 'resumed', { phase: 'holding' }, actor.name);
      case 'promote': {
        need(active);
        const step = action.full ? view.steps.length - 1 : view.step + 1;
        const weightBp = view.steps[step]?.weightBp ?? FULL_BP;
        const done = weightBp === FULL_BP;
        const change = { phase: done ? 'promoted' : 'holding', step, weight: at(weightBp) } as const;
        return this.move(rollout, done ? 'promoted' : 'advanced', change, actor.name);
      }
      case 'abort':
        if (view.phase === 'aborted') return view;
        need(active);
        return this.move(rollout, 'aborted', { phase: 'aborted', weight: at(0) }, actor.name);
      case 'undo':
        need(view.phase === 'promoted');
        return this.move(rollout, 'undone', { phase: 'undone', weight: at(0) }, actor.name);
    }
  }

  #viewOf(rollout: string): RolloutView {
    const view = this.#views.get(rollout);
    if (!view) throw new SluiceError('ROLLOUT_UNKNOWN', { detail: `"${rollout}" is not declared` });
    return view;
  }

  #throwPlanned(): void {
    const error = this.failNext;
    this.failNext = null;
    if (error) throw error;
  }
}

function stateOf(index: number, step: number, phase: RolloutView['phase']): StepView['state'] {
  if (phase === 'promoted' || index < step) return 'done';
  if (index > step) return 'upcoming';
  return phase === 'aborted' || phase === 'undone' ? 'failed' : 'current';
}
