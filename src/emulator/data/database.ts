import type { RandomSource } from '../../runtime/runtime.ts';
import { seededRandom } from '../../runtime/seeded-random.ts';
import type { Reply } from '../reply.ts';
import { slotOf } from '../slots.ts';
import { Refusal } from './arguments.ts';
import type { Access, Command } from './command.ts';
import { commandTable } from './commands/table.ts';
import { createCursors } from './cursors.ts';
import { dumpEffects } from './dump.ts';
import { type Effect, keysOf, perform } from './effects.ts';
import { Keyspace } from './keyspace.ts';
import { WriteLog } from './log.ts';
import type { CommandShape, Database, KeyCounts, LogEntry } from './port.ts';
import { readSnapshot, takeSnapshot } from './snapshot.ts';
import { type Entry, isExpired } from './values.ts';

export interface DatabaseOptions {
  /** Chooses for SPOP, SRANDMEMBER, RANDOMKEY and their kin; seeded with 0 if it is left out. */
  readonly random?: RandomSource;
  /** How many batches the log keeps; 200,000 if it is left out. */
  readonly logLimit?: number;
}

const LOG_LIMIT = 200_000;
/** Does nothing and takes no number. */
const OF_HISTORY = 'OF-HISTORY';
const NOTHING_COUNTED: KeyCounts = { keys: 0, expires: 0, averageTtl: 0, expired: 0 };

/** One array for each slot, shared by all entries: most batches touch a single slot. */
const singleSlots: (readonly number[])[] = [];
function singleSlot(slot: number): readonly number[] {
  singleSlots[slot] ??= [slot];
  return singleSlots[slot];
}

function slotsOf(effects: readonly Effect[]): readonly number[] {
  const only = effects[0];
  if (effects.length === 1 && only !== undefined) {
    const keys = keysOf(only);
    const key = keys[0];
    if (keys.length === 1 && key !== undefined) return singleSlot(slotOf(key));
  }
  const slots = new Set<number>();
  for (const effect of effects) {
    if (effect[0] === 'DELSLOTS') for (const word of effect.slice(1)) slots.add(Number(word));
    for (const key of keysOf(effect)) slots.add(slotOf(key));
  }
  const [slot] = slots;
  return slots.size === 1 && slot !== undefined ? singleSlot(slot) : [...slots];
}

/** An empty database of sequence 0. */
export function createDatabase(options: DatabaseOptions = {}): Database {
  return new EmulatedDatabase(options.random ?? seededRandom(0), options.logLimit ?? LOG_LIMIT);
}

class EmulatedDatabase implements Database, Access {
  readonly keyspace = new Keyspace();
  readonly random: RandomSource;
  readonly cursors = createCursors();
  readonly commandNames = [...commandTable.keys()];
  counts: KeyCounts = NOTHING_COUNTED;
  onAppend: ((entry: LogEntry) => void) | undefined;
  #now = 0;
  #sequence = 0;
  writes = 0;
  history: string | undefined;
  #batch: { readonly effects: Effect[]; count: number } | undefined;
  readonly #log: WriteLog;
  /** Expired keys that the present command came upon: a write must clear them away first. */
  #expired: string[] = [];

  constructor(random: RandomSource, logLimit: number) {
    this.random = random;
    this.#log = new WriteLog(logLimit);
  }

  get sequence(): number {
    return this.#sequence;
  }

  get now(): number {
    return this.#now;
  }

  get logStart(): number {
    return this.#log.start;
  }

  get inBatch(): boolean {
    return this.#batch !== undefined;
  }

  get size(): number {
    return this.keyspace.size;
  }

  get keyCounts(): KeyCounts {
    return this.counts;
  }

  shape(name: string): CommandShape | undefined {
    const known = shapes.get(name);
    return known ?? shapes.get(name.toLowerCase());
  }

