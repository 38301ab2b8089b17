/**
 * The mirror that a rollout asks for on one route: whom the split chooses, compared by the route's own rules, and counted
 * for the judge. Knows splits and counters; sends nothing.
 * @module
 */

import { type MirrorPolicy, mirrorOf } from '../../config/policies/mirror.ts';
import { MirrorNoise } from '../../core/analysis/mirror-noise.ts';
import { ASKED_AGAIN } from '../../core/analysis/mirrored.ts';
import type { MirrorShare } from '../../core/split/mirrored.ts';
import type { CompiledMirror, CompiledService, MirrorChooser } from '../snapshot.ts';
import { type MirrorPlace, MirrorState } from './mirror-table.ts';

export interface MirroredRoute {
  readonly name: string;
  /** Of the route; null: the defaults. */
  readonly policy: MirrorPolicy | null;
  readonly service: CompiledService;
}

export class RolloutMirror implements MirrorChooser {
  readonly #route: MirroredRoute;
  readonly #policy: MirrorPolicy;
  readonly #methods: ReadonlySet<string>;
  /** Of the snapshot: what it learnt outlives reloads there. */
  readonly #table: Map<string, MirrorState>;
  readonly #key: string;
  readonly #nowMs: () => number;
  #current: { readonly run: string; readonly mirror: CompiledMirror } | null = null;

  constructor(
    route: MirroredRoute,
    table: Map<string, MirrorState>,
    previous: ReadonlyMap<string, MirrorState> | undefined,
    nowMs: () => number,
  ) {
    this.#route = route;
    this.#policy = { ...(route.policy ?? mirrorOf({})), noise: ASKED_AGAIN };
    this.#methods = new Set(this.#policy.methods);
    this.#table = table;
    this.#key = JSON.stringify(['rollout', route.service.name, route.name, this.#policy]);
    this.#nowMs = nowMs;
    const known = previous?.get(this.#key);
    if (known !== undefined) table.set(this.#key, known);
  }

  choose({ version, stickyKey }: Parameters<MirrorChooser['choose']>[0]): CompiledMirror | null {
    const share = this.#route.service.split.mirror;
    if (share === null || version?.name !== share.baseline || !share.chooses(stickyKey)) return null;
    if (this.#current?.run !== share.run) this.#current = this.#begin(share);
    return this.#current?.mirror ?? null;
  }

  #begin(share: MirrorShare): { readonly run: string; readonly mirror: CompiledMirror } | null {
    const { service, name } = this.#route;
    const version = service.versions.get(share.candidate);
    const baseline = service.versions.get(share.baseline);
    if (version === undefined || baseline === undefined) return null;
    const { run } = share;
    const place = { service: service.name, route: name, candidate: `${service.name}/${version.name}`, run };
    const known = this.#table.get(this.#key);
    const state =
      known?.place.run === run
        ? known
        : judgedState(place, this.#nowMs(), service.split, {
            candidate: version.counter,
            baseline: baseline.counter,
          });
    this.#table.set(this.#key, state);
    return { run, mirror: { policy: this.#policy, version, methods: this.#methods, state } };
  }
}

/** Counters and the split's slot outlive reloads, as this does. */
function judgedState(
  place: MirrorPlace,
  nowMs: number,
  slot: CompiledService['split'],
  counters: Readonly<Record<'candidate' | 'baseline', { noteMirrored(differs: boolean): void }>>,
): MirrorState {
  const noise = new MirrorNoise();
  return new MirrorState(place, nowMs, (arm, places) => {
    const differs = noise.note(arm, places);
    // What comes in after the step is of no use to the next one, nor to another run.
    if (differs !== null && slot.mirror?.run === place.run) counters[arm].noteMirrored(differs);
  });
}
