/**
 * An endpoint in its role for one version, and the table of what is known of each. Entries live as long as some
 * configuration uses them; knows how state is shared, the balancer knows what it means.
 * @module
 */

import { type BalanceTarget, TargetState } from '../../core/policy/target-state.ts';
import { AttemptCounts } from './attempt-counts.ts';
import type { Endpoint } from './endpoint.ts';

/** With what only metrics ask for. */
export class CountedState extends TargetState {
  /** That have ended, but those of a match override. */
  readonly attempts = new AttemptCounts();
}

export interface Target extends BalanceTarget {
  readonly endpoint: Endpoint;
  readonly state: CountedState;
}

interface Held {
  readonly state: CountedState;
  users: number;
}

/** States by service, version and origin. */
export class TargetTable {
  readonly #versions = new Map<string, Map<string, Held>>();
  readonly #watchers = new Map<string, Set<() => void>>();

  /** Whether some endpoint of the version is known. */
  knows(version: string): boolean {
    return this.#versions.has(version);
  }

  has(version: string, origin: string): boolean {
    return this.#versions.get(version)?.has(origin) === true;
  }

  /** Counts one more user. `admittedAtMs` is when the endpoint came into rotation, if it is not known yet. */
  acquire(version: string, origin: string, admittedAtMs: number | undefined): CountedState {
    const states = this.#versions.get(version) ?? new Map<string, Held>();
    this.#versions.set(version, states);
    const held = states.get(origin) ?? { state: new CountedState(admittedAtMs), users: 0 };
    states.set(origin, held);
    held.users += 1;
    return held.state;
  }

  /** Gives back what `acquire` gave, once each; the last one forgets the state. */
  release(version: string, origin: string): void {
    const states = this.#versions.get(version);
    const held = states?.get(origin);
    if (states === undefined || held === undefined) return;
    held.users -= 1;
    if (held.users > 0) return;
    states.delete(origin);
    if (states.size === 0) this.#versions.delete(version);
  }

  /** Calls `onChange` for each change of health of the version's endpoints; returns what ends that. */
  watch(version: string, onChange: () => void): () => void {
    const watchers = this.#watchers.get(version) ?? new Set();
    this.#watchers.set(version, watchers);
    watchers.add(onChange);
    return () => {
      watchers.delete(onChange);
      if (watchers.size === 0) this.#watchers.delete(version);
    };
  }

  changed(version: string): void {
    for (const onChange of this.#watchers.get(version) ?? []) onChange();
  }
}
