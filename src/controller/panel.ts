/**
 * Asks the other controllers about each master of a cluster that is missed here: all of them at the first miss, and
 * again while it lasts. Of each one only its newest answer counts.
 */
import type { PeersView, World } from '../decisions/world.ts';
import type { Duration, Instant, Runtime } from '../runtime/runtime.ts';
import { masterOf, type Shard } from '../topology/cluster.ts';
import type { NodeId, ShardId } from '../topology/ids.ts';
import type { Opinion, Peers } from './peers.ts';

interface Panelist {
  /** When the newest question was sent; while it is under way no other one is. */
  askedAt: Instant;
  asking: boolean;
  answer: { readonly opinion: Opinion; readonly askedAt: Instant; readonly at: Instant } | undefined;
}

/** The questions about one master since it broke. */
interface Inquiry {
  readonly master: NodeId;
  readonly panelists: Map<string, Panelist>;
}

/** An answer that came by then counts; a peer itself tries for half a second, and is to be heard then. */
const WITHIN: Duration = 700;
/** Between two questions to one peer about one master. */
const EVERY: Duration = 100;
/** And of a master that has been missed for long. */
const EVERY_LATER: Duration = 500;
const LONG: Duration = 10_000;
/** An older answer says nothing of now. */
const FRESH: Duration = 1_000;

const NOBODY: PeersView = { alive: 0, gone: 0, outstanding: 0 };

export class Panel {
  readonly #runtime: Runtime;
  readonly #peers: Peers | undefined;
  readonly #heard: () => void;
  readonly #inquiries = new Map<ShardId, Inquiry>();

  /** `heard`: an answer came. */
  constructor(runtime: Runtime, peers: Peers | undefined, heard: () => void) {
    this.#runtime = runtime;
    this.#peers = peers;
    this.#heard = heard;
  }

  /** Asks about the masters that are missed now, and forgets what was said of the others. */
  consult(world: World): void {
    if (this.#peers === undefined) return;
    for (const shard of world.intended.cluster.shards) {
      const brokeAt = world.view(shard.master)?.brokeAt ?? null;
      // Nobody could take its place.
      if (brokeAt === null || shard.nodes.length < 2) this.#inquiries.delete(shard.id);
      else this.#consultAbout(world, shard, world.now - brokeAt > LONG ? EVERY_LATER : EVERY, this.#peers);
    }
  }

  #consultAbout(world: World, shard: Shard, every: Duration, peers: Peers): void {
    const { id, address } = masterOf(shard);
    let inquiry = this.#inquiries.get(shard.id);
    if (inquiry?.master !== id) {
      inquiry = { master: id, panelists: new Map() };
      this.#inquiries.set(shard.id, inquiry);
    }
    const { namespace, name } = world.intended.cluster;
    const question = { namespace, cluster: name, shard: shard.id, master: { id, address } };
    for (const peer of peers.known()) {
      let panelist = inquiry.panelists.get(peer);
      if (panelist === undefined) {
        panelist = { askedAt: Number.NEGATIVE_INFINITY, asking: false, answer: undefined };
        inquiry.panelists.set(peer, panelist);
      }
      if (panelist.asking || world.now - panelist.askedAt < every) continue;
      void this.#ask(panelist, peers.ask(peer, question, WITHIN), world.now);
    }
  }

  async #ask(panelist: Panelist, answer: Promise<Opinion | undefined>, askedAt: Instant): Promise<void> {
    panelist.asking = true;
    panelist.askedAt = askedAt;
    const opinion = await answer;
    panelist.asking = false;
    if (opinion === undefined) return;
    panelist.answer = { opinion, askedAt, at: this.#runtime.clock.now() };
    this.#heard();
  }

  /** `since`: when it broke; questions that were sent before, or before `trustFrom`, count no more than unanswered ones. */
  view(shard: Shard | undefined, since: Instant | null, trustFrom: Instant): PeersView {
    const inquiry = shard === undefined ? undefined : this.#inquiries.get(shard.id);
    if (this.#peers === undefined || since === null || shard === undefined || inquiry?.master !== shard.master)
      return NOBODY;
    const now = this.#runtime.clock.now();
    let alive = 0;
    let gone = 0;
    let outstanding = 0;
    for (const peer of this.#peers.known()) {
      const answer = inquiry.panelists.get(peer)?.answer;
      if (answer === undefined || answer.askedAt < Math.max(since, trustFrom)) outstanding++;
      else if (answer.at < now - FRESH) continue;
      else if (answer.opinion === 'alive') alive++;
      else gone++;
    }
    return { alive, gone, outstanding };
  }
}
