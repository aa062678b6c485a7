/** SQLite's and the file system's failures, told apart as far as the store needs it. */

/** SQLite's primary result codes. */
const BUSY = 5;
const READONLY = 8;
const IOERR = 10;
const CORRUPT = 11;
const FULL = 13;
const CANTOPEN = 14;
const NOTADB = 26;
const PERM = 3;

export type Failure =
  | 'busy'
  | 'full'
  /** The file's content is not what SQLite wrote. */
  | 'damaged'
  /** May not be written, or not reached at all. */
  | 'denied'
  /** The disk answered with an error: what it holds is not known. */
  | 'disk'
  | 'other';

function numberAt(error: unknown, field: string): number | undefined {
  if (!(error instanceof Error)) return undefined;
  const value: unknown = Object.getOwnPropertyDescriptor(error, field)?.value;
  return typeof value === 'number' ? value : undefined;
}

export function failureOf(error: unknown): Failure {
  const code = numberAt(error, 'errcode');
  // The low byte is the primary code, the rest says more of it.
  switch (code === undefined ? undefined : code & 0xff) {
    case BUSY:
      return 'busy';
    case FULL:
      return 'full';
    case CORRUPT:
    case NOTADB:
      return 'damaged';
    case READONLY:
    case CANTOPEN:
    case PERM:
      return 'denied';
    case IOERR:
      return 'disk';
    default:
      return 'other';
  }
}

/** SQLite's or the system's own words. */
export function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
