/** A scenario's hands: faults (`stage-faults.ts`) and what an operator asks of the controller. */
import type { ControlPlane } from '../controller/control-plane.ts';
import type { RandomSource } from '../runtime/runtime.ts';
import { NO_SECRET } from '../runtime/secret.ts';
import type { SlotRange } from '../topology/slots.ts';
import type { Machine } from './machine.ts';
import { StageFaults } from './stage-faults.ts';
import { type Ended, NAME } from './world.ts';

const CALLER = { name: 'sim' };

export class Stage extends StageFaults {
  /** Acts that are left out of this run. */
  skipped: ReadonlySet<number> = new Set();
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
    return stage;
  }

  operate(what: string, command: (plane: ControlPlane) => Promise<unknown>): Promise<Ended> {
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
      plane.migrate(NAME, { index: target }, ranges, slotOnly, { caller: CALLER }),
    );
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

  pause(): Promise<Ended> {
    return this.operate('pause', (plane) => plane.pause(NAME, null, { caller: CALLER }));
  }

  resume(): Promise<Ended> {
    return this.operate('resume', (plane) => plane.resume(NAME, { caller: CALLER }));
  }
}
