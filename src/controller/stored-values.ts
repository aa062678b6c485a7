/** Values out of a stored record, read one by one: what is not what it should be is named and the record set aside. */

/** Thrown while reading a record; its message is for people. */
export class Unreadable extends Error {}

export function object(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Unreadable(`${what} is no object`);
  return { ...value };
}

/** Missing and null are empty: the Go controller writes them so. */
export function list(value: unknown, what: string): readonly unknown[] {
  if (value === null || value === undefined) return [];
  if (!Array.isArray(value)) throw new Unreadable(`${what} is no list`);
  return value;
}

export function text(value: unknown, what: string): string {
  if (typeof value !== 'string') throw new Unreadable(`${what} is no text`);
  return value;
}

export function natural(value: unknown, what: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
    throw new Unreadable(`${what} is no whole number`);
  return value;
}

/** Milliseconds since 1970, by a clock that may count parts of them. */
export function time(value: unknown, what: string): number {
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) throw new Unreadable(`${what} is no time`);
  return value;
}

export function boolean(value: unknown, what: string): boolean {
  if (typeof value !== 'boolean') throw new Unreadable(`${what} is neither true nor false`);
  return value;
}

export function oneOf<T extends string>(value: unknown, allowed: readonly T[], what: string): T {
  const found = allowed.find((word) => word === value);
  if (found === undefined) throw new Unreadable(`${what} is none of ${allowed.join(', ')}`);
  return found;
}

export function nullable<T>(value: unknown, what: string, read: (value: unknown, what: string) => T): T | null {
  return value === null ? null : read(value, what);
}

export const each = <T>(value: unknown, what: string, read: (value: unknown, what: string) => T): readonly T[] =>
  list(value, what).map((one, i) => read(one, `${what}[${i}]`));
