/** Text for terminals. */

// A name or a message may come from a node that somebody else runs: it must not move the cursor or end a line.
const CONTROL = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;

/** Without anything that a terminal would obey. */
export const plain = (text: string): string =>
  text.replace(CONTROL, (char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`);

/** A word of a command line as a shell reads it back. */
export const quoted = (word: string): string =>
  /^[\w./:@%+=,[\]-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;

const ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '"': '\\"', '\\': '\\\\' };

/** Any bytes, a character a byte, as redis-cli reads them back: quoted where they are more than a plain word. */
export function bytesText(bytes: string): string {
  if (/^[\w./:@%+=,{}[\]-]+$/.test(bytes)) return bytes;
  const inner = bytes.replace(
    /[^ !#-[\]-~]/g,
    (char) => ESCAPES[char] ?? `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
  return `"${inner}"`;
}

/** `3 nodes`, `1 node`. */
export const counted = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`;

/** A span for people: `350 ms`, `4 s`, `2 min`, `3 h`, `5 d`. */
export function span(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.max(0, Math.round(milliseconds))} ms`;
  const seconds = Math.round(milliseconds / 1000);
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} d`;
}

/** What sets a node apart from the others, if anything does. */
export function traits(node: {
  readonly priority?: number | undefined;
  readonly no_failover?: boolean | undefined;
}): readonly string[] {
  const { priority = USUAL_PRIORITY, no_failover } = node;
  return [
    ...(priority === USUAL_PRIORITY ? [] : [`priority ${priority}`]),
    ...(no_failover === true ? ['no failover'] : []),
  ];
}
const USUAL_PRIORITY = 100;

/** Whether a replica may be promoted, and if not, or if another one comes before it, why. */
export function mayBe(refusals: readonly string[], passedOver: string | null): string {
  if (refusals.length > 0) return `no: ${refusals.join('; ')}`;
  return passedOver === null ? 'yes' : `not first: ${passedOver}`;
}

const LATEST = 8.64e15;
const utc = new Intl.DateTimeFormat('sv-SE', { timeZone: 'UTC', dateStyle: 'short', timeStyle: 'medium' });

/** Milliseconds since 1970 as `2026-11-24 23:13:58Z`; what no calendar holds stays a number. */
export const moment = (wall: number): string => (Math.abs(wall) <= LATEST ? `${utc.format(wall)}Z` : `${wall}`);
