/**
 * The source's side of a migration: one job at a time. It copies the keys of a range as they were at the start, replays
 * what was written since, forbids writes for the last piece, and tells the target of its success. All in memory only.
 */
import type { Cancel, SocketEnd } from '../runtime/runtime.ts';
import type { Core, Link } from './core.ts';
import { error, Later, NIL, OK, type Outcome } from './core.ts';
import type { LogEntry } from './data/port.ts';
import { type PlainReply, ReplyReader, writeCommand } from './resp-reader.ts';
import { overlaps, rangeText, type SlotRange } from './slot-words.ts';

/** Commands between emulated nodes: effects of keys, with and without a look at the slot. */
export const RESTORE_COMMAND = '_restore';
export const BATCH_COMMAND = '_batch';

/** A connect to a black hole ends when the system gives up its SYNs. */
const CONNECT_TIMEOUT = 135_000;
const REPLY_TIMEOUT = 1000;
/** From the reply of a synchronous MIGRATE until the job is put away. */
const PUT_AWAY = 2;
/** From the stop flag, set when the node becomes a slave, until the job notices. */
const STOP_NOTICE = 60;
const REPLAY_ROUNDS = 10;
const RESTORE_FAILED =
  'failed to migrate simple key: failed to send commands to restore a key: wrong response from the destination node';

type Effects = readonly (readonly string[])[];

interface Item {
  readonly name: string;
  readonly slot: number;
  readonly effects: Effects;
}

interface Job {
  readonly range: SlotRange;
  readonly target: { readonly id: string; readonly host: string; readonly port: number };
  readonly byCommand: boolean;
  readonly reply: Later;
  link: Link | undefined;
  readonly reader: ReplyReader;
  /** Replies that are still to come, and what to do with them all. */
  awaited: number;
  answered: (replies: readonly PlainReply[]) => void;
  replies: PlainReply[];
  timer: Cancel;
  items: Item[];
  next: number;
  /** The log up to here has been copied or replayed. */
  sequence: number;
  round: number;
  sent: number;
  began: number;
  over: boolean;
  /** Why the link ended while nobody listened. */
  ended: SocketEnd | undefined;
}

export interface MigrationHost {
  /** The range was moved: the node redirects its keys from now on. */
  moved(range: SlotRange, address: string): void;
}

export class Migrator {
  readonly #core: Core;
  readonly #node: MigrationHost;
  #job: Job | undefined;
  /** What CLUSTER INFO shows: the last job. */
  #shown: { range: SlotRange; target: string; state: 'start' | 'success' | 'fail' } | undefined;
  #forbidden: SlotRange | undefined;
  /** Set when the node becomes a slave. Only becoming a master by an own line, or a failed job, clears it. */
  #stopFlag = false;

  constructor(core: Core, node: MigrationHost) {
    this.#core = core;
    this.#node = node;
  }

  get running(): { readonly range: SlotRange; readonly target: string } | undefined {
    return this.#shown?.state === 'start' ? this.#shown : undefined;
  }

  get busy(): boolean {
    return this.#job !== undefined;
  }

