/**
 * The shape of `rollouts/operator.yaml`: what the operator connects to. Optional; all parts have defaults.
 * @module
 */

import * as z from 'zod';
import { duration, httpUrl, listenAddress, name, secret } from './primitives.ts';

const notifier = z.union(
  [
    z.strictObject({
      slack: z.strictObject({ webhookUrl: secret.meta({ description: 'Incoming webhook URL.' }) }),
    }),
    z.strictObject({
      webhook: z.strictObject({
        url: httpUrl,
        signingKey: secret.meta({ description: 'Standard Webhooks secret (whsec_… or raw).' }),
        timeout: duration(100, 60_000).optional().meta({ description: 'Default 10s.' }),
      }),
    }),
    z.literal('log'),
  ],
  { error: 'expected { slack: … }, { webhook: … } or log' },
);

export const operatorSchema = z.strictObject({
  operator: z.strictObject({
    api: z
      .strictObject({
        address: listenAddress.optional().meta({ description: 'Control API. Default 127.0.0.1:7070.' }),
        tokens: z
          .array(z.strictObject({ name, role: z.enum(['viewer', 'operator', 'admin']), token: secret }))
          .max(100)
          .default([]),
      })
      .optional(),
    prometheus: z
      .strictObject({
        url: httpUrl,
        timeout: duration(100, 60_000).optional().meta({ description: 'Default 5s.' }),
        interval: duration(1000, 600_000)
          .optional()
          .meta({ description: 'Between two evaluations of a query. Default 10s.' }),
        scrapeInterval: duration(100, 120_000).optional().meta({
          description: 'Between two scrapes of the counters that rules read. Default: as their samples show.',
        }),
        bearerToken: secret.optional(),
      })
      .optional(),
    notifiers: z.record(name, notifier).default({}),
  }),
});

export type OperatorYaml = z.output<typeof operatorSchema>['operator'];
