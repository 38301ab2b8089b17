/**
 * Opens the tracer that a configuration asks for. Loads OpenTelemetry only then; knows where secrets may be.
 * @module
 */

import type { GatewayConfig } from '../../config/gateway-model.ts';
import { requiredSecret } from '../start-problems.ts';
import type { SpanCounts, Tracer } from './tracer.ts';

/** Null: the configuration wants none. Throws when a secret cannot be read. */
export async function openTracer(
  { tracing, path }: GatewayConfig,
  instance: string,
  counts: SpanCounts,
  env: Readonly<Record<string, string | undefined>> = {},
): Promise<Tracer | null> {
  if (tracing === null) return null;
  const headers: Record<string, string> = {};
  for (const [name, secret] of Object.entries(tracing.headers)) {
    headers[name] = requiredSecret(secret, path, ['tracing', 'headers', name], env);
  }
  const { openOtlpTracer } = await import('./otlp-tracer.ts');
  return openOtlpTracer({ url: tracing.url, headers, instance, counts });
}
