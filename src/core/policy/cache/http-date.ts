/**
 * HTTP-date (RFC 9110 §5.6.7) in its three forms → epoch milliseconds. Strict: what no form allows is no date.
 * @module
 */

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const IMF = /^[a-z]{3}, (\d{2}) ([a-z]{3}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) gmt$/i;
const RFC_850 = /^[a-z]{6,9}, (\d{2})-([a-z]{3})-(\d{2}) (\d{2}):(\d{2}):(\d{2}) gmt$/i;
const ASCTIME = /^[a-z]{3} ([a-z]{3}) ([ \d]\d) (\d{2}):(\d{2}):(\d{2}) (\d{4})$/i;

/** Undefined when `text` is no date. `nowMs` settles the century of two-digit years: at most 50 years ahead. */
export function parseHttpDate(text: string, nowMs: number): number | undefined {
  const imf = IMF.exec(text);
  if (imf !== null) {
    const [, day = '', month = '', year = '', ...time] = imf;
    return epochMs(Number(year), month, day, time);
  }
  const asctime = ASCTIME.exec(text);
  if (asctime !== null) {
    const [, month = '', day = '', hour = '', minute = '', second = '', year = ''] = asctime;
    return epochMs(Number(year), month, day, [hour, minute, second]);
  }
  const rfc850 = RFC_850.exec(text);
  if (rfc850 === null) return undefined;
  const [, day = '', month = '', shortYear = '', ...time] = rfc850;
  const thisYear = yearOf(nowMs);
  const year = thisYear - (thisYear % 100) + Number(shortYear);
  return epochMs(year > thisYear + 50 ? year - 100 : year, month, day, time);
}

function epochMs(year: number, monthName: string, day: string, time: readonly string[]): number | undefined {
  const month = MONTHS.indexOf(monthName.toLowerCase());
  const [hour = 0, minute = 0, second = 0] = time.map(Number);
  if (month < 0 || hour > 23 || minute > 59 || second > 60) return undefined;
  const date = Number(day);
  if (date < 1 || date > 31) return undefined;
  return Date.UTC(year, month, date, hour, minute, second);
}

function yearOf(ms: number): number {
  return new Date(ms).getUTCFullYear();
}