  execute(words: readonly string[], now: number): Reply {
    const name = words[0] ?? '';
    const command = commandTable.get(name) ?? commandTable.get(name.toLowerCase());
    if (command === undefined) return { kind: 'error', text: `ERR not a data command: ${name}` };
    this.#now = now;
    if (this.#expired.length > 0) this.#expired = [];
    try {
      return command.run(this, words);
    } catch (error) {
      if (error instanceof Refusal) return error.reply;
      throw error;
    }
  }

  live(key: string): Entry | undefined {
    const entry = this.keyspace.get(key);
    if (entry === undefined || !isExpired(entry, this.#now)) return entry;
    this.#expired.push(key);
    return undefined;
  }

  commit(...effects: readonly Effect[]): void {
    if (this.#expired.length === 0) {
      this.#append(effects);
      return;
    }
    const evictions = [...new Set(this.#expired)].map((key): Effect => ['EVICT', key]);
    this.#expired = [];
    this.#append([...evictions, ...effects]);
  }

  apply(entry: LogEntry): void {
    for (const effect of entry.effects) perform(this.keyspace, effect);
    this.#push(entry);
  }

  appendKeyless(count: number, effects: readonly Effect[]): void {
    this.#write(count, effects, []);
  }

  appendMessages(channel: string, messages: readonly string[]): void {
    const effects = [['PUBLISH', channel, ...messages]];
    this.#write(messages.length, effects, [], messages.length > 1);
  }

  historyOf(sequence: number): string | undefined {
    const effects = sequence > this.#sequence ? undefined : this.#log.from(sequence, 1)?.[0]?.effects;
    return effects?.find(([kind]) => kind === OF_HISTORY)?.[1];
  }

  beginBatch(): void {
    this.#batch = { effects: [], count: 0 };
  }

  endBatch(): void {
    const batch = this.#batch;
    this.#batch = undefined;
    if (batch !== undefined && batch.count > 0) this.#write(batch.count, batch.effects, slotsOf(batch.effects));
  }

  entriesFrom(from: number, most?: number): readonly LogEntry[] | undefined {
    return this.#log.from(from, most);
  }

  purgeLog(sequence: number): void {
    this.#log.purge(sequence);
  }

  keysInSlot(slot: number, now: number): readonly string[] {
    return this.keyspace.keysOf(slot).filter((key) => this.#liveAt(key, now) !== undefined);
  }

  dump(key: string, now: number): readonly Effect[] {
    const entry = this.#liveAt(key, now);
    return entry === undefined ? [] : dumpEffects(key, entry);
  }

  restoreEffects(effects: readonly Effect[]): void {
    this.#append(effects);
  }

  deleteSlots(from: number, to: number): void {
    const effect = ['DELSLOTS'];
    for (const slot of this.keyspace.slots(from)) {
      if (slot > to) break;
      effect.push(String(slot));
    }
    if (effect.length > 1) this.#append([effect]);
  }

  isEmpty(now: number): boolean {
    if (this.keyspace.size === 0) return true;
    for (const key of this.keyspace.keys()) if (this.#liveAt(key, now) !== undefined) return false;
    return true;
  }

  snapshot(): unknown {
    return takeSnapshot(this.keyspace, {
      sequence: this.#sequence,
      logStart: this.#log.start,
      log: this.#log.all(),
    });
  }

  restore(snapshot: unknown): void {
    this.clear();
    const state = readSnapshot(snapshot, this.keyspace);
    this.#sequence = state.sequence;
    this.#log.reset(state.logStart, state.log);
  }

  clear(): void {
    this.keyspace.clear();
    this.#sequence = 0;
    this.#log.reset(1, []);
    this.counts = NOTHING_COUNTED;
  }

  #liveAt(key: string, now: number): Entry | undefined {
    const entry = this.keyspace.get(key);
    return entry === undefined || isExpired(entry, now) ? undefined : entry;
  }

  #append(effects: readonly Effect[]): void {
    let count = 0;
    for (const effect of effects) count += perform(this.keyspace, effect);
    if (count > 0) this.#write(count, effects, this.#batch === undefined ? slotsOf(effects) : []);
  }

  #write(count: number, effects: readonly Effect[], slots: readonly number[], apart = false): void {
    this.writes += 1;
    const batch = this.#batch;
    if (batch !== undefined) {
      batch.count += count;
      for (const effect of effects) batch.effects.push(effect);
      return;
    }
    const marked = this.history === undefined ? effects : [...effects, [OF_HISTORY, this.history]];
    const sequence = this.#sequence + 1;
    this.#push(
      apart ? { sequence, count, effects: marked, slots, apart } : { sequence, count, effects: marked, slots },
    );
  }

  #push(entry: LogEntry): void {
    this.#sequence = entry.sequence + entry.count - 1;
    this.#log.push(entry);
    this.onAppend?.(entry);
  }
}

function shapeOf(command: Command): CommandShape {
  const [first, last, step] = command.range;
  const byRange = (words: readonly string[]): readonly number[] => {
    const found: number[] = [];
    if (first === 0) return found;
    const end = last < 0 ? words.length + last : last;
    for (let i = first; i <= end; i += step) found.push(i);
    return found;
  };
  return {
    arity: command.arity,
    flags: command.flags,
    write: command.flags.includes('write'),
    range: command.range,
    keys: command.keys ?? byRange,
  };
}

const shapes: ReadonlyMap<string, CommandShape> = new Map(
  [...commandTable].map(([name, command]) => [name, shapeOf(command)]),
);
