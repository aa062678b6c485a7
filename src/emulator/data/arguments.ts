/** Reading the words of a command and writing numbers, as Kvrocks 2.14 does, with its error texts. */
import type { Reply } from '../reply.ts';

/** An error reply on its way out of a command; nothing has been changed when it is thrown. */
export class Refusal extends Error {
  readonly reply: Reply;
  constructor(text: string) {
    super(text);
    this.reply = { kind: 'error', text: `ERR ${text}` };
  }
}

export const texts = {
  notInteger: 'value is not an integer or out of range',
  notFloat: 'value is not a valid float',
  notPositive: 'value is out of range, must be positive',
  syntax: 'syntax error',
  arity: 'wrong number of arguments',
  expireTime: 'invalid expire time',
  noSuchKey: 'no such key',
  wrongType: 'Invalid argument: WRONGTYPE Operation against a key holding the wrong kind of value',
} as const;

const INT64_MAX = 9223372036854775807n;
export const INT64_MIN = -9223372036854775808n;

/** A whole signed 64-bit decimal, leading blanks and a plus taken as C does. */
export function parseInt64(word: string): bigint | undefined {
  if (!/^[\t-\r ]*[+-]?\d+$/.test(word)) return undefined;
  const value = BigInt(word.trim());
  return value > INT64_MAX || value < INT64_MIN ? undefined : value;
}

/** The same as a number; exact only up to 2^53. */
export function parseNumber(word: string): number | undefined {
  if (word.length < 16 && /^-?\d+$/.test(word)) return Number(word);
  const value = parseInt64(word);
  return value === undefined ? undefined : Number(value);
}

/** A 32-bit integer: positions, ranks and most counts. */
export function integer(word: string, refusal: string = texts.notInteger): number {
  const value = parseNumber(word);
  if (value === undefined || value < -2147483648 || value > 2147483647) throw new Refusal(refusal);
  return value;
}

/** A 64-bit integer with the texts of the server's general parser, behind `prefix`. */
export function optionInt64(word: string, prefix = ''): bigint {
  const value = parseInt64(word);
  if (value !== undefined) return value;
  const rest = /^[\t-\r ]*[+-]?\d+(.*)$/s.exec(word);
  if (rest === null) throw new Refusal(`${prefix}not started as an integer`);
  throw new Refusal(
    `${prefix}${rest[1] === '' ? 'Numerical result out of range' : 'encounter non-integer characters'}`,
  );
}

/** The number behind an option's word. */
export function optionInteger(word: string | undefined, atLeast = Number.NEGATIVE_INFINITY): number {
  if (word === undefined) throw new Refusal('no more item to parse');
  const value = Number(optionInt64(word));
  if (value < atLeast) throw new Refusal('out of numeric range');
  return value;
}

/** The sum of two signed 64-bit integers; refused beyond 64 bits. */
export function addInt64(a: bigint, b: bigint): bigint {
  const sum = a + b;
  if (sum > INT64_MAX || sum < INT64_MIN) {
    throw new Refusal('Invalid argument: increment or decrement would overflow');
  }
  return sum;
}

const FLOAT = /^[\t-\r ]*([+-]?(?:\d+\.?\d*(?:e[+-]?\d+)?|\.\d+(?:e[+-]?\d+)?|inf(?:inity)?|nan))$/i;

/** A C double, `inf` and `nan` included. */
export function parseFloat64(word: string): number | undefined {
  const found = FLOAT.exec(word)?.[1]?.toLowerCase();
  if (found === undefined) return undefined;
  if (found.endsWith('nan')) return Number.NaN;
  if (found.includes('inf')) return found.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  const value = Number(found);
  return Number.isFinite(value) ? value : undefined;
}

export function float(word: string, refusal: string = texts.notFloat): number {
  const value = parseFloat64(word);
  if (value === undefined) throw new Refusal(refusal);
  return value;
}

/** A double as replies show it: 17 significant digits, as C's `%.17g`. */
export function floatText(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e17) return Object.is(value, -0) ? '-0' : String(value);
  if (value === Number.POSITIVE_INFINITY) return 'inf';
  if (value === Number.NEGATIVE_INFINITY) return '-inf';
  if (Number.isNaN(value)) return 'nan';
  const [digits = '', power = '0'] = value.toExponential(16).split('e');
  const exponent = Number(power);
  if (exponent < -4 || exponent >= 17) {
    const mantissa = digits.includes('.') ? digits.replace(/\.?0+$/, '') : digits;
    return `${mantissa}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
  }
  const fixed = value.toFixed(Math.max(0, 16 - exponent));
  return fixed.includes('.') ? fixed.replace(/\.?0+$/, '') : fixed;
}

/** A double as INCRBYFLOAT and HINCRBYFLOAT store it: six places (Kvrocks replies `8.5` and stores `8.500000`). */
export function storedFloatText(value: number): string {
  return Math.abs(value) < 1e21 ? value.toFixed(6) : `${BigInt(value)}.000000`;
}

const globs = new Map<string, RegExp>();

/** A glob with `*`, `?`, `[a-z]`, `[^a]` and backslashes as a regular expression over a whole key. */
export function glob(pattern: string): RegExp {
  const known = globs.get(pattern);
  if (known !== undefined) return known;
  if (globs.size > 1000) globs.clear();
  const made = new RegExp(`^${globSource(pattern)}$`, 's');
  globs.set(pattern, made);
  return made;
}

const quote = (char: string): string => char.replace(/[\\^$.*+?()[\]{}|/-]/, '\\$&');

function globSource(pattern: string): string {
  let source = '';
  for (let i = 0; i < pattern.length; i++) {
    const char = pattern.charAt(i);
    switch (char) {
      case '*':
        if (!source.endsWith('.*')) source += '.*';
        break;
      case '?':
        source += '.';
        break;
      case ']':
        throw new Refusal('Invalid glob pattern: Unmatched unescaped ]');
      case '\\':
        i++;
        if (i === pattern.length) throw new Refusal('Invalid glob pattern: Trailing unescaped backslash');
        source += quote(pattern.charAt(i));
        break;
      case '[': {
        const group = globGroup(pattern, i + 1);
        source += group.source;
        i = group.end;
        break;
      }
      default:
        source += quote(char);
    }
  }
  return source;
}

function globGroup(pattern: string, from: number): { readonly source: string; readonly end: number } {
  let source = '';
  let i = from;
  const inverted = pattern[i] === '^';
  if (inverted) i++;
  for (; i < pattern.length && pattern[i] !== ']'; i++) {
    if (pattern[i] === '\\') {
      i++;
      source += quote(pattern.charAt(i));
    } else if (pattern[i + 1] === '-') {
      if (i + 2 >= pattern.length) throw new Refusal('Invalid glob pattern: Unterminated character range');
      const ends = [pattern.charAt(i), pattern.charAt(i + 2)].sort();
      source += ends.map(quote).join('-');
      i += 2;
    } else {
      source += quote(pattern.charAt(i));
    }
  }
  if (i >= pattern.length) throw new Refusal('Invalid glob pattern: Unterminated [ group');
  if (source === '') return { source: inverted ? '.' : '(?!)', end: i };
  return { source: `[${inverted ? '^' : ''}${source}]`, end: i };
}
