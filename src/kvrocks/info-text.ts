/** `key:value` lines, as INFO and CLUSTER INFO write them. */

/** Values are trimmed: some lines have a blank after the colon. Headers (`# Server`) and empty lines are left out. */
export function infoFields(text: string): Map<string, string> {
  const fields = new Map<string, string>();
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':');
    if (colon > 0 && !line.startsWith('#')) fields.set(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  return fields;
}

/** A whole number from 0 up to what a number holds exactly; undefined for anything else. */
export function natural(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,16}$/.test(text)) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : undefined;
}
