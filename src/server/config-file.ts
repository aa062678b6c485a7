/** The configuration file: YAML, each value with its place in the file. */
import { isAlias, isMap, isNode, isScalar, LineCounter, type Node, type ParsedNode, parseDocument } from 'yaml';
import { nearest } from './nearest.ts';
import { NOT_BUILT, notBuilt, quote, settings, WITHOUT_EFFECT } from './settings.ts';

/** A scalar of the file, and `file:line:column` of it. */
export interface Placed {
  readonly text: string;
  readonly at: string;
}

export interface Warning {
  readonly at: string;
  readonly name: string;
  /** A constant sentence. */
  readonly sentence: string;
  readonly hint?: string;
}

export interface ConfigFile {
  /** By key, sections joined with dots. */
  readonly values: ReadonlyMap<string, Placed>;
  readonly warnings: readonly Warning[];
  /** Sentences, each with its place; then nothing else of the file counts. */
  readonly refusals: readonly string[];
}

const ENGINES: readonly string[] = NOT_BUILT;
const KNOWN = Object.values(settings).flatMap(({ key }) => (key === undefined ? [] : [key]));
const TOLERATED = Object.keys(WITHOUT_EFFECT);
const ALL = [...KNOWN, ...TOLERATED];
const SECTIONS = new Set(ALL.flatMap((key) => key.split('.').map((_, i, path) => path.slice(0, i).join('.'))));

type Value = Node | null | undefined;

/** Never throws. The text of the file appears in no message, but for names and the values of known settings. */
export function readConfigFile(text: string, name: string): ConfigFile {
  const reading = new Reading(name);
  reading.read(text);
  return reading;
}

class Reading implements ConfigFile {
  readonly values = new Map<string, Placed>();
  readonly warnings: Warning[] = [];
  readonly refusals: string[] = [];
  readonly #name: string;
  readonly #lines = new LineCounter();
  readonly #engines: { readonly engine: string; readonly at: string }[] = [];

  constructor(name: string) {
    this.#name = name;
  }

  read(text: string): void {
    const document = parseDocument<ParsedNode>(text, { lineCounter: this.#lines, prettyErrors: false });
    // The first one only: what follows it is guesswork. And not its message: it may quote a line with a password.
    for (const { pos, code } of document.errors.slice(0, 1)) {
      this.refusals.push(`${this.#place(pos[0])}: this is no YAML (${code.toLowerCase().replaceAll('_', ' ')})`);
    }
    if (this.refusals.length > 0) return;
    const root: Value = document.contents;
    if (root === null || (isScalar(root) && root.value === null)) return;
    if (isMap(root)) this.#section(root, '');
    else this.refusals.push(`${this.#at(root)}: a list of settings is expected, each "name: value" on its own line`);
    if (this.values.has('storage_type')) {
      for (const { engine, at } of this.#engines) {
        this.#warn(at, engine, 'storage_type says embedded: this section has no effect');
      }
    } else {
      for (const { engine, at } of this.#engines) this.refusals.push(`${at}: ${engine}${notBuilt(engine)}`);
    }
  }

  #section(map: Node, path: string): void {
    if (!isMap(map)) return;
    for (const pair of map.items) {
      const keyNode = pair.key;
      const value = pair.value;
      if (!isScalar(keyNode)) {
        this.refusals.push(`${this.#at(map)}: a name of a setting is expected here`);
        continue;
      }
      const key = path === '' ? String(keyNode.value) : `${path}.${String(keyNode.value)}`;
      this.#entry(key, this.#at(keyNode), isNode(value) ? value : null);
    }
  }

  #entry(key: string, at: string, value: Node | null): void {
    if (ENGINES.includes(key)) this.#engines.push({ engine: key, at });
    else if (SECTIONS.has(key)) {
      if (isMap(value)) this.#section(value, key);
      else if (!isEmpty(value))
        this.refusals.push(`${this.#at(value)}: ${key} must be a section, with settings below it`);
    } else if (KNOWN.includes(key)) this.#value(key, value);
    else if (TOLERATED.includes(key)) this.#warn(at, key, 'a setting has no effect here', WITHOUT_EFFECT[key]);
    else {
      const near = nearest(key, [...ALL, ...ENGINES]);
      const hint = near === undefined ? undefined : `is ${near} meant?`;
      this.#warn(at, quote(key).slice(1, -1), 'an unknown setting has no effect', hint);
    }
  }

  #value(key: string, value: Node | null): void {
    // `name:` with nothing behind it is as good as no such line, as it is for the Go controller.
    if (isEmpty(value)) return;
    if (isScalar(value)) {
      this.values.set(key, { text: String(value.source ?? value.value), at: this.#at(value) });
      return;
    }
    const what = isAlias(value) ? 'an alias' : isMap(value) ? 'a section' : 'a list';
    this.refusals.push(`${this.#at(value)}: ${key} must be one value, not ${what}`);
  }

  #warn(at: string, name: string, sentence: string, hint?: string): void {
    this.warnings.push({ at, name, sentence, ...(hint !== undefined && { hint }) });
  }

  #at(node: Node | null): string {
    return this.#place(node?.range?.[0] ?? 0);
  }

  #place(offset: number): string {
    const { line, col } = this.#lines.linePos(offset);
    return `${this.#name}:${Math.max(1, line)}:${Math.max(1, col)}`;
  }
}

const isEmpty = (value: Node | null): boolean => value === null || (isScalar(value) && value.value === null);
