/**
 * The life of an API version: when it is deprecated (RFC 9745), when it may stop working (RFC 8594), and the fields
 * that say so. Pure: the time is an argument.
 * @module
 */

export interface LifecyclePolicy {
  /** Epoch milliseconds, whole seconds. */
  readonly deprecatedMs: number;
  /** Never before `deprecatedMs` (RFC 9745 §4). Null: not known yet. */
  readonly sunsetMs: number | null;
  /** Page that explains it; null: none. */
  readonly link: string | null;
  /** Where the version after this one is; null: none. */
  readonly successor: string | null;
  /** After the sunset, requests are answered with 410. */
  readonly goneAfterSunset: boolean;
}

/** `announced`: the deprecation lies ahead. */
export const LIFECYCLE_STATES = ['announced', 'deprecated', 'sunset', 'gone'] as const;
export type LifecycleState = (typeof LIFECYCLE_STATES)[number];

export function lifecycleState(policy: LifecyclePolicy, nowMs: number): LifecycleState {
  if (policy.sunsetMs !== null && nowMs >= policy.sunsetMs) return policy.goneAfterSunset ? 'gone' : 'sunset';
  return nowMs >= policy.deprecatedMs ? 'deprecated' : 'announced';
}

/** Name, value, name, value … for every response of the route. They do not change with time. */
export function lifecycleFields(policy: LifecyclePolicy): readonly string[] {
  const { deprecatedMs, sunsetMs, link, successor } = policy;
  const fields = ['Deprecation', `@${Math.floor(deprecatedMs / 1000)}`];
  if (sunsetMs !== null) fields.push('Sunset', new Date(sunsetMs).toUTCString());
  if (link !== null) {
    fields.push('Link', `<${link}>; rel="deprecation"`);
    if (sunsetMs !== null) fields.push('Link', `<${link}>; rel="sunset"`);
  }
  if (successor !== null) fields.push('Link', `<${successor}>; rel="successor-version"`);
  return fields;
}

const OWN: ReadonlySet<string> = new Set(['deprecation', 'sunset']);

/** Fields that the policy says once for all: what an upstream says of the same is left out. Lower case. */
export function isLifecycleField(name: string): boolean {
  return OWN.has(name);
}

/** Callers that are counted by name; the rest share one name, so that metrics stay bounded. */
export class KnownCallers {
  readonly #limit: number;
  readonly #names = new Set<string>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The name to count `caller` by: its own while there is room, else `_other`. Empty: `_anonymous`. */
  labelOf(caller: string): string {
    if (caller === '') return '_anonymous';
    if (this.#names.has(caller)) return caller;
    if (this.#names.size >= this.#limit || caller.length > MAX_CALLER_LENGTH || caller.startsWith('_'))
      return '_other';
    this.#names.add(caller);
    return caller;
  }
}

/** Longer names would only fill the metrics. */
const MAX_CALLER_LENGTH = 128;
