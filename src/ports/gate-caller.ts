/**
 * Asks a webhook gate whether a step may go on. Adapter: webhook.
 * @module
 */

import type { Gate } from '../core/domain/plan.ts';

export type WebhookGate = Extract<Gate, { kind: 'webhook' }>;

/** What the gate is told. */
export interface GateSubject {
  readonly rollout: string;
  readonly service: string;
  readonly run: number;
  /** From 1. */
  readonly step: number;
  readonly weightBp: number;
  /** Share of the users whose requests are mirrored to the canary; left out: nothing is mirrored. */
  readonly mirrorBp?: number;
  readonly baseline: string;
  readonly canary: string;
}

export type GateAnswer =
  | { readonly answer: 'go' | 'stop'; readonly detail: string }
  /** No answer, or none that decides: asked again later. */
  | { readonly answer: 'wait'; readonly detail: string };

export interface GateCaller {
  /** One try. Never rejects but for a bug. */
  ask(gate: WebhookGate, subject: GateSubject, signal: AbortSignal): Promise<GateAnswer>;
}
