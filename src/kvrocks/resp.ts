/**
 * RESP as seen by a client: commands written, replies read, both as latin1 strings (one character a byte). What comes
 * from a socket is not trusted: the reader never throws, and what it holds stays within `ReplyLimits`.
 */

/** RESP3's own kinds are folded into these: verbatim, double and big number are `bulk`; a map is a flat `array`. */
export type Reply =
  | { readonly kind: 'simple'; readonly text: string }
  /** With its prefix: `ERR ...`, `MOVED ...`. */
  | { readonly kind: 'error'; readonly text: string }
  | { readonly kind: 'integer'; readonly value: number }
  | { readonly kind: 'bulk'; readonly text: string }
  | { readonly kind: 'nil' }
  | { readonly kind: 'array'; readonly items: readonly Reply[] };

/** Beyond these a reply is garbage, whatever it might have become. */
export interface ReplyLimits {
  /** Bytes of one whole reply. */
  readonly bytes: number;
  /** Items in all arrays of one reply, together. */
  readonly items: number;
  readonly depth: number;
  /** Bytes of one line: a simple text, an error, a length. */
  readonly line: number;
}

/** CLUSTER NODES of 16,384 single slots on 300 nodes is about 0.2 MB; POLLUPDATES with 1,000 entries is the largest. */
export const REPLY_LIMITS: ReplyLimits = { bytes: 16 * 1024 * 1024, items: 100_000, depth: 8, line: 8192 };

const NIL: Reply = { kind: 'nil' };
const OK: Reply = { kind: 'simple', text: 'OK' };
const QUEUED: Reply = { kind: 'simple', text: 'QUEUED' };

interface OpenArray {
  readonly items: Reply[];
  missing: number;
}

/**
 * Cuts a stream of bytes into replies. `push` what was received, then call `next` until it answers undefined. Once
 * `garbled` says why, the stream is lost: nothing can be read from it any more.
 */
export class ReplyReader {
  garbled: string | undefined;
  readonly #limits: ReplyLimits;
  #text = '';
  #at = 0;
  /** Length of `#text` below which no progress is possible: long replies in small pieces are not searched again. */
  #enough = 1;
  /** How far the end of the present line has been looked for. */
  #searched = 0;
  #open: OpenArray[] = [];
  #itemsLeft: number;
  /** Bytes of the present reply that have been read and let go. */
  #taken = 0;

  constructor(limits: ReplyLimits = REPLY_LIMITS) {
    this.#limits = limits;
    this.#itemsLeft = limits.items;
  }

  /** True between replies: nothing has come of the next one. */
  get idle(): boolean {
    return this.#at === this.#text.length && this.#open.length === 0;
  }

  push(bytes: string): void {
    if (this.garbled !== undefined) return;
    this.#text = this.#at === this.#text.length ? bytes : this.#text.slice(this.#at) + bytes;
    this.#enough -= this.#at;
    this.#searched -= this.#at;
    this.#at = 0;
  }

  next(): Reply | undefined {
    while (this.garbled === undefined && this.#text.length >= this.#enough) {
      const start = this.#at;
      const value = this.#one();
      this.#taken += this.#at - start;
      // An unfinished reply is allowed its line's length on top, so that the check needs no case of its own.
      if (this.#taken > this.#limits.bytes) this.#fail('a reply above the limit of bytes');
      if (this.garbled !== undefined) return undefined;
      if (value === undefined) continue;
      const whole = this.#close(value);
      if (whole !== undefined) {
        this.#taken = 0;
        this.#itemsLeft = this.#limits.items;
        return whole;
      }
    }
    return undefined;
  }

  /** Puts a value where it belongs; answers the outermost reply once it is whole. */
  #close(value: Reply): Reply | undefined {
    let done = value;
    for (;;) {
      const parent = this.#open.at(-1);
      if (parent === undefined) return done;
      parent.items.push(done);
      parent.missing -= 1;
      if (parent.missing > 0) return undefined;
      this.#open.pop();
      done = { kind: 'array', items: parent.items };
    }
  }

