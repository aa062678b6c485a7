/**
 * The store's model: what every engine is measured against, and the store of the simulation. One object is the server
 * that all clients share; it answers at once and alone. Distance and faults are the link's (`link.ts`).
 */
import type { Cancel, Duration, Runtime } from '../../runtime/runtime.ts';
import { ChangeLog } from '../change-log.ts';
import { compareKeys, refusalOf } from '../keys.ts';
import type { Change, Committed, Entry, Fence, Revision, Write } from '../port.ts';

export interface MemoryServerOptions {
  /** The server's own clock: leases expire by it. */
  readonly runtime: Runtime;
  /** How long a leader or candidate is kept without a word from it. Default 6 s. */
  readonly lease?: Duration;
}

/** A commit as the server saw it; `fence` is undefined for foreign writes. */
export interface Seen {
  readonly revision: Revision;
  readonly changes: readonly Change[];
  readonly fence: Fence | undefined;
}

export type Standing =
  | { readonly kind: 'leading' }
  | { readonly kind: 'following'; readonly leader: string }
  /** The session has ended, by expiry or by leaving; its id never comes back. */
  | { readonly kind: 'gone' };

interface Session {
  readonly id: Fence;
  readonly identity: string;
  cancel: Cancel;
}

export interface Backup {
  readonly entries: readonly Entry[];
}

export class MemoryServer {
  readonly lease: Duration;
  readonly log = new ChangeLog(0, { commits: 100_000, text: 64 * 1024 * 1024 });
  /** When set, commits are answered `failed` with this reason, as by a full disk. */
  refusing: string | undefined;
  readonly runtime: Runtime;
  readonly #entries = new Map<string, Entry>();
  /** In the order they came; the first leads. */
  readonly #sessions: Session[] = [];
  readonly #gone = new Set<Fence>();
  readonly #observers = new Set<(seen: Seen) => void>();
  readonly #electors = new Set<() => void>();
  #clients = 0;

  constructor(options: MemoryServerOptions) {
    this.runtime = options.runtime;
    this.lease = options.lease ?? 6_000;
  }

  get revision(): Revision {
    return this.log.revision;
  }

  read(key: string): Entry | undefined {
    return this.#entries.get(key);
  }

  /** In key order. Also for checks that look past the clients. */
  list(prefix: string): readonly Entry[] {
    const found = [...this.#entries.values()].filter((entry) => entry.key.startsWith(prefix));
    return found.sort((a, b) => compareKeys(a.key, b.key));
  }

  commit(writes: readonly Write[], fence: Fence): Committed {
    if (this.refusing !== undefined) return { kind: 'failed', why: this.refusing };
    if (this.#sessions[0]?.id !== fence) return { kind: 'fenced' };
    const conflicts = writes.filter(({ key, expected }) => {
      return expected !== undefined && expected !== (this.#entries.get(key)?.revision ?? 0);
    });
    if (conflicts.length > 0) return { kind: 'conflict', keys: conflicts.map((write) => write.key) };
    return { kind: 'committed', revision: this.#apply(writes, fence) };
  }

  /** Writes of somebody who knows no fence: another controller, an operator with the store's own tool. */
  plant(writes: readonly Pick<Write, 'key' | 'value'>[]): Revision {
    const all = writes.map(({ key, value }) => ({ key, value, expected: undefined }));
    const refusal = refusalOf(all);
    if (refusal !== undefined) throw new Error(refusal);
    return this.#apply(all, undefined);
  }

  /** Forgets the history up to `revision`: watches from before it end with `compacted`. */
  compact(revision: Revision): void {
    this.log.compact(Math.min(revision, this.revision));
  }

  backup(): Backup {
    return { entries: this.list('') };
  }

  /** Puts an older content back. Revisions go on rising; every watch ends with `compacted`. */
  restore(backup: Backup): void {
    const revision = this.revision + 1;
    this.#entries.clear();
    for (const { key, value } of backup.entries) this.#entries.set(key, { key, value, revision });
    this.log.restart(revision);
    const changes = this.list('').map((entry) => ({ kind: 'put' as const, entry }));
    for (const observer of this.#observers) observer({ revision, changes, fence: undefined });
  }

  /** Called at once with every commit that changes something, before any client hears of it. */
  observe(observer: (seen: Seen) => void): Cancel {
    this.#observers.add(observer);
    return () => this.#observers.delete(observer);
  }

  leader(): { readonly identity: string; readonly fence: Fence } | undefined {
    const first = this.#sessions[0];
    return first === undefined ? undefined : { identity: first.identity, fence: first.id };
  }

  /** Called whenever another session leads, or none. */
  onElection(elector: () => void): Cancel {
    this.#electors.add(elector);
    return () => this.#electors.delete(elector);
  }

  /** Begins a session or keeps it alive; harmless when repeated. A session that ended stays ended. */
  hello(id: Fence, identity: string): Standing {
    if (this.#gone.has(id)) return { kind: 'gone' };
    const known = this.#sessions.find((session) => session.id === id);
    const session = known ?? { id, identity, cancel: () => {} };
    session.cancel();
    session.cancel = this.runtime.timers.after(this.lease, () => this.leave(id));
    if (known === undefined) {
      this.#sessions.push(session);
      if (this.#sessions.length === 1) for (const elector of this.#electors) elector();
    }
    return this.standing(id);
  }

  standing(id: Fence): Standing {
    const first = this.#sessions[0];
    if (first === undefined || !this.#sessions.some((session) => session.id === id)) return { kind: 'gone' };
    return first.id === id ? { kind: 'leading' } : { kind: 'following', leader: first.identity };
  }

  /** Ends a session, also one that has not begun yet: its late hello finds it gone. */
  leave(id: Fence): void {
    this.#gone.add(id);
    const at = this.#sessions.findIndex((session) => session.id === id);
    if (at === -1) return;
    for (const session of this.#sessions.splice(at, 1)) session.cancel();
    if (at === 0) for (const elector of this.#electors) elector();
  }

  /** A number for a new client, to tell sessions of different clients apart. */
  nextClient(): number {
    return ++this.#clients;
  }

  #apply(writes: readonly Write[], fence: Fence | undefined): Revision {
    const revision = this.revision + 1;
    const changes: Change[] = [];
    for (const { key, value } of [...writes].sort((a, b) => compareKeys(a.key, b.key))) {
      if (value !== null) {
        const entry = { key, value, revision };
        this.#entries.set(key, entry);
        changes.push({ kind: 'put', entry });
      } else if (this.#entries.delete(key)) {
        changes.push({ kind: 'delete', key, revision });
      }
    }
    if (changes.length === 0) return this.revision;
    this.log.append(revision, changes);
    for (const observer of this.#observers) observer({ revision, changes, fence });
    return revision;
  }
}
