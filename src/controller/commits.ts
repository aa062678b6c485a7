/**
 * A cluster's two records in the store, and the way to change them: one commit at a time, each expected at the revision
 * it was last seen at, with the events that tell of it. A commit whose answer got lost is found out by reading.
 */
import { brokenPromises } from '../checks/promises.ts';
import type { ShardReport } from '../decisions/failover.ts';
import { withFloors } from '../decisions/floor.ts';
import type { Happening, Proposal, World } from '../decisions/world.ts';
import type { Intended } from '../operations/intended.ts';
import type { Cancel, Duration, Runtime } from '../runtime/runtime.ts';
import type { Fence, Revision, Store, Write } from '../store/port.ts';
import { type Cluster, clusterKey } from '../topology/cluster.ts';
import type { ShardId } from '../topology/ids.ts';
import type { ClusterEvent } from './events.ts';
import type { EvidenceBatch, EvidenceLog } from './evidence.ts';
import type { History } from './history.ts';
import { legible } from './legible.ts';
import type { Log } from './log.ts';
import { encode, stateKey, topologyKey } from './records.ts';
import { Refusal } from './refusal.ts';

/** At which each of the cluster's two records was last written; 0 for one that is not there yet. */
export interface Revisions {
  readonly topology: Revision;
  readonly state: Revision;
}

export type Written = { readonly kind: 'written' } | Unwritten;

export type Proposed =
  | { readonly kind: 'written'; readonly after: Intended; readonly events: readonly ClusterEvent[] }
  | Unwritten;

type Unwritten =
  /** Nothing was written; the same may be tried again after `retryAfter` ms. */
  | { readonly kind: 'not-written'; readonly refusal: Refusal; readonly retryAfter: Duration }
  /** Somebody else wrote the topology, which is settled first. Nothing was written. */
  | { readonly kind: 'overtaken'; readonly refusal: Refusal }
  /** This process does not lead, or the store holds something that it did not write. */
  | { readonly kind: 'deposed'; readonly refusal: Refusal; readonly why: string };

export interface CommitsContext {
  readonly runtime: Runtime;
  readonly store: Store;
  readonly fence: Fence;
  readonly log: Log;
}

const RETRY_COMMIT: Duration = 200;
const STORE_NOTES_AFTER = 200;

const notLeading = () => new Refusal('not_leader', 'this controller does not lead any more; try again');
const outcomeUnknown = () =>
  new Refusal('outcome_unknown', 'it is not known whether the change was made; look before you try again');

export class Commits {
  readonly history: History;
  readonly evidence: EvidenceLog;
  readonly #context: CommitsContext;
  #revisions: Revisions;
  #closed = false;
  /** Told already, and stored with the next commit or in a moment. */
  readonly #unstored: ClusterEvent[] = [];
  #storeSoon: Cancel | undefined;

  constructor(context: CommitsContext, revisions: Revisions, history: History, evidence: EvidenceLog) {
    this.#context = context;
    this.#revisions = revisions;
    this.history = history;
    this.evidence = evidence;
  }

  get revisions(): Revisions {
    return this.#revisions;
  }

  /** What somebody else wrote over the topology is known, and what is committed next goes over it. */
  overtakenBy(topology: Revision): void {
    this.#revisions = { ...this.#revisions, topology };
  }

  close(): void {
    this.#closed = true;
    this.#storeSoon?.();
  }

  stamp(happenings: readonly Happening[], before: Intended, after: Intended): readonly ClusterEvent[] {
    const words = (message: string) => legible(message, after.cluster, before.cluster);
    const told = happenings.map((happening) => ({ ...happening, message: words(happening.message) }));
    return this.history.stamp(told, after.cluster.version);
  }

  /** What only happened is told at once and stored a little later, many of one moment together. */
  note(happening: Happening, intended: Intended): void {
    const events = this.stamp([happening], intended, intended);
    this.history.publish(events);
    this.#unstored.push(...events);
    this.storeSoon();
  }