  /** One value at `#at`, moved behind it. Undefined: more bytes are needed, an array was opened, or it is garbage. */
  #one(): Reply | undefined {
    const text = this.#text;
    const at = this.#at;
    const end = text.indexOf('\r\n', Math.max(at, this.#searched));
    if (end < 0) {
      if (text.length - at > this.#limits.line) return this.#fail('a line above the limit');
      // The `\r` may be there already.
      this.#searched = Math.max(at, text.length - 1);
      this.#enough = text.length + 1;
      return undefined;
    }
    if (end - at > this.#limits.line) return this.#fail('a line above the limit');
    switch (text.charCodeAt(at)) {
      case 0x2b: // +
        return this.#line(end, simple(text.slice(at + 1, end)));
      case 0x2d: // -
        return this.#line(end, { kind: 'error', text: text.slice(at + 1, end) });
      case 0x3a: // :
        return this.#integer(end);
      case 0x24: // $
      case 0x3d: // = verbatim
        return this.#bulk(end);
      case 0x21: // ! RESP3 bulk error
        return this.#bulk(end);
      case 0x2a: // *
      case 0x7e: // ~ set
      case 0x3e: // > push
        return this.#array(end, 1);
      case 0x25: // % map
        return this.#array(end, 2);
      case 0x5f: // _ null
        return end === at + 1 ? this.#line(end, NIL) : this.#fail('a null with a text');
      case 0x2c: // , double
      case 0x28: // ( big number
        return this.#line(end, { kind: 'bulk', text: text.slice(at + 1, end) });
      case 0x23: // # boolean
        return this.#line(end, { kind: 'integer', value: text.charAt(at + 1) === 't' ? 1 : 0 });
      default:
        return this.#fail('no reply: an unknown first byte');
    }
  }

  #line(end: number, reply: Reply): Reply {
    this.#at = end + 2;
    this.#searched = 0;
    this.#enough = this.#at + 1;
    return reply;
  }

  #integer(end: number): Reply | undefined {
    const value = integer(this.#text, this.#at + 1, end);
    return value === undefined ? this.#fail('an integer that is none') : this.#line(end, { kind: 'integer', value });
  }

  #bulk(end: number): Reply | undefined {
    const text = this.#text;
    const type = text.charAt(this.#at);
    const length = integer(text, this.#at + 1, end);
    if (length === -1 && type === '$') return this.#line(end, NIL);
    if (length === undefined || length < 0) return this.#fail('a length that is none');
    if (this.#taken + length > this.#limits.bytes) return this.#fail('a reply above the limit of bytes');
    const from = end + 2;
    const to = from + length;
    if (text.length < to + 2) {
      this.#enough = to + 2;
      return undefined;
    }
    if (text.charCodeAt(to) !== 0x0d || text.charCodeAt(to + 1) !== 0x0a) return this.#fail('a length that is wrong');
    // A verbatim text begins with its format and a colon: `txt:`.
    const content = text.slice(type === '=' ? Math.min(to, from + 4) : from, to);
    return this.#line(to, { kind: type === '!' ? 'error' : 'bulk', text: content });
  }

  #array(end: number, perItem: number): Reply | undefined {
    const count = integer(this.#text, this.#at + 1, end);
    if (count === -1) return this.#line(end, NIL);
    if (count === undefined || count < 0) return this.#fail('a count that is none');
    const items = count * perItem;
    if (items > this.#itemsLeft) return this.#fail('a reply above the limit of items');
    this.#itemsLeft -= items;
    if (items === 0) return this.#line(end, { kind: 'array', items: [] });
    if (this.#open.length >= this.#limits.depth) return this.#fail('arrays nested above the limit');
    this.#line(end, NIL);
    this.#open.push({ items: [], missing: items });
    return undefined;
  }

  #fail(why: string): undefined {
    this.garbled = why;
    this.#text = '';
    this.#at = 0;
    this.#open = [];
    return undefined;
  }
}

function simple(text: string): Reply {
  if (text === 'OK') return OK;
  return text === 'QUEUED' ? QUEUED : { kind: 'simple', text };
}

/** Undefined unless all of it is a decimal integer that a number holds exactly. */
function integer(text: string, from: number, to: number): number | undefined {
  const negative = text.charCodeAt(from) === 0x2d;
  let at = negative || text.charCodeAt(from) === 0x2b ? from + 1 : from;
  if (at >= to || to - at > 16) return undefined;
  let value = 0;
  for (; at < to; at++) {
    const digit = text.charCodeAt(at) - 0x30;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
  }
  if (!Number.isSafeInteger(value)) return undefined;
  return negative && value !== 0 ? -value : value;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is what is meant
const ASCII = /^[\x00-\x7f]*$/;

/** The UTF-8 bytes of a text, a character each. */
export function latin1OfText(text: string): string {
  return ASCII.test(text) ? text : Buffer.from(text, 'utf8').toString('latin1');
}

/** The way back; what is no UTF-8 becomes U+FFFD. */
export function textOfLatin1(bytes: string): string {
  return ASCII.test(bytes) ? bytes : Buffer.from(bytes, 'latin1').toString('utf8');
}

/** A command as the bytes to send. Arguments are texts and go out as UTF-8. */
export function encodeCommand(args: readonly string[]): string {
  let bytes = `*${args.length}\r\n`;
  for (const arg of args) {
    const latin1 = latin1OfText(arg);
    bytes += `$${latin1.length}\r\n${latin1}\r\n`;
  }
  return bytes;
}
