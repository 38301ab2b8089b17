/**
 * Sends spans to a collector by OTLP over HTTP, in batches, with the SDK of OpenTelemetry. A collector that is slow or
 * down costs spans (counted), never requests. Loaded only by gateways that trace.
 * @module
 */

import { type HrTime, type SpanContext, SpanKind, SpanStatusCode, TraceFlags } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, type ReadableSpan, type SpanExporter } from '@opentelemetry/sdk-trace';
import { MAX_WAITING_SPANS, SPAN_BATCH, SPAN_DELAY_MS, SPAN_TIMEOUT_MS } from '../limits.ts';
import type { Span, SpanCounts, Tracer } from './tracer.ts';

const SCOPE = { name: 'sluice-gateway' };
const KINDS = { server: SpanKind.SERVER, client: SpanKind.CLIENT, internal: SpanKind.INTERNAL } as const;

type Export = Parameters<SpanExporter['export']>;

/** Counts what the one inside does, and knows how many spans are on their way. */
class CountingExporter implements SpanExporter {
  readonly #inner: SpanExporter;
  readonly #counts: SpanCounts;
  waiting = 0;

  constructor(inner: SpanExporter, counts: SpanCounts) {
    this.#inner = inner;
    this.#counts = counts;
  }

  export(spans: Export[0], done: Export[1]): void {
    this.#inner.export(spans, (result) => {
      this.waiting -= spans.length;
      this.#counts[result.code === 0 ? 'exported' : 'failed'] += spans.length;
      done(result);
    });
  }

  shutdown(): Promise<void> {
    return this.#inner.shutdown();
  }
}

export interface OtlpOptions {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Name of the gateway. */
  readonly instance: string;
  readonly counts: SpanCounts;
}

export function openOtlpTracer({ url, headers, instance, counts }: OtlpOptions): Tracer {
  const exporter = new CountingExporter(
    new OTLPTraceExporter({ url, headers: { ...headers }, timeoutMillis: SPAN_TIMEOUT_MS }),
    counts,
  );
  const processor = new BatchSpanProcessor({
    exporter,
    maxQueueSize: MAX_WAITING_SPANS,
    maxExportBatchSize: SPAN_BATCH,
    scheduledDelayMillis: SPAN_DELAY_MS,
    exportTimeoutMillis: 2 * SPAN_TIMEOUT_MS,
  });
  const resource = resourceFromAttributes({
    'service.name': 'sluice-gateway',
    'service.instance.id': instance,
  });
  let closing: Promise<void> | null = null;
  return {
    counts,
    end(span) {
      if (closing !== null || exporter.waiting >= MAX_WAITING_SPANS) {
        counts.dropped += 1;
        return;
      }
      exporter.waiting += 1;
      processor.onEnd(readable(span, resource));
    },
    close() {
      // What cannot be sent any more is counted by the exporter.
      closing ??= processor.shutdown().catch(() => {});
      return closing;
    },
  };
}

function readable(span: Span, resource: ReadableSpan['resource']): ReadableSpan {
  const { traceId, spanId, parentId, remoteParent, startMs } = span;
  const own: SpanContext = { traceId, spanId, traceFlags: TraceFlags.SAMPLED };
  const parent: SpanContext = { ...own, spanId: parentId, isRemote: remoteParent };
  const endMs = Math.max(startMs, span.endMs);
  return {
    name: span.name,
    kind: KINDS[span.kind],
    spanContext: () => own,
    ...(parentId !== '' && { parentSpanContext: parent }),
    startTime: hrTime(startMs),
    endTime: hrTime(endMs),
    duration: hrTime(endMs - startMs),
    status: { code: span.failed ? SpanStatusCode.ERROR : SpanStatusCode.UNSET },
    attributes: { ...span.attributes },
    links: [],
    events: [],
    ended: true,
    resource,
    instrumentationScope: SCOPE,
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  };
}

function hrTime(ms: number): HrTime {
  const seconds = Math.floor(ms / 1000);
  return [seconds, Math.min(999_999_999, Math.round((ms - seconds * 1000) * 1e6))];
}
