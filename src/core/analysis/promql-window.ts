/**
 * Shortens the windows inside a user's PromQL, so that a run is not judged on what happened before it began.
 * Knows of the language only strings, comments and range selectors; checks no query.
 * @module
 */

// Strings and comments are matched first, so that brackets within them are left alone.
const RANGE =
  /"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`|#[^\n]*|\[\s*((?:\d+(?:ms|[smhdwy]))+)(?=\s*[\]:])/g;
const PART = /(\d+)(ms|[smhdwy])/g;

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
  y: 365 * 86_400_000,
};

/**
 * The query with every range, of a selector or a subquery, cut to `longestMs` (whole seconds, at least 1 s). An
 * `offset` stays: whoever compares with last week means last week. So does a range that isn't a plain duration.
 */
export function shortenRanges(query: string, longestMs: number): string {
  const longestSeconds = Math.max(1, Math.floor(longestMs / 1000));
  return query.replaceAll(RANGE, (token: string, range: string | undefined) => {
    if (range === undefined || durationMs(range) <= longestSeconds * 1000) return token;
    return `[${longestSeconds}s`;
  });
}

function durationMs(text: string): number {
  let ms = 0;
  for (const [, amount, unit] of text.matchAll(PART)) ms += Number(amount) * (UNIT_MS[unit ?? ''] ?? 0);
  return ms;
}
