/**
 * A rollout event as other systems receive it: a CloudEvent (specification 1.0, structured JSON).
 * The single source of its shape and JSON Schema; fields are added, never renamed or removed.
 * @module
 */

import * as z from 'zod';
import { eventId, type RolloutEvent } from '../../core/domain/rollout-event.ts';

const basisPoints = z.int().min(0).max(10_000);
const epochMs = z.int().min(0);

const rateArm = z.object({
  bad: z.number().min(0).meta({
    description:
      '5xx responses and attempts without a response; with of: differences, mirrored answers that differ.',
  }),
  total: z.number().min(0),
});
const quantileArm = z.object({
  total: z.number().min(0),
  valueMs: z.number().nullable().meta({ description: 'Null for an infinite value.' }),
});

const evidence = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('rate'),
    of: z.literal('differences').optional().meta({ description: 'Left out: failures of requests.' }),
    windowMs: z.number(),
    canary: rateArm,
    baseline: rateArm.nullable(),
    limit: z.number().min(0).optional().meta({ description: 'The rate that the rule allows the canary.' }),
  }),
  z.object({
    kind: z.literal('quantile'),
    windowMs: z.number(),
    quantile: z.number().min(0).max(1),
    canary: quantileArm,
    baseline: quantileArm.nullable(),
    limitMs: z.number().min(0).optional().meta({ description: 'What the rule allows the canary.' }),
  }),
  z.object({
    kind: z.literal('scalar'),
    query: z.string(),
    value: z.number().nullable().meta({ description: 'Null for an infinite value, which JSON cannot hold.' }),
    sampledAtMs: epochMs,
  }),
  z.object({
    kind: z.literal('none'),
    cause: z.string().meta({ description: 'Such as no-traffic, stale, source-down, empty.' }),
    detail: z.string().optional(),
  }),
]);

const proof = z
  .object({
    worse: z
      .number()
      .min(0)
      .meta({ description: 'Evidence that the canary is worse: 1 when nothing is known.' }),
    share: z.number().min(0).max(1).meta({ description: 'Share of the error budget that the rule has.' }),
    needed: z.number().min(1).meta({
      description: 'What the broken rules’ sum of share · worse has to reach for an abort.',
    }),
    fine: z.number().min(0).meta({ description: 'Evidence, in this step, that the canary keeps the limit.' }),
    fineNeeded: z.number().min(1).meta({ description: 'What fine has to reach for the step to be proven.' }),
    environment: z.boolean().meta({ description: 'The baseline provably breaks the same fixed limit.' }),
    instance: z.string().optional().meta({
      description: 'Endpoint of the canary in which its failures gather; worse is without it then.',
    }),
  })
  .meta({ description: 'Evidence that holds however often it is looked at.' });

const check = z.object({
  rule: z.int().min(0).meta({ description: 'Index into the abort list of the rollout.' }),
  text: z.string().meta({ description: 'The rule as written.' }),
  segment: z.string().optional().meta({
    description: 'Part of the traffic that the check is about, such as route=checkout. Left out: all of it.',
  }),
  verdict: z.enum(['pass', 'fail', 'undecided', 'no-evidence']),
  breachedSinceMs: epochMs.nullable(),
  evidence,
  proof: proof.nullable().meta({ description: 'Null for a rule that decides by its threshold alone.' }),
  summary: z.string().meta({ description: 'One sentence with the numbers.' }),
});

/** The `data` of the CloudEvent. */
const rolloutEventData = z
  .object({
    event: z
      .enum([
        'started',
        'advanced',
        'awaiting-gate',
        'gate-passed',
        'paused',
        'resumed',
        'aborted',
        'promoted',
        'undone',
      ])
      .meta({ description: 'What happened; also the last part but one of the type of the CloudEvent.' }),
    rollout: z.string(),
    service: z.string(),
    baseline: z.string().meta({ description: 'Version that served before.' }),
    canary: z.string().meta({ description: 'Version being released.' }),
    run: z.int().min(1).meta({ description: '1, 2, 3 … per rollout: each start and retry is a run.' }),
    sequence: z.int().min(1).meta({ description: '1, 2, 3 … per rollout; orders its events.' }),
    step: z.int().min(0).meta({ description: 'Index of the step after the event, from 0.' }),
    weightBeforeBp: basisPoints.meta({ description: 'Canary’s share before, basis points: 100 is 1 %.' }),
    weightAfterBp: basisPoints.meta({ description: 'Canary’s share after, basis points.' }),
    mirrorBp: basisPoints.optional().meta({
      description:
        'Share of users whose requests are mirrored to the canary after the event, basis points. Left out: nothing is mirrored.',
    }),
    reason: z.object({
      code: z.string().meta({
        description:
          'REQUESTED, HOLD_COMPLETE, GATE, RULE, NO_EVIDENCE, OVERTIME, LAST_STEP_COMPLETE; more may come.',
      }),
      text: z.string().meta({ description: 'One sentence for people.' }),
    }),
    actor: z.object({ kind: z.enum(['operator', 'user']), name: z.string() }),
    checks: z.array(check).meta({ description: 'The checks that the decision rested on.' }),
    hash: z.string().meta({ description: 'Of the event in the audit trail, SHA-256 in hex.' }),
  })
  .meta({
    title: 'Data of a rollout event',
    description:
      'The data attribute of CloudEvents of type dev.sluice.rollout.*.v1. Fields may be added: ignore unknown ones.',
  });

export type RolloutEventData = z.output<typeof rolloutEventData>;

export interface RolloutCloudEvent {
  readonly specversion: '1.0';
  /** The same on every delivery. */
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly subject: string;
  /** RFC 3339, UTC. */
  readonly time: string;
  readonly datacontenttype: 'application/json';
  readonly data: RolloutEventData;
}

export function rolloutCloudEvent(event: RolloutEvent): RolloutCloudEvent {
  return {
    specversion: '1.0',
    id: eventId(event),
    source: `/sluice/${encodeURIComponent(event.service)}`,
    type: `dev.sluice.rollout.${event.type}.v1`,
    subject: event.rollout,
    time: new Date(event.atMs).toISOString(),
    datacontenttype: 'application/json',
    data: {
      event: event.type,
      rollout: event.rollout,
      service: event.service,
      baseline: event.baseline,
      canary: event.canary,
      run: event.run,
      sequence: event.sequence,
      step: event.step,
      weightBeforeBp: event.weightBeforeBp,
      weightAfterBp: event.weightAfterBp,
      ...(event.mirrorBp !== undefined && { mirrorBp: event.mirrorBp }),
      reason: { code: event.code, text: event.reason },
      actor: { ...event.actor },
      checks: event.evidence.map((one) => ({ ...one })),
      hash: event.hash,
    },
  };
}

/** Throws when a received `data` is not of this shape. */
export function parseRolloutEventData(data: unknown): RolloutEventData {
  return rolloutEventData.parse(data);
}

/** JSON Schema (2020-12) of `data`, as `docs/rollout-event.schema.json` publishes it. */
export function rolloutEventJsonSchema(): object {
  // The input side of the schema leaves room for fields that are still to come.
  return z.toJSONSchema(rolloutEventData, { io: 'input' });
}