  get infoText(): string {
    if (this.#shown === undefined) return '';
    const { range, target, state } = this.#shown;
    return `migrating_slot(s): ${rangeText(range)}\r\ndestination_node: ${target}\r\nmigrating_state: ${state}\r\n`;
  }

  forbids(slot: number): boolean {
    const range = this.#forbidden;
    return range !== undefined && range.first <= slot && slot <= range.last;
  }

  /** An import that overlaps the forbidden range releases it and removes what CLUSTER INFO tells of the job. */
  importStarts(range: SlotRange): void {
    if (this.#forbidden === undefined || !overlaps(this.#forbidden, range)) return;
    this.#forbidden = undefined;
    this.#shown = undefined;
  }

  becameSlave(): void {
    this.#stopFlag = true;
    const job = this.#job;
    if (job !== undefined)
      this.#core.after(STOP_NOTICE, () => this.#fail(job, 'key migration stopped due to a task cancellation'));
  }

  becameMaster(): void {
    this.#stopFlag = false;
  }

  /** FLUSHALL or FLUSHDB: what is to be copied is gone. */
  flushed(): void {
    if (this.#job !== undefined) this.#fail(this.#job, 'failed to iterate keys of slot(s): the database was flushed');
  }

  /** `timeout` in seconds, 0 for none; undefined answers at once. */
  start(range: SlotRange, target: Job['target'], sync: { readonly timeout: number } | undefined): Outcome {
    if (this.#job !== undefined) return error('There is already a migrating job');
    if (this.#forbidden !== undefined && overlaps(this.#forbidden, range)) {
      return error("Can't migrate slot which has been migrated");
    }
    const { settings, database, moment } = this.#core;
    const job: Job = {
      range,
      target,
      byCommand: settings.get('migrate-type') === 'redis-command',
      reply: new Later(),
      link: undefined,
      reader: new ReplyReader(),
      awaited: 0,
      answered: () => {},
      replies: [],
      timer: () => {},
      items: [],
      next: 0,
      sequence: database.sequence,
      round: 0,
      sent: 0,
      began: moment.now,
      over: false,
      ended: undefined,
    };
    this.#job = job;
    this.#shown = { range, target: target.id, state: 'start' };
    if (this.#stopFlag) {
      this.#core.after(0, () => this.#fail(job, 'key migration stopped due to a task cancellation'));
    } else {
      this.#connect(job);
    }
    if (sync === undefined) return OK;
    if (sync.timeout > 0) this.#core.after(sync.timeout * 1000, () => job.reply.resolve(NIL));
    return job.reply;
  }

  #connect(job: Job): void {
    let connected = false;
    job.link = this.#core.dial(job.target.host, job.target.port, CONNECT_TIMEOUT, {
      connected: () => {
        connected = true;
        this.#login(job);
      },
      received: (bytes) => {
        job.reader.push(bytes);
        this.#read(job);
      },
      ended: (why) => {
        job.link = undefined;
        job.ended = why;
        if (!connected) this.#fail(job, `failed to connect to the destination node: ${connectWord(why)}`);
        else if (job.awaited > 0) this.#answer(job);
      },
    });
  }

  #login(job: Job): void {
    const password = this.#core.settings.get('requirepass');
    if (password === '') {
      this.#begin(job);
      return;
    }
    const failed = 'failed to authenticate on destination node';
    this.#ask(job, [['AUTH', password]], ([reply]) => {
      const why = complaint(reply, job);
      if (why === undefined) this.#begin(job);
      else if (reply === undefined) this.#fail(job, `${failed}: ${why}`);
      else this.#fail(job, `${failed}: failed to check the response of AUTH command: ${why}`);
    });
  }

  #begin(job: Job): void {
    this.#setImport(job, 0, 'failed to set import status on destination node', () => {
      const { database, moment } = this.#core;
      for (let slot = job.range.first; slot <= job.range.last; slot++) {
        for (const key of database.keysInSlot(slot, moment.wall)) {
          const effects = database.dump(key, moment.wall);
          if (effects.length > 0) job.items.push({ name: key, slot, effects });
        }
      }
      job.sequence = database.sequence;
      job.began = moment.now;
      this.#copy(job);
    });
  }

  #setImport(job: Job, state: 0 | 1, failed: string, done: () => void): void {
    this.#ask(job, [['cluster', 'import', rangeText(job.range), String(state)]], ([reply]) => {
      const why = complaint(reply, job);
      if (why === undefined) done();
      else this.#fail(job, `${failed}: failed to check the response from the destination node: ${why}`);
    });
  }

  /** Sends the present items, a pipeline at a time and not faster than the settings allow, then looks at the log. */
  #copy(job: Job): void {
    if (job.over) return;
    if (job.next >= job.items.length) {
      this.#replay(job);
      return;
    }
    const { settings } = this.#core;
    const commands: string[][] = [];
    let first: Item | undefined;
    if (job.byCommand) {
      const pipeline = settings.number('migrate-pipeline-size');
      while (commands.length < pipeline && job.next < job.items.length) {
        const item = job.items[job.next++];
        if (item === undefined) break;
        first ??= item;
        commands.push([RESTORE_COMMAND, String(item.slot), JSON.stringify(item.effects)]);
      }
      job.sent += commands.length;
    } else {
      const size = settings.number('migrate-batch-size-kb') * 1024;
      const effects: (readonly string[])[] = [];
      let bytes = 0;
      while (bytes < size && job.next < job.items.length) {
        const item = job.items[job.next++];
        if (item === undefined) break;
        first ??= item;
        for (const effect of item.effects) {
          effects.push(effect);
          for (const word of effect) bytes += word.length + 8;
        }
      }
      commands.push([BATCH_COMMAND, JSON.stringify(effects)]);
      job.sent += bytes;
    }
    this.#ask(job, commands, (replies) => {
      for (const reply of replies.length < commands.length ? [undefined] : replies) {
        const why = complaint(reply, job);
        if (why === undefined) continue;
        this.#fail(job, `failed to migrate a key ${first?.name ?? ''}: ${RESTORE_FAILED}: ${why}`);
        return;
      }
      const wait = this.#dueIn(job);
      if (wait <= 0) this.#copy(job);
      else job.timer = this.#core.after(wait, () => this.#copy(job));
    });
  }

  /** Milliseconds until what was sent so far is within the speed limit. */
  #dueIn(job: Job): number {
    const { settings, moment } = this.#core;
    const speed = job.byCommand
      ? settings.number('migrate-speed')
      : settings.number('migrate-batch-rate-limit-mb') * 2 ** 20;
    return speed === 0 ? 0 : job.began + (job.sent * 1000) / speed - moment.now;
  }

  #replay(job: Job): void {
    const { database, settings } = this.#core;
    const news = database.entriesFrom(job.sequence + 1);
    if (news === undefined) {
      this.#fail(job, 'failed to get WAL iterator: the log no longer reaches back');
      return;
    }
    const gap = database.sequence - job.sequence;
    const last = gap <= settings.number('migrate-sequence-gap') || job.round >= REPLAY_ROUNDS;
    const forbidden = this.#forbidden === job.range;
    if (last && !forbidden) this.#forbidden = job.range;
    job.round += 1;
    job.sequence = database.sequence;
    job.items = news.flatMap((entry) => itemsOf(entry, job.range));
    job.next = 0;
    if (job.items.length > 0) this.#copy(job);
    else if (last) this.#succeed(job);
    else this.#replay(job);
  }

  #succeed(job: Job): void {
    this.#setImport(job, 1, 'failed to set import status on destination node', () => {
      this.#node.moved(job.range, `${job.target.host}:${job.target.port}`);
      this.#show(job, 'success');
      job.over = true;
      job.reply.resolve(OK);
      this.#core.after(PUT_AWAY, () => this.#putAway(job));
    });
  }

  #fail(job: Job, why: string): void {
    if (job.over) return;
    job.over = true;
    job.awaited = 0;
    job.timer();
    this.#stopFlag = false;
    job.reply.resolve(error(why));
    this.#core.after(PUT_AWAY, () => {
      if (this.#forbidden === job.range || this.#job === job) this.#forbidden = undefined;
      const done = () => {
        this.#show(job, 'fail');
        this.#putAway(job);
      };
      if (job.link === undefined) done();
      else this.#ask(job, [['cluster', 'import', rangeText(job.range), '2']], done);
    });
  }

  #show(job: Job, state: 'success' | 'fail'): void {
    if (this.#shown?.range === job.range) this.#shown = { ...this.#shown, state };
  }

  #putAway(job: Job): void {
    job.link?.close();
    job.link = undefined;
    if (this.#job === job) this.#job = undefined;
  }

  #ask(job: Job, commands: readonly (readonly string[])[], answered: (replies: readonly PlainReply[]) => void): void {
    if (job.link === undefined) {
      answered([]);
      return;
    }
    job.replies = [];
    job.awaited = commands.length;
    job.answered = answered;
    job.timer();
    job.timer = this.#core.after(REPLY_TIMEOUT, () => this.#answer(job));
    job.link.send(commands.map(writeCommand).join(''));
  }

  #read(job: Job): void {
    while (job.awaited > 0) {
      const reply = job.reader.next();
      if (reply === undefined) return;
      job.replies.push(reply);
      if (job.replies.length === job.awaited) this.#answer(job);
    }
  }

  #answer(job: Job): void {
    job.timer();
    job.awaited = 0;
    job.answered(job.replies);
  }
}

