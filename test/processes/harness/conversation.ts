/** What a controller asks over one connection and what it gets for it, command by command and in order. */
import { parse, textOf } from './resp.ts';

export type Verdict =
  /** The node never hears of it; this is its answer, as it goes over the wire. */
  | { readonly answer: string }
  /** The node is asked this instead, and its answer stands. */
  | { readonly instead: readonly string[] }
  /** The node is asked; this is said in place of its answer. */
  | { readonly say: (answer: Buffer) => Buffer | string }
  /** Asked once this is over, and answered as ever. */
  | { readonly after: Promise<unknown> };

/** Undefined: the command passes. Of several judges the first one that says something counts. */
export type Judge = (words: readonly string[]) => Verdict | undefined;

interface Expected {
  /** Set where the node was not asked. */
  readonly answer?: string;
  readonly say?: (answer: Buffer) => Buffer | string;
}

const command = (words: readonly string[]): string =>
  `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`;

export class Conversation {
  readonly #judge: Judge;
  readonly #toNode: (bytes: Buffer) => void;
  readonly #toPeer: (bytes: Buffer) => void;
  readonly #expected: Expected[] = [];
  #asked: Buffer = Buffer.alloc(0);
  #answered: Buffer = Buffer.alloc(0);
  #order: Promise<unknown> = Promise.resolve();

  constructor(judge: Judge, toNode: (bytes: Buffer) => void, toPeer: (bytes: Buffer) => void) {
    this.#judge = judge;
    this.#toNode = toNode;
    this.#toPeer = toPeer;
  }

  asked(bytes: Buffer): void {
    this.#asked = Buffer.concat([this.#asked, bytes]);
    let at = 0;
    for (let parsed = parse(this.#asked, at); parsed !== undefined; parsed = parse(this.#asked, at)) {
      const [words, next] = parsed;
      const raw = this.#asked.subarray(at, next);
      at = next;
      this.#order = this.#order.then(() => this.#one(Array.isArray(words) ? words.map(textOf) : [], raw));
    }
    this.#asked = this.#asked.subarray(at);
  }

  async #one(words: readonly string[], raw: Buffer): Promise<void> {
    const verdict = this.#judge(words);
    if (verdict === undefined) this.#pass(raw, {});
    else if ('answer' in verdict) {
      this.#expected.push(verdict);
      this.#deliver();
    } else if ('instead' in verdict) this.#pass(Buffer.from(command(verdict.instead)), {});
    else if ('say' in verdict) this.#pass(raw, verdict);
    else {
      await verdict.after;
      this.#pass(raw, {});
    }
  }

  #pass(bytes: Buffer, expected: Expected): void {
    this.#expected.push(expected);
    this.#toNode(bytes);
  }

  answered(bytes: Buffer): void {
    this.#answered = Buffer.concat([this.#answered, bytes]);
    this.#deliver();
  }

  /** What is due, up to the first answer that the node still owes. */
  #deliver(): void {
    for (;;) {
      const head = this.#expected[0];
      if (head === undefined) return;
      if (head.answer !== undefined) {
        this.#expected.shift();
        this.#toPeer(Buffer.from(head.answer));
        continue;
      }
      const parsed = parse(this.#answered, 0);
      if (parsed === undefined) return;
      const raw = this.#answered.subarray(0, parsed[1]);
      this.#answered = this.#answered.subarray(parsed[1]);
      this.#expected.shift();
      this.#toPeer(head.say === undefined ? raw : Buffer.from(head.say(raw)));
    }
  }
}

/** CLUSTERX SETNODES, in a transaction or not. */
export const isPush = ([first = '', second = '']: readonly string[]): boolean =>
  first.toUpperCase() === 'CLUSTERX' && second.toUpperCase() === 'SETNODES';
