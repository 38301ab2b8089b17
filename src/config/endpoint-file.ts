/**
 * Loads the text of a file with endpoints: a list as under `endpoints` in the gateway's file, of fixed addresses.
 * Reads no file.
 * @module
 */

import * as z from 'zod';
import type { LoadResult } from './diagnostic.ts';
import type { ConfigFile } from './findings.ts';
import type { EndpointAddress } from './policies/upstreams.ts';
import { endpointShape, MAX_ENDPOINTS } from './policies/upstreams-schema.ts';
import { checkSchema } from './schema-check.ts';
import { parseYaml } from './yaml-source.ts';

const shape = z.array(endpointShape).max(MAX_ENDPOINTS);

/** JSON is YAML. Pure. */
export function loadEndpointFile(file: ConfigFile): LoadResult<readonly EndpointAddress[]> {
  const source = parseYaml(file);
  const value = checkSchema(source, shape) ?? null;
  return { value, diagnostics: source.findings.list(), sources: { [file.name]: file.text } };
}
