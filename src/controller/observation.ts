/**
 * What is seen of one node, folded from every answer and every failure. Changed in place, since a quiet node is asked
 * every second and must cost nothing; decisions see it read-only.
 */
import type { JobLine, NodeState, NodeView, Role, Told } from '../decisions/world.ts';
import { DETECTION } from '../decisions/world.ts';
import type { ImportingJob, MigratingJob } from '../kvrocks/commands/cluster-info.ts';
import type { ProbeRecord } from '../kvrocks/probe-record.ts';
import type { ConnectionEnd } from '../kvrocks/question.ts';
import type { Duration, Instant } from '../runtime/runtime.ts';
import type { Address } from '../topology/address.ts';
import type { ServerProcess } from '../topology/cluster.ts';
import type { NodeId, Sequence, Version } from '../topology/ids.ts';

export interface Learned {
  readonly myId?: string;
  readonly holds?: { readonly version: Version; readonly fingerprint: string } | null;
  readonly rsid?: boolean | null;
  readonly dangers?: NodeView['dangers'];
  readonly serverVersion?: string;
  readonly process?: ServerProcess;
  /** Milliseconds since 1970, by our clock; null: it does not tell. */
  readonly startedWall?: number | null;
  readonly migrateType?: NodeView['migrateType'];
  readonly passwordless?: boolean;
}

const endWords: Record<ConnectionEnd['kind'], string> = {
  refused: 'connection refused',
  reset: 'connection reset',
  eof: 'connection closed by the node',
  timeout: 'connecting timed out',
  unresolved: 'its host name does not resolve',
  other: 'connecting failed',
  'no-answer': 'no answer in time',
  garbled: 'answers that make no sense',
  closed: 'connection closed',
};

/** A ring of (time, sequence), an entry a second or more: what a master had reached some seconds ago. */
const RING = 16;
const RING_EVERY = 900;
/** The ring reaches back a little further than what may be lost. */
const RING_SHARE = 12;

function jobLine(job: MigratingJob | ImportingJob | undefined): JobLine | null {
  if (job === undefined) return null;
  const { first, last } = job.span;
  const state = job.state === 'unknown' ? 'none' : job.state;
  return { range: first < 0 ? null : { from: first, to: last }, state };
}

const sameJob = (a: JobLine | null, b: JobLine | null): boolean =>
  a === b ||
  (a !== null && b !== null && a.state === b.state && a.range?.from === b.range?.from && a.range?.to === b.range?.to);

export class NodeWatch implements NodeView {
  readonly id: NodeId;
  state: NodeState = 'unknown';
  since: Instant;
  sinceWall: number;
  reason: string | null = null;
  firstAskedAt: Instant;
  askedAt: Instant = Number.NEGATIVE_INFINITY;
  answeredAt: Instant = Number.NEGATIVE_INFINITY;
  brokeAt: Instant | null = null;
  failedAskedAt: Instant = Number.NEGATIVE_INFINITY;
  timeouts = 0;
  myId: string | null = null;
  says: Role | null = null;
  sequence: Sequence | null = null;
  highest: Sequence;
  fell: NodeView['fell'] = null;
  aged: Sequence = 0;
  version: Version | null = null;
  /** Since when it has carried that. */
  versionSince: Instant = Number.NEGATIVE_INFINITY;
  link: NodeView['link'] = null;
  follows: Address | null = null;
  linkUpAt: Instant = Number.NEGATIVE_INFINITY;
  linkDownAt: Instant | null = null;
  lostAt: Instant | null = null;
  silence: number | null = null;
  holds: NodeView['holds'] = null;
  holdsSince: Instant = Number.NEGATIVE_INFINITY;
  fenced: Told | null = null;
  fenceHolds = false;
  attached: Told | null = null;
  promoted: Told | null = null;
  busySince: Instant | null = null;
  returnAfter: Instant = Number.NEGATIVE_INFINITY;
  rsid: boolean | null = null;
  dangers: NodeView['dangers'] = [];
  serverVersion: string | null = null;
  process: ServerProcess | null = null;
  startedWall: number | null = null;
  migrateType: NodeView['migrateType'] = null;
  passwordless: boolean | null = null;
  migrating: JobLine | null = null;
  importing: JobLine | null = null;
  latency: Duration | null = null;
  readonly #ringAt = new Float64Array(RING).fill(Number.NEGATIVE_INFINITY);
  readonly #ringSequence = new Float64Array(RING);
  #ringNext = 0;
  #departures = 0;
  #heardAt: Instant = Number.NEGATIVE_INFINITY;
  /** Numbers that were asked for before this are of another life of it. */
  #beganAt: Instant = Number.NEGATIVE_INFINITY;
  #numberAskedAt: Instant = Number.NEGATIVE_INFINITY;
  /** What an answer has overwritten of which nobody knows yet whose it is. */
  #unidentified: Pick<NodeWatch, 'brokeAt' | 'askedAt' | 'answeredAt'> | null = null;

