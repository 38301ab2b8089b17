/**
 * What the cache did with a request, as Cache-Status says it (RFC 9211).
 * @module
 */

/** RFC 9211 §2.2. */
export type ForwardReason = 'bypass' | 'method' | 'uri-miss' | 'vary-miss' | 'request' | 'stale' | 'partial';

export interface CacheReport {
  /** Null: the stored response answered. */
  readonly forwarded: ForwardReason | null;
  /** Status of the upstream where it is not the client's; 0: the same, or none. */
  readonly forwardStatus: number;
  /** Seconds of freshness left, negative when stale; null when it was not computed. */
  readonly ttlS: number | null;
  readonly stored: boolean;
  /** Answered by a request that another caller had under way. */
  readonly collapsed: boolean;
  /** A token, or empty. */
  readonly detail: string;
}

/** `name` is a token that names the cache. */
export function formatCacheStatus(name: string, report: CacheReport): string {
  let text = name;
  if (report.forwarded === null) text += '; hit';
  else text += `; fwd=${report.forwarded}`;
  if (report.forwardStatus !== 0) text += `; fwd-status=${report.forwardStatus}`;
  if (report.ttlS !== null) text += `; ttl=${report.ttlS}`;
  if (report.stored) text += '; stored';
  if (report.collapsed) text += '; collapsed';
  return report.detail === '' ? text : `${text}; detail=${report.detail}`;
}
