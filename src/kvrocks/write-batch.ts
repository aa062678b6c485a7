/**
 * What an entry of a node's log touches: RocksDB's write batch, read as far as whose keys it holds. Seen on Kvrocks
 * 2.13 and 2.14 in cluster mode, where a key is stored behind its namespace and its slot.
 */

export interface BatchContent {
  /** Each key that it writes or deletes, once. Bytes as latin1. */
  readonly keys: readonly BatchKey[];
  /** It deletes keys without naming them: FLUSHALL, FLUSHDB, slots that were moved away. */
  readonly unnamed: boolean;
  /** Commands of one EXEC share a batch; each that is told as a command leaves one note of how to tell it. */
  readonly notes: number;
}

export interface BatchKey {
  readonly namespace: string;
  readonly key: string;
}

/** One name for a key, whatever is in it. */
export const keyName = ({ namespace, key }: BatchKey): string => `${namespace.length}:${namespace}${key}`;

/** Nothing of it is data of a client's keys: PUBLISH, scripts, histories' ids. */
export const isKeyless = (content: BatchContent): boolean => content.keys.length === 0 && !content.unnamed;

/** The namespace of whoever gives none, as it is stored. */
export const DEFAULT_NAMESPACE = '__namespace';

const HEADER = 12;
const METADATA = 1;
/** Messages, and scripts and settings for replicas. */
const KEYLESS = [3, 4];

/** Undefined for what is no write batch of a node in cluster mode: then nothing is known of it. */
export function readBatch(bytes: string): BatchContent | undefined {
  if (bytes.length < HEADER) return undefined;
  const reader = new Bytes(bytes, HEADER);
  const keys = new Map<string, BatchKey>();
  let unnamed = false;
  let notes = 0;
  while (!reader.atEnd) {
    const tag = reader.byte();
    const kind = RECORDS[tag];
    if (kind === undefined) return undefined;
    if (kind.shape === 'nothing') continue;
    if (kind.shape === 'note') {
      notes++;
      reader.text();
      continue;
    }
    const family = kind.inFamily ? reader.varint() : 0;
    const stored = reader.text();
    if (kind.shape !== 'key') reader.text();
    if (reader.failed) return undefined;
    if (KEYLESS.includes(family)) continue;
    if (kind.shape === 'range') {
      unnamed = true;
      continue;
    }
    const key = keyOf(stored, family === METADATA);
    if (key === undefined) return undefined;
    keys.set(keyName(key), key);
  }
  return reader.failed ? undefined : { keys: [...keys.values()], unnamed, notes };
}

interface RecordKind {
  readonly shape: 'nothing' | 'note' | 'key' | 'key-and-value' | 'range';
  readonly inFamily: boolean;
}

/** By the first byte of a record, as RocksDB writes it. */
const RECORDS: Readonly<Record<number, RecordKind>> = {
  0: { shape: 'key', inFamily: false },
  1: { shape: 'key-and-value', inFamily: false },
  2: { shape: 'key-and-value', inFamily: false },
  3: { shape: 'note', inFamily: false },
  4: { shape: 'key', inFamily: true },
  5: { shape: 'key-and-value', inFamily: true },
  6: { shape: 'key-and-value', inFamily: true },
  7: { shape: 'key', inFamily: false },
  8: { shape: 'key', inFamily: true },
  13: { shape: 'nothing', inFamily: false },
  14: { shape: 'range', inFamily: true },
  15: { shape: 'range', inFamily: false },
};

/** The namespace behind its length, two bytes of slot, the key: the rest, or, of what lies below a key, behind its length. */
function keyOf(stored: string, whole: boolean): BatchKey | undefined {
  const reader = new Bytes(stored, 0);
  const namespace = reader.take(reader.byte());
  reader.take(2);
  const key = whole ? reader.rest() : reader.take(reader.fourBytes());
  return reader.failed ? undefined : { namespace, key };
}

/** Reads on to the end and no further; once it `failed` what it answers means nothing. */
class Bytes {
  failed = false;
  readonly #bytes: string;
  #at: number;

  constructor(bytes: string, at: number) {
    this.#bytes = bytes;
    this.#at = at;
  }

  get atEnd(): boolean {
    return this.failed || this.#at >= this.#bytes.length;
  }

  byte(): number {
    if (this.#at >= this.#bytes.length) this.failed = true;
    return this.failed ? 0 : this.#bytes.charCodeAt(this.#at++);
  }

  take(length: number): string {
    if (length > this.#bytes.length - this.#at) this.failed = true;
    if (this.failed) return '';
    this.#at += length;
    return this.#bytes.slice(this.#at - length, this.#at);
  }

  rest(): string {
    return this.take(this.#bytes.length - this.#at);
  }

  /** Highest byte first. */
  fourBytes(): number {
    let value = 0;
    for (let i = 0; i < 4; i++) value = value * 256 + this.byte();
    return value;
  }

  /** Seven bits a byte, lowest first. */
  varint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    this.failed = true;
    return 0;
  }

  text(): string {
    return this.take(this.varint());
  }
}
