/** What stands between the nodes and the committed topology, by what the nodes really are. */
import type { Invariants } from './invariants.ts';
import type { World } from './world.ts';

/** Members that answer and do not carry the committed version or say another role: what a push alone can mend. */
export function untold(world: World, invariants: Invariants): readonly string[] {
  const { cluster } = invariants;
  return (cluster?.shards ?? []).flatMap((shard) =>
    shard.nodes.flatMap((node) => {
      const machine = world.atAddress(node.address);
      const core = machine?.core;
      if (node.away || core === undefined || machine?.state !== 'running') return [];
      const version = Number(core.cluster.topology.version);
      if (version === cluster?.version && core.isSlave !== node.master) return [];
      return [`${machine.name} is a ${core.isSlave ? 'slave' : 'master'} at version ${version} of ${cluster?.version}`];
    }),
  );
}

/** Members that copy slots in another way than their own file, or somebody by hand, says. */
export function keptSpeeds(world: World, invariants: Invariants): readonly string[] {
  const members = new Set(invariants.cluster?.shards.flatMap(({ nodes }) => nodes.map(({ id }) => id)));
  return world.machines.flatMap((machine) => {
    if (machine.core === undefined || !members.has(machine.id)) return [];
    return machine.core.settings
      .matching('migrate-*')
      .filter(([name, value]) => value !== machine.own.get(name))
      .map(([name, value]) => `${machine.name} has ${name} ${value}, and its own is ${machine.own.get(name)}`);
  });
}

/** One line for each node that does not carry the committed topology, or does not play its role. Empty: converged. */
export function unconverged(world: World, invariants: Invariants): readonly string[] {
  const { cluster } = invariants;
  if (cluster === undefined) return ['there is no cluster'];
  const lines: string[] = [];
  for (const shard of cluster.shards) {
    const master = shard.nodes.find((node) => node.master);
    for (const node of shard.nodes) {
      const machine = world.atAddress(node.address);
      const core = machine?.core;
      const name = machine?.name ?? node.address;
      if (machine === undefined || core === undefined || machine.state !== 'running') {
        lines.push(`${name} is ${machine?.state ?? 'unknown'}`);
        continue;
      }
      if (node.away) {
        lines.push(`${name} is away`);
        continue;
      }
      if (machine.id !== node.id) lines.push(`${name} has another id`);
      if (Number(core.cluster.topology.version) !== cluster.version)
        lines.push(`${name} is at version ${core.cluster.topology.version} of ${cluster.version}`);
      else if (node.master && core.isSlave) lines.push(`${name} is a slave`);
      else if (!node.master) {
        const followed = core.replication;
        const at = followed === undefined ? 'nobody' : `${followed.host}:${followed.port}`;
        if (at !== master?.address) lines.push(`${name} follows ${at}`);
        else if (followed?.linkUp !== true) lines.push(`${name} has no link`);
        else if (node.provenAt !== shard.lineage.at(-1)?.version) lines.push(`${name} is not proven`);
      }
    }
  }
  for (const operation of cluster.operations)
    if (operation.kind !== 'plan' && operation.phase !== 'failed')
      lines.push(`a ${operation.kind} is ${operation.phase}`);
  if (cluster.tuned > 0) lines.push(`${cluster.tuned} settings of servers are to be put back`);
  for (const id of cluster.leaving) {
    const machine = world.machines.find((one) => one.id === id);
    if (machine?.state === 'running') lines.push(`${machine.name} is leaving`);
  }
  return lines;
}

/** Replicas that have not yet got what their master has. */
export function behind(world: World, invariants: Invariants): readonly string[] {
  return (invariants.cluster?.shards ?? []).flatMap((shard) => {
    const master = shard.nodes.find((node) => node.master);
    const reached = master === undefined ? undefined : world.atAddress(master.address)?.core?.database.sequence;
    return shard.nodes.flatMap((node) => {
      const machine = world.atAddress(node.address);
      const own = machine?.core?.database.sequence;
      if (node.master || node.away || own === undefined || own === reached) return [];
      return [`${machine?.name} is at sequence ${own} and its master at ${reached}`];
    });
  });
}

/** The key-by-key differences between each replica and its master; only where both are settled. */
export function differences(world: World, invariants: Invariants): readonly string[] {
  const lines: string[] = [];
  const wall = world.server.runtime.clock.wall();
  for (const shard of invariants.cluster?.shards ?? []) {
    const master = shard.nodes.find((node) => node.master);
    const source = master === undefined ? undefined : world.atAddress(master.address)?.core?.database;
    if (source === undefined) continue;
    const truth = contents(source, wall);
    for (const node of shard.nodes) {
      const machine = world.atAddress(node.address);
      if (node.master || node.away || machine?.core?.replication?.linkUp !== true) continue;
      const copy = contents(machine.core.database, wall);
      const keys = new Set([...truth.keys(), ...copy.keys()]);
      for (const key of keys) {
        if (truth.get(key) !== copy.get(key)) {
          lines.push(`${machine.name} differs from its master in ${key}`);
          break;
        }
      }
    }
  }
  return lines;
}

interface Readable {
  keysInSlot(slot: number, now: number): readonly string[];
  dump(key: string, now: number): readonly (readonly string[])[];
}

function contents(database: Readable, wall: number): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (let slot = 0; slot < 16_384; slot++) {
    for (const key of database.keysInSlot(slot, wall)) {
      const parts = database.dump(key, wall).map((effect) => [...effect].sort().join(' '));
      found.set(key, parts.sort().join('\n'));
    }
  }
  return found;
}

interface Logged {
  readonly sequence: number;
  entriesFrom(from: number): readonly { readonly sequence: number; readonly effects: unknown }[] | undefined;
}

/** Whether all that `node` holds, from `from` on, is also what `master` once was; undefined where a log begins later. */
export function isPrefix(node: Logged, master: Logged, from = 1): boolean | undefined {
  const own = node.entriesFrom(from);
  const others = master.entriesFrom(from);
  if (own === undefined || others === undefined) return undefined;
  if (node.sequence > master.sequence) return false;
  const known = new Map(others.map((entry) => [entry.sequence, JSON.stringify(entry.effects)]));
  return own.every((entry) => known.get(entry.sequence) === JSON.stringify(entry.effects));
}
