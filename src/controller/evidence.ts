/**
 * What the decisions about one cluster were made from: records in the store, apart from its topology, bounded in number
 * and size. A change's record is written in the change's own commit. What stands in the way of one is noted when it
 * becomes another, and written with the next commit or a moment later; what is over by then is not. What comes again
 * within ten seconds is counted in the record that is there. A defect in here costs the record, and never the decision.
 */
import type { ShardReport } from '../decisions/failover.ts';
import type { Proposal, World } from '../decisions/world.ts';
import type { Instant } from '../runtime/runtime.ts';
import type { Store, Write } from '../store/port.ts';
import { shardOf } from '../topology/cluster.ts';
import type { ShardId } from '../topology/ids.ts';
import { acts, recovered, type Standing, standings } from './evidence-changes.ts';
import { decodeEvidence, type Evidence, type EvidenceDraft, encodeEvidence } from './evidence-record.ts';
import type { Log } from './log.ts';
import { evidenceKey, evidencePrefix } from './records.ts';

/** Records kept of a cluster; the oldest go. */
export const EVIDENCE_KEPT = 200;
/** Milliseconds within which the same again is no new record. */
const SAME_WITHIN = 10_000;

/** Records on their way to the store. */
export interface EvidenceBatch {
  readonly writes: readonly Write[];
  /** Told once: what did not get there goes with a later one. */
  ended(stored: boolean): void;
}

interface Pending {
  readonly standing: Standing | null;
  readonly draft: EvidenceDraft;
  readonly sort: string;
  readonly at: Instant;
}

interface Recent {
  readonly evidence: Evidence;
  readonly at: Instant;
}

/** What a standing is about: a shard's master, or one of its away nodes. */
const subject = (shard: ShardId, node: string | null): string => (node === null ? shard : `${shard}/${node}`);

export class EvidenceLog {
  readonly #store: Store;
  readonly #namespace: string;
  readonly #name: string;
  /** By subject: the sign of the standing that is recorded. Absent: all is well. */
  readonly #recorded = new Map<
    string,
    { readonly shard: ShardId; readonly node: string | null; readonly sign: string }
  >();
  /** By subject: what has changed and is not written yet. */
  readonly #pending = new Map<string, Pending>();
  /** By shard and sort: the record that the same again is counted in. */
  readonly #recent = new Map<string, Recent>();
  readonly #log: Log;
  #defect = '';
  #nextId: number;
  /** Ids in the store, oldest first; undefined before they were read. */
  #ids: number[] | undefined;
  #loading = false;

  constructor(store: Store, namespace: string, name: string, nextId: number, log: Log) {
    this.#store = store;
    this.#namespace = namespace;
    this.#name = name;
    this.#nextId = nextId;
    this.#log = log;
  }

  #contained<T>(otherwise: T, work: () => T): T {
    try {
      return work();
    } catch (error) {
      const what = error instanceof Error ? error.message : String(error);
      const stack = error instanceof Error ? error.stack : undefined;
      // The same comes with every decision.
      if (what !== this.#defect)
        this.#log.error({ cluster: this.#name, error: what, stack }, 'a decision was not recorded');
      this.#defect = what;
      return otherwise;
    }
  }

  /** Notes what stands in the way now. True when something is to be written soon that was not before. */
  observe(world: World, reports: readonly ShardReport[]): boolean {
    return this.#contained(false, () => this.#observe(world, reports));
  }

