/**
 * The JSON Schemas that editors use, generated from the same zod schemas that the loaders check with.
 * Knows which file each belongs to; writes none.
 * @module
 */

import * as z from 'zod';
import { gatewaySchema } from './gateway-schema.ts';
import { operatorSchema } from './operator-schema.ts';
import { rolloutSchema } from './rollout-schema.ts';

const SCHEMAS = {
  'rollouts/rollout.schema.json': { title: 'Sluice rollout', schema: rolloutSchema },
  'rollouts/operator.schema.json': { title: 'Sluice operator', schema: operatorSchema },
  'proxy/gateway.schema.json': { title: 'Sluice gateway', schema: gatewaySchema },
} as const;

/** Text of each schema file by its path from the root of the repository. Draft 7: the newest editors share. */
export function jsonSchemaFiles(): Readonly<Record<string, string>> {
  const files: Record<string, string> = {};
  for (const [path, { title, schema }] of Object.entries(SCHEMAS)) {
    const { $schema, ...rest } = z.toJSONSchema(schema, { target: 'draft-7', io: 'input' });
    files[path] = `${JSON.stringify({ $schema, title, ...rest }, null, 2)}\n`;
  }
  return files;
}
