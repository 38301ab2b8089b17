/**
 * The schedule of a rollout file: cron expression, time zone and freeze ranges, as the plan wants them.
 * Knows the calendar; not whether a step wants to advance.
 * @module
 */

import { validate } from 'node-cron';
import type { FreezeWindow, Schedule } from '../core/domain/plan.ts';
import { closest } from './edit-distance.ts';
import type { RolloutYaml } from './rollout-schema.ts';
import type { YamlSource } from './yaml-source.ts';
import { isTimeZone, knownTimeZones, parseMoment } from './zoned-time.ts';

const CRON_FIELDS = ['minutes', 'hours', 'days', 'months', 'weekdays'] as const;
const CRON_EXAMPLE = 'such as "* 9-17 * * 1-5" for working hours';

/** Null when the file has none. Problems are reported at their place. */
export function readSchedule(source: YamlSource, yaml: RolloutYaml['schedule']): Schedule | null {
  if (!yaml) return null;
  const zoneIsKnown = isTimeZone(yaml.timezone);
  if (!zoneIsKnown) {
    const match = closest(yaml.timezone, knownTimeZones());
    source.findings.error(
      source.valueRange(['schedule', 'timezone']),
      `expected an IANA time zone such as Europe/Berlin, got "${yaml.timezone}"`,
      match && `did you mean "${match}"?`,
    );
  }
  checkCron(source, yaml.advance);
  const zone = zoneIsKnown ? yaml.timezone : 'UTC';
  const freeze = yaml.freeze.flatMap((range, index) => readFreeze(source, index, range, zone) ?? []);
  return { advance: yaml.advance ?? null, timezone: yaml.timezone, freeze };
}

function checkCron(source: YamlSource, cron: string | undefined): void {
  if (cron === undefined) return;
  const at = ['schedule', 'advance'];
  const fields = [...cron.matchAll(/\S+/g)];
  // node-cron also takes a leading field of seconds, but steps advance or not by the minute.
  if (fields.length !== CRON_FIELDS.length) {
    const message = `expected a cron expression of five fields (minute hour day month weekday), got ${fields.length}`;
    source.findings.error(source.valueRange(at), message, CRON_EXAMPLE);
    return;
  }
  if (validate(cron)) return;
  // One field at a time, so that the finding is at the field that is wrong.
  for (const [index, field] of fields.entries()) {
    const alone = CRON_FIELDS.map((_, other) => (other === index ? field[0] : '*')).join(' ');
    if (validate(alone)) continue;
    const message = `expected a cron field for ${CRON_FIELDS[index]}, got "${field[0]}"`;
    source.findings.error(source.partRange(at, field.index, field[0].length), message, CRON_EXAMPLE);
    return;
  }
  source.findings.error(source.valueRange(at), `expected a cron expression, got "${cron}"`, CRON_EXAMPLE);
}

function readFreeze(
  source: YamlSource,
  index: number,
  range: string,
  zone: string,
): FreezeWindow | undefined {
  const at = ['schedule', 'freeze', index];
  const slash = range.indexOf('/');
  const parts = slash < 0 ? [] : [range.slice(0, slash), range.slice(slash + 1)];
  const [first, last] = parts;
  if (first === undefined || last === undefined) {
    source.findings.error(
      source.valueRange(at),
      `expected two dates with "/" between them, got "${range}"`,
      'such as 2026-12-20/2027-01-04',
    );
    return undefined;
  }
  const from = parseMoment(first.trim(), zone);
  const to = parseMoment(last.trim(), zone);
  const expected = 'expected a date such as 2026-12-20, or an instant such as 2026-12-20T18:00:00Z';
  if (!from) source.findings.error(source.partRange(at, 0, slash), `${expected}, got "${first}"`);
  if (!to) source.findings.error(source.partRange(at, slash + 1, last.length), `${expected}, got "${last}"`);
  if (!from || !to) return undefined;
  if (from.fromMs >= to.toMs) {
    source.findings.error(source.valueRange(at), `expected the start before the end, got "${range}"`);
    return undefined;
  }
  return { fromMs: from.fromMs, toMs: to.toMs };
}
