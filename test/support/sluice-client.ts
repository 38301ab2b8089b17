/**
 * A typed client of the control API for tests, and the waits that rollouts need. Knows the API's paths and
 * nothing of the processes behind it.
 * @module
 */

import { createHash } from 'node:crypto';
import type { RolloutEvent } from '../../src/core/domain/rollout-event.ts';
import { brokenLink } from '../../src/core/rollout/chain.ts';
import type { RolloutView } from '../../src/core/view/rollout-view.ts';

export type Verb = 'start' | 'pause' | 'resume' | 'promote' | 'abort' | 'retry' | 'undo';

/** An RFC 9457 problem that the API answered with. */
export class ApiProblem extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, body: { readonly code?: string; readonly detail?: string }) {
    super(`${status} ${body.code}: ${body.detail ?? ''}`);
    this.status = status;
    this.code = body.code ?? '';
  }
}

export class ControlClient {
  readonly url: string;

  constructor(url: string) {
    this.url = url;
  }

  view(rollout: string): Promise<RolloutView> {
    return this.#call('GET', rollout);
  }

  act(rollout: string, verb: Verb, body: Readonly<Record<string, unknown>> = {}): Promise<RolloutView> {
    return this.#call('POST', `${rollout}/${verb}`, body);
  }

  async events(rollout: string): Promise<readonly RolloutEvent[]> {
    const { events } = await this.#call<{ events: RolloutEvent[] }>('GET', `${rollout}/events?limit=1000`);
    return events;
  }

  /**
   * Polls until the view fits; an operator that is down meanwhile only delays. Fails with the last view, or
   * when the rollout has ended otherwise.
   */
  async until(
    rollout: string,
    what: string,
    fits: (view: RolloutView) => boolean,
    deadlineMs = 90_000,
  ): Promise<RolloutView> {
    const endMs = performance.now() + deadlineMs;
    let last = 'no answer';
    while (performance.now() < endMs) {
      try {
        const view = await this.view(rollout);
        if (fits(view)) return view;
        last = describe(view);
        if (view.severity === 'bad') break;
      } catch (error) {
        last = String(error);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`${rollout} was not ${what} within ${deadlineMs} ms: ${last}`);
  }

  untilWord(rollout: string, word: string, deadlineMs?: number): Promise<RolloutView> {
    return this.until(rollout, word, (view) => view.word === word, deadlineMs);
  }

  async #call<T>(method: 'GET' | 'POST', path: string, body?: Readonly<Record<string, unknown>>): Promise<T> {
    const response = await fetch(`${this.url}/api/v1/rollouts/${path}`, {
      method,
      ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(30_000),
    });
    const answer = await response.json();
    if (!response.ok) throw new ApiProblem(response.status, answer as { code?: string; detail?: string });
    return answer as T;
  }
}

function describe(view: RolloutView): string {
  const { word, step, sentence, progress, evidence, gateways } = view;
  return JSON.stringify({ word, step, sentence, progress, evidence, gateways });
}

/** What happened at which step, such as `advanced 1`. */
export function stepsOf(events: readonly RolloutEvent[]): readonly string[] {
  return events.map(({ type, step }) => `${type} ${step}`);
}

/** SHA-256 in hex, as the operator chains its log. */
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** What is wrong with a log of one rollout: broken links, gaps, steps skipped or done twice. Empty: nothing. */
export function logProblems(events: readonly RolloutEvent[]): readonly string[] {
  const problems: string[] = [];
  const broken = brokenLink(events, sha256);
  if (broken !== null) problems.push(`the hash chain breaks at ${broken}`);
  let run = 0;
  let step = -1;
  let weightBp = 0;
  for (const [index, event] of events.entries()) {
    if (event.sequence !== index + 1) problems.push(`sequence ${event.sequence} at place ${index + 1}`);
    if (event.run !== run) {
      if (event.type !== 'started' || event.run !== run + 1) problems.push(`run ${event.run} begins oddly`);
      run = event.run;
      step = -1;
      weightBp = 0;
    }
    const moves = event.type === 'started' || event.type === 'advanced' || event.type === 'gate-passed';
    if (event.step !== step + (moves ? 1 : 0))
      problems.push(`${event.type} leads from step ${step} to ${event.step}`);
    if (event.weightBeforeBp !== weightBp)
      problems.push(`${event.sequence}: ${weightBp} before, ${event.weightBeforeBp} recorded`);
    step = event.step;
    weightBp = event.weightAfterBp;
  }
  return problems;
}
