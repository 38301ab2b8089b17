/**
 * What the data plane knows of tracing: spans as plain data, and somebody who takes them. Names no library, so that a
 * gateway without tracing loads none.
 * @module
 */

export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty: the trace begins here. */
  readonly parentId: string;
  /** The parent is in another process. */
  readonly remoteParent: boolean;
  readonly kind: 'server' | 'client' | 'internal';
  readonly name: string;
  /** Epoch milliseconds. */
  readonly startMs: number;
  readonly endMs: number;
  readonly failed: boolean;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
}

/** What became of spans. */
export interface SpanCounts {
  exported: number;
  /** The collector did not take them. */
  failed: number;
  /** Too many were waiting. */
  dropped: number;
}

export interface Tracer {
  readonly counts: SpanCounts;
  /** Never throws, never waits. */
  end(span: Span): void;
  /** Sends what waits. Idempotent. */
  close(): Promise<void>;
}
