/**
 * The shape of `rollouts/<name>.yaml`: the single source of its types, its checks and its JSON Schema.
 * Rule expressions are parsed in `rule-expression.ts`, relations checked in `rollout-config.ts`.
 * @module
 */

import * as z from 'zod';
import { duration, headerName, httpUrl, name, percentBp } from './primitives.ts';
import { autoSchema } from './rollout-auto.ts';
import { statedTraffic } from './rollout-traffic.ts';

const SECOND = 1000;
const DAY = 86_400_000;

const gate = z.union(
  [
    z.literal('manual'),
    z.strictObject({
      webhook: httpUrl.meta({ description: 'Asked by POST until it answers 2xx (go) or 403 (abort).' }),
      interval: duration(SECOND, DAY).optional().meta({ description: 'Default 10s.' }),
      timeout: duration(100, 60 * SECOND)
        .optional()
        .meta({ description: 'Default 10s.' }),
    }),
  ],
  { error: 'expected manual or { webhook: https://… }' },
);

/** Either a weight or a mirror: checked in `rollout-steps.ts`, in better words than a union has. */
const step = z.strictObject({
  weight: percentBp.optional().meta({ description: 'Share of the users that the canary gets.' }),
  mirror: percentBp.optional().meta({
    description:
      'Share of the users whose requests the canary is asked too, before it has any users: its answers are compared with the baseline’s, judged by rules such as differs > 1%, and thrown away. Before all weights.',
  }),
  hold: z
    .union(
      [duration(0, 30 * DAY), z.strictObject({ min: duration(0, 30 * DAY), max: duration(0, 30 * DAY) })],
      { error: 'expected a duration such as 10m, or { min: 2m, max: 10m }' },
    )
    .optional()
    .meta({
      description:
        'Time with evidence at this weight; with advance: proven at most so long, and at least min (default a fifth). Default 0s.',
    }),
  requests: z.int().min(0).optional().meta({
    description:
      'Canary requests to judge at this weight before advancing, or answers to compare of a mirror. Default: what the rules need.',
  }),
  gate: gate.optional(),
});

const rule = z.strictObject({
  when: z.string().meta({
    description:
      'Such as 5xx > 2x, 5xx > 1%, p95 > +50%, p99 > 800ms, differs > 1%, promql: <query> > 0.5, or promql: sum(increase(<bad>[$interval])) / sum(increase(<all>[$interval])) > 2x',
    examples: ['5xx > 2x'],
  }),
  over: duration(SECOND, DAY).optional().meta({ description: 'Window of the estimate. Default 5m.' }),
  for: duration(0, DAY)
    .optional()
    .meta({ description: 'How long the condition must hold without a break. Default 0s.' }),
  requests: z.int().min(1).optional().meta({
    description:
      'Canary requests in the window below which nothing is concluded. Default 1, of quantiles as many as have one above it (20 for p95); 50 of quantiles from Prometheus.',
  }),
  floor: percentBp.optional().meta({
    description:
      'Of a comparison of error rates: the canary must also fail more often than this, such as 0.1%. Default: no floor.',
  }),
  source: z
    .enum(['telemetry', 'prometheus'])
    .optional()
    .meta({ description: 'Default telemetry, the gateways’ own stream.' }),
});

const noEvidenceAction = z.enum(['hold', 'pause', 'abort']);

const override = z.strictObject({
  header: headerName.optional(),
  claim: z.string().min(1).optional(),
  equals: z.string(),
  version: name,
});

export const rolloutSchema = z.strictObject({
  rollout: name.meta({ description: 'Name of the rollout; also the name of the file.' }),
  service: name.meta({ description: 'A service of the gateway configuration.' }),
  baseline: name.meta({ description: 'Version that serves now.' }),
  canary: name.meta({ description: 'Version to release.' }),
  guarantee: z
    .strictObject({
      falseAbort: percentBp.optional().meta({
        description:
          'How often a healthy canary may be aborted, over all rules, segments, steps and looks of a rollout. Default 1%.',
      }),
      segments: percentBp
        .refine((bp) => bp <= 5_000, { error: 'expected 0% to 50%' })
        .optional()
        .meta({
          description:
            'Part of that for comparisons within segments of the traffic; 0% for none. Default 10%.',
        }),
    })
    .optional(),
  steps: z
    .union([z.literal('auto'), z.array(step).min(1).max(100)], { error: 'expected a list of steps, or auto' })
    .meta({ description: 'auto: weights and holds are decided while the rollout runs, within `auto`.' }),
  auto: autoSchema.optional().meta({ description: 'What steps: auto decides within.' }),
  abort: z.array(rule).max(50).default([]),
  advance: z
    .strictObject({
      when: z.enum(['proven', 'elapsed']),
      unproven: z.enum(['advance', 'hold']).optional().meta({
        description: 'When the hold ends without a proof: go on and say so, or wait for it. Default advance.',
      }),
    })
    .optional()
    .meta({
      description: 'Default elapsed. proven: evidence that the canary keeps its limits may shorten a hold.',
    }),
  onNoEvidence: z
    .union([noEvidenceAction, z.strictObject({ after: duration(SECOND, DAY), do: noEvidenceAction })])
    .optional()
    .meta({
      description:
        'What to do without traffic or metrics. Time without evidence never counts. Default hold, after 1m.',
    }),
  onOperatorLoss: z
    .strictObject({ after: duration(2 * SECOND, DAY), do: z.enum(['baseline', 'keep']) })
    .optional()
    .meta({
      description:
        'What gateways do by themselves when no operator renews the canary’s weight. Default 30s, baseline.',
    }),
  schedule: z
    .strictObject({
      advance: z
        .string()
        .optional()
        .meta({ description: 'Cron expression; steps advance only in the minutes that it matches.' }),
      timezone: z.string().default('UTC'),
      freeze: z.array(z.string()).max(1000).default([]).meta({
        description: 'Date ranges without advancing, such as 2026-12-20/2027-01-04 (both days included).',
      }),
    })
    .optional(),
  notify: z.array(name).max(20).default([]),
  traffic: statedTraffic.optional(),
  salt: z
    .string()
    .min(1)
    .max(128)
    .optional()
    .meta({ description: 'Seeds the choice of canary users. Default: service/rollout.' }),
  overrides: z.array(override).max(50).default([]).meta({
    description: 'Forces a version by header or JWT claim, for testers. Their requests are not judged.',
  }),
});

export type RolloutYaml = z.output<typeof rolloutSchema>;
export type StepYaml = z.output<typeof step>;

/** None with `steps: auto`. */
export function listedSteps({ steps }: RolloutYaml): readonly StepYaml[] {
  return steps === 'auto' ? [] : steps;
}
