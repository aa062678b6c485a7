/**
 * As much of Lua as scripts of tests need: statements of `redis.call`, and `return` of a literal, a key, an argument, a
 * call or a table of these. Anything else is a syntax error.
 */
import type { Reply } from './reply.ts';

export interface ScriptContext {
  readonly keys: readonly string[];
  readonly args: readonly string[];
  /** Executes a command; errors are replies. */
  call(words: readonly string[]): Reply;
}

type Value = Reply;

class ScriptError extends Error {
  readonly reply: Reply;
  constructor(reply: Reply) {
    super('script error');
    this.reply = reply;
  }
}

const TOKEN =
  /\s*(?:--[^\n]*\n?\s*)*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|-?\d+(?:\.\d+)?|[A-Za-z_][A-Za-z0-9_]*|[[\]().,{};])/y;

/** The reply of the script as a client gets it. */
export function runScript(source: string, context: ScriptContext): Reply {
  try {
    return new Parser(source, context).run();
  } catch (thrown) {
    if (thrown instanceof ScriptError) return thrown.reply;
    throw thrown;
  }
}

class Parser {
  readonly #tokens: string[];
  readonly #context: ScriptContext;
  #at = 0;

  constructor(source: string, context: ScriptContext) {
    this.#tokens = tokensOf(source);
    this.#context = context;
  }

  run(): Reply {
    while (this.#at < this.#tokens.length) {
      if (this.#skip(';')) continue;
      if (this.#skip('return')) {
        if (this.#peek() === undefined) return { kind: 'nil' };
        return asReply(this.#value());
      }
      this.#value();
    }
    return { kind: 'nil' };
  }

  #value(): Value {
    const token = this.#next();
    if (token.startsWith('"') || token.startsWith("'")) return { kind: 'bulk', text: unquoted(token) };
    if (/^-?\d/.test(token)) return { kind: 'integer', value: Math.trunc(Number(token)) };
    switch (token) {
      case 'nil':
        return { kind: 'nil' };
      case 'true':
        return { kind: 'integer', value: 1 };
      case 'false':
        return { kind: 'nil' };
      case 'KEYS':
        return this.#element(this.#context.keys);
      case 'ARGV':
        return this.#element(this.#context.args);
      case 'redis':
        return this.#call();
      case '{':
        return { kind: 'array', items: this.#list('}').map(asReply) };
      default:
        throw unknown(token);
    }
  }

  #element(list: readonly string[]): Value {
    this.#expect('[');
    const index = Number(this.#next());
    this.#expect(']');
    const text = list[index - 1];
    return text === undefined ? { kind: 'nil' } : { kind: 'bulk', text };
  }

  #call(): Value {
    this.#expect('.');
    const name = this.#next();
    if (name !== 'call' && name !== 'pcall') throw unknown(name);
    this.#expect('(');
    const words = this.#list(')').map(textOf);
    const reply = this.#context.call(words);
    if (reply.kind === 'error' && name === 'call') throw new ScriptError(reply);
    return reply;
  }

  #list(end: string): readonly Value[] {
    const values: Value[] = [];
    while (!this.#skip(end)) {
      values.push(this.#value());
      if (!this.#skip(',') && this.#peek() !== end) throw unknown(this.#peek() ?? '<eof>');
    }
    return values;
  }

  #peek(): string | undefined {
    return this.#tokens[this.#at];
  }

  #next(): string {
    const token = this.#tokens[this.#at];
    if (token === undefined) throw unknown('<eof>');
    this.#at += 1;
    return token;
  }

  #skip(token: string): boolean {
    if (this.#tokens[this.#at] !== token) return false;
    this.#at += 1;
    return true;
  }

  #expect(token: string): void {
    if (!this.#skip(token)) throw unknown(this.#peek() ?? '<eof>');
  }
}

function tokensOf(source: string): string[] {
  const tokens: string[] = [];
  let at = 0;
  while (source.slice(at).trim() !== '') {
    TOKEN.lastIndex = at;
    const found = TOKEN.exec(source);
    if (found?.[1] === undefined) throw unknown(source.slice(at).trim().slice(0, 20));
    tokens.push(found[1]);
    at = TOKEN.lastIndex;
  }
  return tokens;
}

/** A table ends at its first nil. */
function asReply(value: Value): Reply {
  if (value.kind === 'simple') return { kind: 'bulk', text: value.text };
  if (value.kind !== 'array') return value;
  const end = value.items.findIndex((item) => item.kind === 'nil');
  return end < 0 ? value : { kind: 'array', items: value.items.slice(0, end) };
}

function textOf(value: Value): string {
  if (value.kind === 'bulk' || value.kind === 'simple') return value.text;
  if (value.kind === 'integer') return String(value.value);
  throw new ScriptError({
    kind: 'error',
    text: 'ERR Lua redis() command arguments must be strings or integers',
  });
}

function unquoted(token: string): string {
  return token
    .slice(1, -1)
    .replace(/\\(.)/gs, (_, char: string) => ({ n: '\n', r: '\r', t: '\t', '0': '\0' })[char] ?? char);
}

function unknown(token: string): ScriptError {
  return new ScriptError({
    kind: 'error',
    text: `ERR Error while compiling new script: unexpected symbol near '${token}'`,
  });
}
