/** A scenario's hands: faults (`stage-faults.ts`) and what an operator asks of the controller. */
import type { MovesCommand } from '../controller/move-plane.ts';
import type { MoveOptions, WantedPlan } from '../controller/move-planning.ts';
import type { SettingsChange } from '../controller/settings-changes.ts';
import { orderMoves, planRebalance } from '../decisions/rebalance.ts';
import type { Reply } from '../kvrocks/resp.ts';
import type { Duration, Instant, RandomSource } from '../runtime/runtime.ts';
import { NO_SECRET } from '../runtime/secret.ts';
import { formatRange, type SlotRange } from '../topology/slots.ts';
import type { Plane } from './controllers.ts';
import type { Machine } from './machine.ts';
import type { SeenShard } from './record-reading.ts';
import { StageFaults } from './stage-faults.ts';
import { type Ended, NAME } from './world.ts';

const CALLER = { name: 'sim' };

export class Stage extends StageFaults {
  /** Acts that are left out of this run. */
  skipped: ReadonlySet<number> = new Set();
  /** When an operator had the committed topology overwrite others. */
  overwrites: Instant[] = [];
  /** Acts that were played. */
  readonly acts: number[] = [];

  acted(number: number, name: string): void {
    this.world.note(`act ${number}: ${name}`);
    this.acts.push(number);
  }

  /** The same stage with chance of its own: what is drawn here shifts nothing elsewhere. */
  drawing(random: RandomSource): Stage {
    const stage = new Stage(this.world, this.invariants, random);
    stage.disasters = this.disasters;
    stage.revivals = this.revivals;
    stage.overwrites = this.overwrites;
    return stage;
  }

  /** Sent by hand to one node, whatever it answers. */
  async command(machine: Machine, ...words: readonly string[]): Promise<Reply | undefined> {
    const reply = await this.world.console.ask(machine.address, words);
    const text = reply === undefined ? 'no answer' : 'text' in reply ? reply.text : reply.kind;
    const [verb, set, name = '', value = ''] = words;
    if (verb === 'CONFIG' && set === 'SET' && machine.own.has(name))
      machine.own = new Map(machine.own).set(name, value);
    this.world.note(`by hand to ${machine.name}: ${words.slice(0, 2).join(' ')}: ${text}`);
    return reply;
  }

  /** The committed topology as a text for nodes, with other masters where `masters` says so. */
  textOf(masters: (shard: SeenShard) => string = ({ master }) => master): string {
    return (this.invariants.cluster?.shards ?? [])
      .flatMap((shard) => {
        const master = masters(shard);
        const members = shard.nodes.filter((node) => !node.away || node.id === master);
        return members.map(({ id, address }) => {
          const [host, port] = address.split(':');
          const slots = shard.slots.map(({ from, to }) => (from === to ? `${from}` : `${from}-${to}`)).join(' ');
          return id === master ? `${id} ${host} ${port} master - ${slots}` : `${id} ${host} ${port} slave ${master}`;
        });
      })
      .join('\n');
  }

  /** Resolves as the next command that changes this node, or any, is on its way to it; or when none was within a while. */
  nextCommand(machine?: Machine, within: Duration = 3_000): Promise<void> {
    return new Promise((resolve) => {
      const { world } = this;
      const before = world.onCommand;
      const hear = (to: Machine, bytes: string) => {
        before(to, bytes);
        if (machine === undefined || to === machine) finish();
      };
      const finish = () => {
        if (world.onCommand === hear) world.onCommand = before;
        resolve();
      };
      world.onCommand = hear;
      world.loop.after(within, finish);
    });
  }

  /** Resolves as a controller next asks this node anything; or when none did within a while. */
  nextQuestion(machine: Machine, within: Duration = 3_000): Promise<void> {
    return new Promise((resolve) => {
      const { world } = this;
      world.onQuestion = (host) => {
        if (host === machine.host) finish();
      };
      const finish = () => {
        world.onQuestion = () => {};
        resolve();
      };
      world.loop.after(within, finish);
    });
  }

  operate(what: string, command: (plane: Plane) => Promise<unknown>): Promise<Ended> {
    return this.world.operate(what, command);
  }

  failover(index: number, preferred?: Machine, force = false): Promise<Ended> {
    return this.operate(`failover shard ${index}`, (plane) =>
      plane.failover(NAME, { index }, preferred?.id, { caller: CALLER, force }),
    );
  }

  migrate(target: number, ranges: readonly SlotRange[], slotOnly = false): Promise<Ended> {
    const words = ranges.map(({ from, to }) => `${from}-${to}`).join(',');
    if (slotOnly) {
      for (const { from, to } of ranges) for (let slot = from; slot <= to; slot++) this.invariants.slotOnly.add(slot);
    }
    return this.operate(`migrate ${words} to shard ${target}${slotOnly ? ' slot_only' : ''}`, (plane) =>
      plane.migrate(NAME, { index: target }, ranges, { slotOnly }, { caller: CALLER }),
    );
  }