  #observe(world: World, reports: readonly ShardReport[]): boolean {
    const found = new Map(
      standings(world, reports).map((standing) => [subject(standing.shard, standing.node), standing]),
    );
    let fresh = false;
    const note = (key: string, pending: Omit<Pending, 'at'>) => {
      fresh ||= !this.#pending.has(key);
      this.#pending.set(key, { ...pending, at: world.now });
    };
    for (const [key, standing] of found) {
      if (this.#recorded.get(key)?.sign === standing.sign) this.#pending.delete(key);
      else if (this.#pending.get(key)?.standing?.sign !== standing.sign)
        note(key, { standing, draft: standing.draft(), sort: standing.sort });
    }
    for (const [key, { shard: id, node }] of this.#recorded) {
      if (found.has(key)) continue;
      const shard = shardOf(world.intended.cluster, id);
      const report = reports.find((one) => one.shard === id);
      if (shard === undefined || node !== null) this.#forget(key);
      else if (report !== undefined && this.#pending.get(key)?.standing !== null)
        note(key, { standing: null, draft: recovered(world, shard, report), sort: 'answers' });
    }
    for (const [key, { standing }] of this.#pending) {
      if (standing !== null && !found.has(key) && !this.#recorded.has(key)) this.#pending.delete(key);
    }
    if (fresh) this.#load();
    return fresh;
  }

  #forget(key: string): void {
    this.#recorded.delete(key);
    this.#pending.delete(key);
  }

  /** What goes into the commit of a change: its own records, and what else is to be written. */
  withCommit(world: World, reports: readonly ShardReport[], proposal: Proposal): EvidenceBatch {
    const drafts = this.#contained([], () => acts(world, reports, proposal));
    for (const { shard } of drafts) {
      // What stood in the way is over, and what comes after it is new.
      this.#forget(shard);
      for (const key of this.#recent.keys()) if (key.startsWith(`${shard} `)) this.#recent.delete(key);
    }
    for (const { shard, node } of proposal.events)
      if (shard !== undefined && node !== undefined) this.#forget(subject(shard, node));
    if (drafts.length > 0) this.#load();
    return this.#batch(drafts);
  }

  /** What was noted since the last batch; without writes when that is nothing. */
  noted(): EvidenceBatch {
    return this.#batch([]);
  }

  #batch(drafts: readonly EvidenceDraft[]): EvidenceBatch {
    const records = new Map<number, Evidence>();
    const pending = [...this.#pending];
    this.#pending.clear();
    for (const [key, one] of pending) {
      const evidence = this.#settle(one);
      records.set(evidence.id, evidence);
      if (one.standing === null) this.#recorded.delete(key);
      else this.#recorded.set(key, one.standing);
    }
    for (const each of drafts) {
      const evidence = { ...each, id: this.#newId(each.at), last_at: each.at, count: 1 };
      records.set(evidence.id, evidence);
    }
    const writes: Write[] = [...records].map(([id, evidence]) => ({
      key: this.#key(id),
      expected: undefined,
      value: encodeEvidence(evidence),
    }));
    const surplus = this.#surplus([...records.keys()]);
    for (const id of surplus) writes.push({ key: this.#key(id), expected: undefined, value: null });
    return {
      writes,
      ended: (stored) => {
        if (stored) return;
        // A change is decided anew. A record that is counted on is written again under its own id.
        for (const [key, one] of pending) {
          this.#recorded.delete(key);
          if (one.standing !== null && !this.#pending.has(key)) this.#pending.set(key, one);
        }
      },
    };
  }

  /** The record that it is counted in, or a new one. */
  #settle({ draft, sort, at }: Pending): Evidence {
    const key = `${draft.shard} ${sort}`;
    const before = this.#recent.get(key);
    const again = before !== undefined && at - before.at <= SAME_WITHIN;
    const evidence: Evidence = again
      ? {
          ...draft,
          id: before.evidence.id,
          at: before.evidence.at,
          last_at: draft.at,
          count: before.evidence.count + 1,
        }
      : { ...draft, id: this.#newId(draft.at), last_at: draft.at, count: 1 };
    for (const [other, one] of this.#recent) if (at - one.at > SAME_WITHIN) this.#recent.delete(other);
    this.#recent.set(key, { evidence, at });
    return evidence;
  }

  #key(id: number): string {
    return evidenceKey(this.#namespace, this.#name, id);
  }

  /** The wall clock in microseconds, made to rise. */
  #newId(at: number): number {
    const id = Math.max(this.#nextId, Math.floor(at * 1_000));
    this.#nextId = id + 1;
    return id;
  }

  /** Ids to delete now that these are there as well. */
  #surplus(added: readonly number[]): readonly number[] {
    if (this.#ids === undefined) {
      this.#early.push(...added);
      return [];
    }
    for (const id of added) if (!this.#ids.includes(id)) this.#ids.push(id);
    return this.#ids.splice(0, Math.max(0, this.#ids.length - EVIDENCE_KEPT));
  }

  /** Written before it was known what else is there. */
  readonly #early: number[] = [];

  /** Most clusters have nothing to record for weeks: what is there is looked up when the first one comes. */
  #load(): void {
    if (this.#ids !== undefined || this.#loading) return;
    this.#loading = true;
    const prefix = evidencePrefix(this.#namespace, this.#name);
    this.#store.list(prefix).then(
      ({ entries }) => {
        const ids = new Set([...entries.map(({ key }) => Number(key.slice(prefix.length))), ...this.#early]);
        this.#ids = [...ids].filter((id) => Number.isSafeInteger(id)).sort((a, b) => a - b);
      },
      () => {
        this.#loading = false;
      },
    );
  }

  async #stored(): Promise<readonly Evidence[]> {
    const { entries } = await this.#store.list(evidencePrefix(this.#namespace, this.#name));
    return entries.flatMap((entry) => decodeEvidence(entry.value) ?? []);
  }

  /** From the store alone: the newest first, of one shard where that is named. */
  async read(shard: ShardId | undefined, limit: number): Promise<readonly Evidence[]> {
    const records = (await this.#stored()).filter((one) => shard === undefined || one.shard === shard);
    return records.sort((a, b) => b.last_at - a.last_at || b.id - a.id).slice(0, limit);
  }
}
