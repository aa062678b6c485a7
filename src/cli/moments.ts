/** Moments as people write them. */

export const MOMENT_RULE = 'a time such as 2026-11-25T03:00Z, or 03:00 for the next one; without a zone it is UTC';

const DAY = 86_400_000;
const FULL = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d)?)(Z|[+-]\d\d:\d\d)?$/;
const CLOCK = /^([01]\d|2[0-3]):([0-5]\d)Z?$/;

/** Milliseconds since 1970 of a day and a time; undefined for what is none. */
export function parseDate(text: string): number | undefined {
  const [, day, time, zone = 'Z'] = FULL.exec(text) ?? [];
  const at = day === undefined ? Number.NaN : Date.parse(`${day}T${time}${zone}`);
  return Number.isNaN(at) ? undefined : at;
}

/** Milliseconds since 1970; a time of day is the next one after `now`. Undefined for what is neither. */
export function parseMoment(text: string, now: number): number | undefined {
  if (FULL.test(text)) return parseDate(text);
  const [, hours, minutes] = CLOCK.exec(text) ?? [];
  if (hours === undefined) return undefined;
  const today = Math.floor(now / DAY) * DAY + (Number(hours) * 60 + Number(minutes)) * 60_000;
  return today > now ? today : today + DAY;
}
