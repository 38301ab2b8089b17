/**
 * Dates and instants of freeze ranges as epoch milliseconds, in an IANA time zone.
 * Knows the calendar through `Intl`; reads no clock.
 * @module
 */

const DAY_MS = 86_400_000;
const DATE = /^(\d{4})-(\d{2})-(\d{2})$/;
/** RFC 3339 §5.6. */
const INSTANT =
  /^(\d{4}-\d{2}-\d{2})[Tt]([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d)(?:\.\d{1,9})?)?([Zz]|[+-]\d{2}:\d{2})$/;

/** Whether `Intl` knows the zone. */
export function isTimeZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}

/** The zone closest to nothing but a typing error is found among these. */
export function knownTimeZones(): readonly string[] {
  return ['UTC', ...Intl.supportedValuesOf('timeZone')];
}

/**
 * `2026-12-20` (a whole day in `zone`) or an RFC 3339 instant → the first and the first excluded millisecond.
 * An instant is the empty interval at itself. `undefined` when the text is neither or no day of the calendar.
 */
export function parseMoment(text: string, zone: string): { fromMs: number; toMs: number } | undefined {
  const day = parseDay(text);
  if (day !== undefined) return { fromMs: startOfDay(day, zone), toMs: startOfDay(day + DAY_MS, zone) };
  const instant = INSTANT.exec(text);
  if (!instant || parseDay(instant[1] ?? '') === undefined) return undefined;
  const ms = Date.parse(text.toUpperCase());
  return Number.isNaN(ms) ? undefined : { fromMs: ms, toMs: ms };
}

/** Midnight UTC of a date that the calendar has. */
function parseDay(text: string): number | undefined {
  const match = DATE.exec(text);
  if (!match) return undefined;
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])];
  const ms = Date.UTC(year, month - 1, day);
  const date = new Date(ms);
  return year >= 1970 && date.getUTCMonth() === month - 1 && date.getUTCDate() === day ? ms : undefined;
}

/** The first instant of the day whose midnight, were it UTC, is `dayMs`. */
function startOfDay(dayMs: number, zone: string): number {
  const offsets = [offsetAt(dayMs - DAY_MS, zone), offsetAt(dayMs + DAY_MS, zone)];
  const candidates = offsets.map((offset) => dayMs - offset).sort((a, b) => a - b);
  const exact = candidates.find((ms) => ms + offsetAt(ms, zone) === dayMs);
  // Where the clocks skip midnight, the day starts at the change: that is midnight by the offset before it.
  return exact ?? dayMs - (offsets[0] ?? 0);
}

/** Local time minus UTC at an instant, milliseconds. */
function offsetAt(ms: number, zone: string): number {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  const parts = new Map(format.formatToParts(ms).map((part) => [part.type, Number(part.value)]));
  const of = (type: Intl.DateTimeFormatPartTypes): number => parts.get(type) ?? 0;
  const local = Date.UTC(of('year'), of('month') - 1, of('day'), of('hour'), of('minute'), of('second'));
  return local - Math.floor(ms / 1000) * 1000;
}
