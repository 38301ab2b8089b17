/**
 * W3C Trace Context (level 1 and 2): reads and writes `traceparent`, vets `tracestate`.
 * Pure; knows neither where ids come from nor which request they belong to.
 * @module
 */

export interface TraceParent {
  /** 32 lower-case hex digits, never all zero. */
  readonly traceId: string;
  /** 16 lower-case hex digits of the caller's span, never all zero. */
  readonly parentId: string;
  /** Two lower-case hex digits; bit 0 says that the caller samples. */
  readonly flags: string;
}

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const ZERO_TRACE = '0'.repeat(32);
const ZERO_PARENT = '0'.repeat(16);
/** Trace Context §3.3.1.1: at most 32 list members. */
const MAX_TRACESTATE_MEMBERS = 32;
/** Trace Context §3.3.1.5 asks to carry at least 512 characters; longer lists are dropped whole. */
const MAX_TRACESTATE_LENGTH = 2048;

/**
 * Parses a `traceparent` field. Undefined when it is malformed, so that the caller starts a new trace.
 * Versions above 00 may carry more parts after the flags (§4.3); version ff is forbidden (§3.2.2.1).
 */
export function parseTraceParent(text: string): TraceParent | undefined {
  const match = TRACEPARENT.exec(text);
  if (match === null) return undefined;
  const [, version, traceId, parentId, flags, rest] = match;
  if (traceId === undefined || parentId === undefined || flags === undefined) return undefined;
  if (version === 'ff' || traceId === ZERO_TRACE || parentId === ZERO_PARENT) return undefined;
  if (version === '00' && rest !== undefined) return undefined;
  return { traceId, parentId, flags };
}

/** Bit of the flags that says that the caller may have recorded the trace (§3.2.2.5.1). */
export const SAMPLED_BIT = 0x01;

/** Writes version 00, the newest one this gateway speaks (§4.3). */
export function formatTraceParent(traceId: string, spanId: string, flags: string): string {
  return `00-${traceId}-${spanId}-${flags}`;
}

/** The flags that may be passed on: only the sampled and (level 2) random bits are defined. */
export function knownFlags(flags: string): string {
  return (Number.parseInt(flags, 16) & 0x03).toString(16).padStart(2, '0');
}

const PRINTABLE = /^[\t\x20-\x7e]*$/;
/** A member by level 2 (§3.3.1.3): `@` may stand anywhere in a key but first; a value does not end in space. */
const MEMBER =
  /^[a-z0-9][a-z0-9_\-*/@]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;

/**
 * Whether a `tracestate` list may be passed on. One that is malformed or too long is dropped whole: what a vendor
 * reads from a half is worse than nothing. Empty members count, and keys that repeat are no mistake (§3.3.1.3).
 */
export function isSoundTraceState(text: string): boolean {
  if (text.length > MAX_TRACESTATE_LENGTH || !PRINTABLE.test(text)) return false;
  const members = text.split(',');
  if (members.length > MAX_TRACESTATE_MEMBERS) return false;
  return members.every((member) => {
    const trimmed = member.trim();
    return trimmed === '' || MEMBER.test(trimmed);
  });
}