  /** How far behind its master a replica may be promoted, in ms. */
  readonly #maxLag: () => Duration;

  constructor(id: NodeId, highest: Sequence, now: Instant, wall: number, maxLag: () => Duration) {
    this.#maxLag = maxLag;
    this.id = id;
    this.highest = highest;
    this.since = now;
    this.sinceWall = wall;
    this.firstAskedAt = now;
  }

  #enter(state: NodeState, reason: string | null, now: Instant, wall: number): boolean {
    this.reason = reason;
    if (this.state === state) return false;
    this.state = state;
    this.since = now;
    this.sinceWall = wall;
    return true;
  }

  /** True if something changed that a decision may hang on; a sequence that only rises is none. */
  answered(record: Readonly<ProbeRecord>, wall: number): boolean {
    const now = record.answeredAt;
    if (record.kind === 'error') return this.#erred(record, wall);
    if (this.#isAnother()) return this.#answeredByAnother(record.askedAt, now, wall);
    if (this.myId === null && this.#unidentified === null) {
      const { brokeAt, askedAt, answeredAt } = this;
      this.#unidentified = { brokeAt, askedAt, answeredAt };
    }
    this.askedAt = record.askedAt;
    this.answeredAt = now;
    this.latency = now - record.askedAt;
    this.timeouts = 0;
    let changed = this.brokeAt !== null;
    this.brokeAt = null;
    if (record.kind === 'loading' || record.kind === 'denied' || record.kind === 'masterdown') {
      const reason = record.kind === 'loading' ? null : (record.error?.text ?? null);
      return this.#enter(record.kind, reason, now, wall) || changed;
    }
    changed = this.#enter('up', null, now, wall) || changed;
    // A question that was on its way when a push was answered may bring older numbers than that answer did.
    if (record.askedAt < this.#heardAt) return changed;
    const version = record.kind === 'not-initialized' ? -1 : record.epoch;
    if (version !== this.version) {
      this.#carries(version, now);
      // A question that was on its way when the fence was answered says nothing of it.
      if (this.fenced !== null && version < this.fenced.version && record.askedAt > this.fenced.at) this.unfence();
      changed = true;
    }
    return this.#replication(record, now) || changed;
  }

  #isAnother(): boolean {
    return this.myId !== null && this.myId !== '' && this.myId !== this.id;
  }

  #carries(version: Version | null, now: Instant): void {
    if (version !== this.version) this.versionSince = now;
    this.version = version;
  }

  /** Our node does not answer: somebody else does, at its address. */
  #answeredByAnother(askedAt: Instant, now: Instant, wall: number): boolean {
    const broke = this.brokeAt === null;
    this.brokeAt ??= askedAt;
    this.failedAskedAt = Math.max(this.failedAskedAt, askedAt);
    return this.#enter('wrong-id', `it says that it is ${this.myId}`, now, wall) || broke;
  }

  #replication(record: Readonly<ProbeRecord>, now: Instant): boolean {
    let changed = false;
    const says = record.role === 'none' ? null : record.role;
    if (says !== this.says) {
      this.says = says;
      changed = true;
    }
    const link = says !== 'slave' ? null : record.syncInProgress ? 'sync' : record.link === 'up' ? 'up' : 'down';
    if (link !== this.link) {
      this.link = link;
      changed = true;
    }
    changed = this.#follow(says === 'slave' ? record.masterHost : '', record.masterPort) || changed;
    if (link === 'up') {
      this.linkUpAt = record.askedAt;
      this.linkDownAt = null;
      this.lostAt = null;
    } else if (link === 'down' && this.linkDownAt === null) {
      this.linkDownAt = now;
      this.lostAt ??= now;
    } else if (link === null) this.linkDownAt = null;
    const silence = record.secondsSinceIo < 0 ? null : record.secondsSinceIo;
    changed ||= (silence ?? 0) >= DETECTION.witnessSilence !== (this.silence ?? 0) >= DETECTION.witnessSilence;
    this.silence = silence;
    if (record.sequence >= 0) {
      this.sequence = record.sequence;
      changed ||= record.sequence < this.highest;
      this.#numberAskedAt = record.askedAt;
      if (this.myId === this.id) this.#rank(record.sequence, now);
    }
    const migrating = jobLine(record.migrating);
    const importing = jobLine(record.importing);
    changed ||= !sameJob(migrating, this.migrating) || !sameJob(importing, this.importing);
    this.migrating = migrating;
    this.importing = importing;
    return changed;
  }

  #follow(host: string, port: number): boolean {
    const known = this.follows;
    if (host === (known?.host ?? '') && (known === null || port === known.port)) return false;
    this.follows = host === '' ? null : { host, port };
    return true;
  }

  /** Its own number: before its id was read it may be another node's. */
  #rank(sequence: Sequence, now: Instant): void {
    // What a master without its data writes is no history of its shard.
    if (this.fell !== null && this.says === 'master') return;
    const isOfThisLife = this.#numberAskedAt >= this.#beganAt;
    if (sequence > this.highest) this.highest = sequence;
    else if (sequence < this.highest && isOfThisLife) this.fell ??= { from: this.highest, at: now };
    if (isOfThisLife) this.#remember(sequence, now);
  }

  /** Nothing but what was ranked, so that `aged` is never beyond `highest`. */
  #remember(sequence: Sequence, now: Instant): void {
    if (this.fell !== null) return;
    const last = this.#ringAt[(this.#ringNext + RING - 1) % RING] ?? Number.NEGATIVE_INFINITY;
    const maxLag = this.#maxLag();
    if (now - last >= Math.max(RING_EVERY, maxLag / RING_SHARE)) {
      this.#ringAt[this.#ringNext] = now;
      this.#ringSequence[this.#ringNext] = sequence;
      this.#ringNext = (this.#ringNext + 1) % RING;
    }
    let aged = 0;
    for (let i = 0; i < RING; i++) {
      const at = this.#ringAt[i] ?? Number.NEGATIVE_INFINITY;
      if (at <= now - maxLag && at > Number.NEGATIVE_INFINITY) aged = Math.max(aged, this.#ringSequence[i] ?? 0);
    }
    if (aged > 0) this.aged = aged;
  }

  /** A living process whose answers make no sense is as good as silent. */
  #erred(record: Readonly<ProbeRecord>, wall: number): boolean {
    this.brokeAt ??= record.askedAt;
    this.failedAskedAt = record.askedAt;
    this.timeouts++;
    this.#enter('garbled', record.error?.text ?? null, record.answeredAt, wall);
    return true;
  }

  /** `begunAt`: when the attempt was begun that failed. `wasOpen`: an established connection ended. */
  failed(why: ConnectionEnd, begunAt: Instant, wasOpen: boolean, now: Instant, wall: number): void {
    const grace = this.says === 'slave' ? DETECTION.graceReplica : DETECTION.graceMaster;
    if (why.kind === 'no-answer' && this.busySince !== null && now < this.busySince + grace) {
      this.#enter('busy', 'inside a SETNODES', now, wall);
      return;
    }
    const ended = why.kind === 'refused' || why.kind === 'reset' || why.kind === 'eof';
    // A new connection that ends before anything was answered over it is as good as none.
    const refused = why.kind === 'refused' || (ended && (this.brokeAt !== null || (why.kind === 'reset' && !wasOpen)));
    this.brokeAt ??= wasOpen ? now : begunAt;
    this.lostAt ??= this.brokeAt;
    this.failedAskedAt = Math.max(this.failedAskedAt, begunAt);
    if (!ended) this.timeouts++;
    this.myId = null;
    this.process = null;
    this.startedWall = null;
    // A server reads it when it starts, and the next one may have been given another.
    this.rsid = null;
    this.#unidentified = null;
    const detail = why.kind === 'other' ? `: ${why.code}` : '';
    // The end of a connection says nothing yet of the next one, which is tried at once.
    const state = why.kind === 'garbled' ? 'garbled' : refused ? 'refused' : 'silent';
    this.#enter(state, `${endWords[why.kind]}${detail}`, now, wall);
  }

  learn(learned: Learned, now: Instant): void {
    if (learned.myId !== undefined) {
      this.myId = learned.myId;
      if (this.#isAnother()) {
        this.holds = null;
        const before = this.#unidentified;
        const asked = before === null ? now : this.askedAt;
        if (before !== null) {
          this.brokeAt = before.brokeAt;
          this.askedAt = before.askedAt;
          this.answeredAt = before.answeredAt;
        }
        this.#answeredByAnother(asked, now, this.sinceWall);
      } else if (this.state === 'wrong-id') this.#enter('unknown', null, now, this.sinceWall);
      // The number that was answered before its id was read is its own after all.
      if (learned.myId === this.id && this.state === 'up' && this.sequence !== null && this.#unidentified !== null)
        this.#rank(this.sequence, now);
      this.#unidentified = null;
    }
    if (learned.holds !== undefined) {
      this.holds = learned.holds;
      this.holdsSince = now;
      this.#carries(learned.holds === null ? -1 : learned.holds.version, now);
    }
    if (learned.rsid !== undefined) this.rsid = learned.rsid;
    if (learned.dangers !== undefined) this.dangers = learned.dangers;
    if (learned.serverVersion !== undefined) this.serverVersion = learned.serverVersion;
    if (learned.process !== undefined) this.process = learned.process;
    if (learned.startedWall !== undefined) this.startedWall = learned.startedWall;
    if (learned.migrateType !== undefined) this.migrateType = learned.migrateType;
    if (learned.passwordless !== undefined) this.passwordless = learned.passwordless;
  }

  fence(told: Told): void {
    this.fenced = told;
    this.fenceHolds = true;
  }

  /** What came in the breath of a push is newer than every question that was asked before. */
  heard(told: Told): void {
    this.#heardAt = told.at;
    // Its number is of now: older answers of others are not to be measured by it.
    if (told.at > this.answeredAt) this.answeredAt = told.at;
    this.says = told.role;
    this.sequence = told.sequence;
    if (told.sequence > this.highest) this.highest = told.sequence;
  }

  unfence(): void {
    this.fenced = null;
    this.fenceHolds = false;
  }

  /** It left the topology: the first return is free, each further one is put off twice as long as the one before. */
  left(now: Instant): void {
    this.returnAfter = this.#departures === 0 ? now : now + Math.min(60_000, 500 * 2 ** this.#departures);
    this.#departures++;
  }

  /** The node was copied whole, or attached anew: what it was seen at before counts no more. */
  restart(highest: Sequence, now: Instant): void {
    this.#departures = 0;
    this.highest = highest;
    this.fell = null;
    // A number that was raised for a full copy would be asked of each candidate once this node is master.
    this.aged = 0;
    this.#ringAt.fill(Number.NEGATIVE_INFINITY);
    this.#beganAt = now;
  }
}