  /** Moves by the places of their shards. */
  plan(
    moves: readonly { readonly range: SlotRange; readonly source: number; readonly target: number }[],
    how: MoveOptions = {},
    what: WantedPlan['what'] = 'migrate',
  ): Promise<Ended> {
    const words = moves.map(({ range, source, target }) => `${formatRange(range)} ${source}>${target}`).join(' ');
    return this.operate(`plan ${words}`, (plane) => {
      const wanted = moves.map(({ range, source, target }) => ({
        range,
        source: this.shard(source).id,
        target: this.shard(target).id,
      }));
      return plane.startPlan(NAME, { what, moves: wanted }, how, { caller: CALLER });
    });
  }

  /** As a planner would have it: every shard owns its share by weight. */
  rebalance(weights: readonly number[]): Promise<Ended> {
    return this.operate(`rebalance ${weights.join(' ')}`, (plane) => {
      const shards = this.invariants.cluster?.shards ?? [];
      const plan = planRebalance(shards.map(({ id, slots }, i) => ({ id, slots, weight: weights[i] ?? 0 })));
      if (plan.kind === 'refused') throw new Error(`no plan: ${plan.why}`);
      const moves = orderMoves(plan.moves).flat();
      return plane.startPlan(NAME, { what: 'rebalance', moves, fills: plan.fills }, {}, { caller: CALLER });
    });
  }

  changeMoves(command: MovesCommand): Promise<Ended> {
    return this.operate(`moves ${JSON.stringify(command)}`, (plane) =>
      plane.changeMoves(NAME, command, { caller: CALLER }),
    );
  }

  /** A range around a key that clients have written, so that a move takes data with it; undefined: there is none. */
  rangeWithKeys(index: number, before: number, behind: number): SlotRange | undefined {
    const { slots } = this.shard(index);
    const written = [...new Set(this.world.traffic.acknowledged.map(({ slot }) => slot))];
    const slot = this.pick(written.filter((one) => slots.some(({ from, to }) => from <= one && one <= to)));
    const own = slots.find(({ from, to }) => from <= (slot ?? -1) && (slot ?? -1) <= to);
    if (slot === undefined || own === undefined) return undefined;
    return { from: Math.max(own.from, slot - before), to: Math.min(own.to, slot + behind) };
  }

  addNode(index: number, machine: Machine): Promise<Ended> {
    return this.operate(`add-node ${machine.name} to shard ${index}`, (plane) =>
      plane.createNode(
        NAME,
        { index },
        { address: machine.address, role: 'slave', password: NO_SECRET },
        {},
        { caller: CALLER },
      ),
    );
  }

  removeNode(index: number, machine: Machine, reset = false): Promise<Ended> {
    const node = this.shard(index).nodes.find((one) => this.world.atAddress(one.address) === machine);
    return this.operate(`remove-node ${machine.name} of shard ${index}`, (plane) =>
      plane.deleteNode(NAME, { index }, node?.id ?? '', reset, { caller: CALLER }),
    );
  }

  addShard(machines: readonly Machine[]): Promise<Ended> {
    return this.operate(`add-shard ${machines.map((one) => one.name).join(' ')}`, (plane) =>
      plane.createShard(
        NAME,
        machines.map((one) => one.address),
        NO_SECRET,
        {},
        { caller: CALLER },
      ),
    );
  }

  /** `noFailover`: never promoted unless an operator names it. */
  exclude(index: number, machine: Machine): Promise<Ended> {
    return this.operate(`exclude-node ${machine.name}`, (plane) =>
      plane.changeNode(NAME, { index }, machine.id, { noFailover: true }, { caller: CALLER }),
    );
  }

  settings(change: SettingsChange): Promise<Ended> {
    return this.operate(`settings ${JSON.stringify(change)}`, (plane) =>
      plane.changeSettings(NAME, change, { caller: CALLER }),
    );
  }

  /** The committed topology holds, also against what a node has from elsewhere. */
  overwrite(): Promise<Ended> {
    this.overwrites.push(this.now);
    return this.operate('sync-force', (plane) => plane.sync(NAME, { caller: CALLER, force: true }));
  }

  /** A node that is kept out for an operator is let back; `force`: whatever is lost by it. */
  acceptEmpty(id: string): Promise<Ended> {
    return this.operate(`readmit ${id} empty`, (plane) => plane.readmitEmpty(NAME, id, { caller: CALLER }));
  }

  readmit(id: string, force: boolean): Promise<Ended> {
    return this.operate(`readmit ${id}`, (plane) => plane.readmitNode(NAME, id, { caller: CALLER, force }));
  }

  deleteShard(index: number): Promise<Ended> {
    return this.operate(`delete-shard ${index}`, (plane) =>
      plane.deleteShard(NAME, { index }, false, { caller: CALLER }),
    );
  }

  pause(): Promise<Ended> {
    return this.operate('pause', (plane) => plane.pause(NAME, null, { caller: CALLER }));
  }

  resume(): Promise<Ended> {
    return this.operate('resume', (plane) => plane.resume(NAME, { caller: CALLER }));
  }
}
