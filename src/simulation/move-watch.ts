/**
 * Promises about moves, watched from outside: who takes part in which, why a slot changes its shard, in which order the
 * ends of a move are told, and that a plan counts right.
 */
import { formatRange, type SlotRange, type SlotSet, slotCount, subtract } from '../topology/slots.ts';
import type { Committed } from './command-watch.ts';
import type { Machine } from './machine.ts';
import type { SeenCluster, SeenOperation } from './record-reading.ts';
import type { World } from './world.ts';

/** A source waits for a replica of its target, and an end for one that cannot be told, for these; less what is in flight. */
const REPLICA_BOUND = 900;
const END_BOUND = 2_800;
/** A target that answered its controller no longer ago than this may have died with the source being told; under bad networks. */
const ANSWERED = 1_000;
const ANSWERED_SLOWLY = 6_000;

/** A piece of which nobody will ever know whether its target had taken it, when its masters died. */
export interface LostSight {
  readonly host: string;
  readonly range: SlotRange;
  readonly from: number;
  readonly until: number;
}

/** A source that was told to delete what it had handed over, while a replica of the target had it or the target answered. */
export interface Deleted {
  readonly host: string;
  readonly range: SlotRange;
  readonly target: string;
  readonly at: number;
}

const isActive = ({ kind, phase }: SeenOperation): boolean =>
  kind === 'move' && phase !== 'queued' && phase !== 'failed';

export class MoveWatch {
  readonly lostSight: LostSight[] = [];
  readonly deleted: Deleted[] = [];
  /** Moves under way at a time, at most. */
  most = 0;
  readonly #world: World;
  readonly #committed: Committed;
  /** When each piece came into its phase, and when its target was first told of it. */
  readonly #since = new Map<string, number>();
  readonly #toldAt = new Map<string, number>();

  constructor(world: World, committed: Committed) {
    this.#world = world;
    this.#committed = committed;
  }

  committed(before: SeenCluster, after: SeenCluster): void {
    const active = after.operations.filter(isActive);
    this.most = Math.max(this.most, active.length);
    this.#sharesNothing(active);
    this.#hasAReason(before, after);
    this.#countsRight(before, after);
    for (const move of after.operations) {
      if (move.kind !== 'move') continue;
      const old = before.operations.find(({ id }) => id === move.id);
      if (old?.phase === move.phase) continue;
      this.#since.set(move.id, this.#world.loop.now);
      this.#toldAt.delete(move.id);
      if (old !== undefined) this.#losesSight(after, old, move);
    }
  }

