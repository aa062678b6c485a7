/** Incremental readers of RESP: commands as a server gets them, replies as a client gets them. Latin1 strings. */

/** Longest inline line; longer ones end the connection (Kvrocks: 16 KiB). */
const INLINE_LIMIT = 16 * 1024;
const BULK_LIMIT = 512 * 1024 * 1024;
const MULTIBULK_LIMIT = 1024 * 1024;

export type Command = { readonly words: readonly string[] } | { readonly broken: string };

/** Commands out of a byte stream: arrays of bulks, or inline lines. Empty ones are skipped. */
export class CommandReader {
  #buffer = '';
  #at = 0;
  /** Words still to come of the array that is being read; undefined between commands. */
  #missing: number | undefined;
  #words: string[] = [];

  push(bytes: string): void {
    this.#buffer = this.#at === this.#buffer.length ? bytes : this.#buffer.slice(this.#at) + bytes;
    this.#at = 0;
  }

  /** The next whole command; undefined if it has not all arrived. After `broken` the stream is of no use. */
  next(): Command | undefined {
    for (;;) {
      if (this.#missing === undefined) {
        if (this.#at >= this.#buffer.length) return undefined;
        if (this.#buffer.charCodeAt(this.#at) !== 42) {
          const inline = this.#inline();
          if (inline === undefined || 'broken' in inline || inline.words.length > 0) return inline;
          continue;
        }
        const head = this.#line();
        if (head === undefined) return undefined;
        const count = wholeNumber(head.slice(1));
        if (count === undefined || count > MULTIBULK_LIMIT) return { broken: 'invalid multibulk length' };
        if (count <= 0) continue;
        this.#missing = count;
        this.#words = [];
      }
      while (this.#missing > 0) {
        const start = this.#at;
        const head = this.#line();
        if (head === undefined) return undefined;
        if (head.charCodeAt(0) !== 36) return { broken: "expected '$'" };
        const size = wholeNumber(head.slice(1));
        if (size === undefined || size < 0 || size > BULK_LIMIT) return { broken: 'invalid bulk length' };
        if (this.#buffer.length < this.#at + size + 2) {
          this.#at = start;
          return undefined;
        }
        this.#words.push(this.#buffer.slice(this.#at, this.#at + size));
        this.#at += size + 2;
        this.#missing -= 1;
      }
      this.#missing = undefined;
      return { words: this.#words };
    }
  }

  #line(): string | undefined {
    const end = this.#buffer.indexOf('\r\n', this.#at);
    if (end < 0) return undefined;
    const line = this.#buffer.slice(this.#at, end);
    this.#at = end + 2;
    return line;
  }

  #inline(): Command | undefined {
    const end = this.#buffer.indexOf('\n', this.#at);
    const length = (end < 0 ? this.#buffer.length : end) - this.#at;
    if (length > INLINE_LIMIT) return { broken: 'invalid bulk length' };
    if (end < 0) return undefined;
    const line = this.#buffer.slice(this.#at, end);
    this.#at = end + 1;
    return { words: line.split(/[ \t\r]+/).filter((word) => word !== '') };
  }
}

function wholeNumber(text: string): number | undefined {
  return /^-?\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/** A reply of one line (`+OK`, `-ERR ...`, `:1`), or the text of a bulk; nil is a bulk of undefined. */
export type PlainReply =
  | { readonly kind: 'line'; readonly text: string }
  | { readonly kind: 'bulk'; readonly text: string | undefined };

/** Replies without arrays, which is all that nodes say to each other. Bulks may be large: chunks are joined once. */
export class ReplyReader {
  #chunks: string[] = [];
  #length = 0;
  /** Bytes of the bulk that is being read, with its line end; undefined between replies. */
  #wanted: number | undefined;

  push(bytes: string): void {
    this.#chunks.push(bytes);
    this.#length += bytes.length;
  }

  next(): PlainReply | undefined {
    if (this.#wanted === undefined) {
      const buffer = this.#joined();
      const end = buffer.indexOf('\r\n');
      if (end < 0) return undefined;
      const head = buffer.slice(0, end);
      this.#rest(buffer.slice(end + 2));
      if (head.charCodeAt(0) !== 36) return { kind: 'line', text: head };
      const size = Number(head.slice(1));
      if (size < 0) return { kind: 'bulk', text: undefined };
      this.#wanted = size + 2;
    }
    if (this.#length < this.#wanted) return undefined;
    const buffer = this.#joined();
    const text = buffer.slice(0, this.#wanted - 2);
    this.#rest(buffer.slice(this.#wanted));
    this.#wanted = undefined;
    return { kind: 'bulk', text };
  }

  #joined(): string {
    if (this.#chunks.length === 1) return this.#chunks[0] ?? '';
    const all = this.#chunks.join('');
    this.#chunks = [all];
    return all;
  }

  #rest(text: string): void {
    this.#chunks = text === '' ? [] : [text];
    this.#length = text.length;
  }
}

/** A command as its RESP array. */
export function writeCommand(words: readonly string[]): string {
  let out = `*${words.length}\r\n`;
  for (const word of words) out += `$${word.length}\r\n${word}\r\n`;
  return out;
}