/** What an entry changes within the range; entries without keys, and of other slots, change nothing. */
function itemsOf(entry: LogEntry, range: SlotRange): readonly Item[] {
  const slot = entry.slots.find((candidate) => range.first <= candidate && candidate <= range.last);
  if (slot === undefined) return [];
  return [{ name: entry.effects[0]?.[1] ?? '', slot, effects: entry.effects }];
}

/** Why a reply is no OK; undefined stands for no reply at all. */
function complaint(reply: PlainReply | undefined, job: Job): string | undefined {
  if (reply === undefined) {
    if (job.ended === undefined) return 'failed to read response: Resource temporarily unavailable';
    return `failed to read response: ${job.ended.kind === 'eof' ? 'Success' : 'Connection reset by peer'}`;
  }
  if (reply.kind === 'bulk' || reply.text === '+OK') return undefined;
  return `got invalid response of length ${reply.text.length}: ${reply.text}`;
}

function connectWord(why: SocketEnd): string {
  switch (why.kind) {
    case 'refused':
      return 'Connection refused';
    case 'timeout':
      return 'Connection timed out';
    case 'unresolved':
      return 'Name or service not known';
    case 'eof':
    case 'reset':
      return 'Connection reset by peer';
    case 'other':
      return why.code;
  }
}
