/** A log entry as one line of text: on disk, and from a master to its replicas. */
import type { LogEntry } from './data/port.ts';

const lines = new WeakMap<LogEntry, string>();

/** JSON without a line end; made once for each entry. */
export function lineOf(entry: LogEntry): string {
  const known = lines.get(entry);
  if (known !== undefined) return known;
  const { sequence, count, effects, slots, apart } = entry;
  const line = JSON.stringify(apart ? [sequence, count, effects, slots, 1] : [sequence, count, effects, slots]);
  lines.set(entry, line);
  return line;
}

/** Undefined if the text is no whole line. */
export function readLine(line: string): LogEntry | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (!Array.isArray(value)) return undefined;
  const [sequence, count, effects, slots, apart]: unknown[] = value;
  if (typeof sequence !== 'number' || typeof count !== 'number') return undefined;
  if (!isEffects(effects) || !isNumbers(slots)) return undefined;
  const entry: LogEntry =
    apart === 1 ? { sequence, count, effects, slots, apart: true } : { sequence, count, effects, slots };
  lines.set(entry, line);
  return entry;
}

function isNumbers(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'number');
}

export function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

export function isEffects(value: unknown): value is readonly (readonly string[])[] {
  return Array.isArray(value) && value.every(isTexts);
}