  /** What is noted of events and of evidence is stored in a moment, unless a commit takes it along before. */
  storeSoon(): void {
    this.#storeSoon ??= this.#context.runtime.timers.after(STORE_NOTES_AFTER, () => {
      this.#storeSoon = undefined;
      const evidence = this.evidence.noted();
      const writes = [...this.history.writes(this.#unstored.splice(0)), ...evidence.writes];
      if (writes.length === 0) return;
      void this.#context.store
        .commit(writes, this.#context.fence)
        .then(({ kind }) => evidence.ended(kind === 'committed' || kind === 'unknown'));
    });
  }

  /**
   * Commits what was proposed from `seen`, with the floors as they are `now`, unless it would break a promise.
   * `untold`: what was committed and nobody was told yet.
   */
  async propose(
    now: World,
    seen: World,
    reports: readonly ShardReport[],
    proposal: Proposal,
    untold: ReadonlySet<ShardId>,
  ): Promise<Proposed> {
    const before = now.intended;
    const events = this.stamp(proposal.events, before, proposal.next);
    const after: Intended = { ...withFloors(now, proposal.next), nextEvent: this.history.nextId };
    const broken = brokenPromises(before, after, untold);
    if (broken.length > 0) {
      const told = events.map((event) => event.message);
      this.#context.log.error({ broken, events: told }, 'a decision would break a promise and was not committed');
      const refusal = new Refusal('internal', 'the change would break a promise and was not made', broken);
      return { kind: 'not-written', refusal, retryAfter: RETRY_COMMIT };
    }
    const written = await this.write(after, events, this.evidence.withCommit(seen, reports, proposal));
    return written.kind === 'written' ? { ...written, after, events } : written;
  }

  /** Tells whoever listens, and the log. */
  publish(events: readonly ClusterEvent[], { namespace, name }: Cluster): void {
    this.history.publish(events);
    const cluster = clusterKey(namespace, name);
    for (const { kind, message, by, version } of events)
      this.#context.log.info({ kind, by, version, cluster }, message);
  }

  /** Both records, the events and the evidence, or nothing. Never rejects. */
  async write(after: Intended, events: readonly ClusterEvent[], evidence: EvidenceBatch): Promise<Written> {
    const written = await this.#write(after, events, evidence);
    evidence.ended(written.kind === 'written');
    return written;
  }

  async #write(after: Intended, events: readonly ClusterEvent[], evidence: EvidenceBatch): Promise<Written> {
    const { store, fence } = this.#context;
    const { namespace, name } = after.cluster;
    const records = encode(after);
    const writes: Write[] = [
      { key: topologyKey(namespace, name), expected: this.#revisions.topology, value: records.topology },
      { key: stateKey(namespace, name), expected: this.#revisions.state, value: records.state },
    ];
    const told = this.history.writes([...this.#unstored.splice(0), ...events]);
    const outcome = await store.commit([...writes, ...told, ...evidence.writes], fence);
    switch (outcome.kind) {
      case 'committed':
        this.#revisions = { topology: outcome.revision, state: outcome.revision };
        return { kind: 'written' };
      case 'conflict': {
        if (!outcome.keys.includes(stateKey(namespace, name))) {
          const refusal = new Refusal('changed', 'somebody else changed the cluster meanwhile; look at it again');
          return { kind: 'overtaken', refusal };
        }
        return { kind: 'deposed', refusal: notLeading(), why: `somebody else wrote ${outcome.keys.join(', ')}` };
      }
      case 'fenced':
        return { kind: 'deposed', refusal: notLeading(), why: 'the store refused its token' };
      case 'failed': {
        const refusal = new Refusal('unavailable', `the metadata store did not take the change: ${outcome.why}`);
        return { kind: 'not-written', refusal, retryAfter: RETRY_COMMIT };
      }
      case 'unknown':
        return this.#findOut(records.state, after);
    }
  }

  /** The answer to a commit got lost: nothing is done until it was read whether it happened. */
  async #findOut(state: string, after: Intended): Promise<Written> {
    const key = stateKey(after.cluster.namespace, after.cluster.name);
    while (!this.#closed) {
      try {
        const [entry] = await this.#context.store.read([key]);
        if (entry?.value === state) {
          this.#revisions = { topology: entry.revision, state: entry.revision };
          return { kind: 'written' };
        }
        if ((entry?.revision ?? 0) === this.#revisions.state) {
          const refusal = new Refusal('unavailable', 'the metadata store did not take the change; try again');
          return { kind: 'not-written', refusal, retryAfter: 0 };
        }
        const why = 'the store holds a state that this controller did not write';
        return { kind: 'deposed', refusal: outcomeUnknown(), why };
      } catch {
        await new Promise<void>((resolve) => this.#context.runtime.timers.after(RETRY_COMMIT, resolve));
      }
    }
    return { kind: 'not-written', refusal: outcomeUnknown(), retryAfter: 0 };
  }
}
