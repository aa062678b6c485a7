/** A line of the log as people read it on a terminal: time, level, sentence, fields. */

const LEVEL_COLOURS: Readonly<Record<string, string>> = { WARN: '33', ERROR: '31', FATAL: '31' };
const HIDDEN = ['level', 'time', 'pid', 'hostname', 'msg'];

// Escape sequences would act on the terminal; line ends would forge lines.
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones meant
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/g;
const harmless = (text: string): string =>
  text.replace(CONTROL, (one) => `\\x${one.charCodeAt(0).toString(16).padStart(2, '0')}`);

function plain(value: unknown): string {
  if (typeof value === 'string') return /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value);
  return JSON.stringify(value) ?? '';
}

function stackOf(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || !('stack' in value)) return undefined;
  return typeof value.stack === 'string' ? value.stack : undefined;
}

/** `line`: one JSON object of the log. What is none is passed on as it is. */
export function terminalLine(line: string, colours: boolean): string {
  let record: unknown;
  try {
    record = JSON.parse(line);
  } catch {
    return line;
  }
  if (typeof record !== 'object' || record === null) return line;
  const fields: Record<string, unknown> = { ...record };
  const level = String(fields['level']).toUpperCase();
  const time = new Date(String(fields['time'])).toTimeString().slice(0, 8);
  const colour = colours ? LEVEL_COLOURS[level] : undefined;
  const shown = colour === undefined ? level.padEnd(5) : `\u001b[${colour}m${level.padEnd(5)}\u001b[0m`;
  const parts: string[] = [];
  const stacks: string[] = [];
  for (const [name, value] of Object.entries(fields)) {
    if (HIDDEN.includes(name)) continue;
    const stack = stackOf(value);
    if (stack === undefined) parts.push(`${name}=${harmless(plain(value))}`);
    else stacks.push(...stack.split('\n').map((each) => `      ${harmless(each)}`));
  }
  const words = [time, shown, harmless(String(fields['msg'])), ...parts].join(' ');
  return `${[words, ...stacks].join('\n')}\n`;
}