  #sharesNothing(active: readonly SeenOperation[]): void {
    const busy = new Map<string, string>();
    for (const { id, source, target } of active) {
      for (const shard of [source, target]) {
        const other = busy.get(shard);
        if (other !== undefined && other !== id)
          this.#committed.break('a shard takes part in one move', `${shard} in ${other} and ${id}`);
        busy.set(shard, id);
      }
    }
  }

  /** A slot that changes its shard is on its way by a move, or given on somebody's word. */
  #hasAReason(before: SeenCluster, after: SeenCluster): void {
    for (const shard of after.shards) {
      const old = before.shards.find(({ id }) => id === shard.id);
      if (old === undefined || JSON.stringify(old.slots) === JSON.stringify(shard.slots)) continue;
      let got: SlotSet = subtract(shard.slots, old.slots);
      const assigned = subtract(
        got,
        before.shards.flatMap(({ slots }) => slots),
      );
      got = subtract(got, assigned);
      for (const move of [...before.operations, ...after.operations])
        if (isActive(move) && move.range !== undefined && (move.target === shard.id || move.source === shard.id))
          got = subtract(got, [move.range]);
      if (got.length > 0)
        this.#committed.break(
          'a slot changes its shard by a move',
          `version ${after.version}: ${got.map(formatRange).join(',')} to ${shard.id}`,
        );
    }
  }

  /** What a plan says that has moved is what came into the hands of a target. */
  #countsRight(before: SeenCluster, after: SeenCluster): void {
    for (const plan of after.operations) {
      if (plan.kind !== 'plan') continue;
      const old = before.operations.find(({ id }) => id === plan.id);
      if (old === undefined) continue;
      let moved = 0;
      for (const move of after.operations) {
        const was = before.operations.find(({ id }) => id === move.id);
        if (move.plan !== plan.id || was?.phase === move.phase) continue;
        const slots = move.range === undefined ? 0 : slotCount([move.range]);
        if (move.phase === 'handing-over') moved += slots;
        // Given back on an operator's word.
        else if (was?.phase === 'handing-over' && move.phase === 'settling') moved -= slots;
      }
      if (plan.moved - old.moved !== moved)
        this.#committed.break(
          'a plan counts each slot once',
          `${plan.id}: ${moved}, and it says ${plan.moved - old.moved}`,
        );
    }
  }

  #losesSight(after: SeenCluster, old: SeenOperation, move: SeenOperation): void {
    const gone = old.phase === 'migrating' || old.phase === 'held';
    const replaced = after.shards.find(({ id }) => id === old.target)?.master !== old.targetNode;
    if (!gone || !replaced || move.phase === 'handing-over' || old.range === undefined) return;
    const machine = this.#machineOf(old.targetNode);
    if (machine === undefined) return;
    const until = this.#world.loop.now;
    this.lostSight.push({ host: machine.host, range: old.range, from: 0, until });
  }

  /** MIGRATE is sent: each of the two has one job of its kind at a time. */
  begins(source: Machine, target: Machine | undefined, where: string): void {
    if (source.core?.cluster.migrator.busy === true)
      this.#committed.break('one job a node', `${where}, which runs another`);
    if (target?.core?.cluster.importer.running !== undefined)
      this.#committed.break('one job a node', `${where}, whose target imports`);
  }

  /** A version that it does not have is on its way to a node. */
  told(machine: Machine, id: string, where: string): void {
    const { cluster } = this.#committed;
    if (cluster === undefined) return;
    const master = (shard: string) => cluster.shards.find((one) => one.id === shard)?.master;
    for (const move of cluster.operations) {
      if (!isActive(move)) continue;
      if (id === master(move.target)) this.#toldAt.set(move.id, this.#toldAt.get(move.id) ?? this.#world.loop.now);
      if (id === master(move.source)) this.#sourceInItsTurn(cluster, machine, move, where);
    }
  }

  /** The target of a move is told before its source, and the source not before a replica of the target has what it lets go. */
  #sourceInItsTurn(cluster: SeenCluster, machine: Machine, move: SeenOperation, where: string): void {
    if (move.slotOnly || (move.phase !== 'handing-over' && move.phase !== 'settling')) return;
    const since = this.#world.loop.now - (this.#since.get(move.id) ?? 0);
    const target = this.#machineOf(cluster.shards.find(({ id }) => id === move.target)?.master ?? '');
    // Without a mark it deletes nothing.
    const marked = machine.core?.cluster.migrator.infoText.includes('migrating_state: success') === true;
    const deletes = marked && !move.recovered && machine.id === move.sourceNode;
    if (move.phase === 'handing-over' && !deletes) return;
    if (move.phase === 'handing-over') this.#lastCopy(cluster, machine, move, where);
    if (since >= END_BOUND || this.#world.network.troubled || target?.state !== 'running') return;
    if (Number(target.core?.cluster.topology.version) < cluster.version && !this.#toldAt.has(move.id))
      this.#committed.break('the target of a move is told first', where);
    if (move.phase === 'handing-over') this.#hasACopy(cluster, move, where);
  }

  /** What the source deletes is with a replica of the target, or with a target that lives. */
  #lastCopy(cluster: SeenCluster, machine: Machine, move: SeenOperation, where: string): void {
    const { loop, network } = this.#world;
    const target = this.#machineOf(cluster.shards.find(({ id }) => id === move.target)?.master ?? '');
    const lives = target?.state === 'running' && !((target.core?.database.sequence ?? 0) < move.goal);
    const { leader } = this.#world;
    const near = target === undefined || leader === undefined || network.isSound(target.host, leader.host);
    const tolerance = near ? ANSWERED : ANSWERED_SLOWLY;
    const justDied = target !== undefined && loop.now - target.disturbedAt <= tolerance;
    const replicas = this.#replicasOf(cluster, move);
    if (!lives && !justDied && !replicas.some((sequence) => sequence >= move.goal))
      this.#committed.break('a copy is deleted once there is another', `${where}: ${target?.name} is gone`);
    else if (move.range !== undefined)
      this.deleted.push({ host: machine.host, range: move.range, target: move.target, at: loop.now });
  }

  /** What each member of the target that is no master has come to. */
  #replicasOf(cluster: SeenCluster, move: SeenOperation): readonly number[] {
    const nodes = cluster.shards.find(({ id }) => id === move.target)?.nodes ?? [];
    const replicas = nodes.filter((node) => !node.master && !node.away);
    return replicas.map(({ id }) => this.#machineOf(id)?.core?.database.sequence ?? 0);
  }

  #hasACopy(cluster: SeenCluster, move: SeenOperation, where: string): void {
    const toldAt = this.#toldAt.get(move.id);
    if (toldAt === undefined || this.#world.loop.now - toldAt >= REPLICA_BOUND) return;
    const reached = this.#replicasOf(cluster, move);
    if (reached.length > 0 && !reached.some((sequence) => sequence >= move.goal))
      this.#committed.break(
        'a copy is deleted once there is another',
        `${where}: ${reached.join(', ')} of ${move.goal}`,
      );
  }

  #machineOf(id: string): Machine | undefined {
    const nodes = this.#committed.cluster?.shards.flatMap((shard) => shard.nodes) ?? [];
    const address = nodes.find((node) => node.id === id)?.address;
    return address === undefined ? undefined : this.#world.atAddress(address);
  }
}
