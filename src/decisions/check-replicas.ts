/** Replicas that are being copied, strangers that copy from here, and versions of the server that do not go together. */
import { formatAddress } from '../topology/address.ts';
import { replicasOf, type Shard } from '../topology/cluster.ts';
import { type Found, NOTHING_MORE } from './check-found.ts';
import type { DeepLook } from './deep-look.ts';
import type { World } from './world.ts';

export function replicaFindings(world: World, deep: DeepLook): readonly Found[] {
  return world.intended.cluster.shards.flatMap((shard) => [
    ...copying(world, shard),
    ...strangers(world, shard, deep),
    ...tooOld(world, shard),
  ]);
}

/** By the server's own choice; a copy that is forced is a problem of the status. */
function copying(world: World, shard: Shard): readonly Found[] {
  return replicasOf(shard)
    .filter(({ id, copy }) => copy === null && world.view(id)?.link === 'sync' && world.view(id)?.state === 'up')
    .map(({ id }) => ({
      ...NOTHING_MORE,
      code: 'REPLICA_COPYING',
      severity: 'warning',
      shard: shard.id,
      node: id,
      message: `${id} is being copied whole from ${shard.master}; until that has ended it cannot take its place`,
      waitingFor: 'the end of the copy',
      command: null,
    }));
}

/** Replicas behind another address than they are listed with explain as many unknown ones. */
function strangers(world: World, shard: Shard, deep: DeepLook): readonly Found[] {
  const look = deep.nodes.get(shard.master);
  if (look?.kind !== 'read' || look.strangers.length === 0) return [];
  const own = replicasOf(shard).filter(({ id }) => {
    const link = world.view(id)?.link;
    return link === 'up' || link === 'sync';
  });
  if (look.feeds <= own.length) return [];
  const where = look.strangers.map(formatAddress);
  return [
    {
      ...NOTHING_MORE,
      code: 'UNKNOWN_REPLICA',
      severity: 'warning',
      shard: shard.id,
      node: shard.master,
      message: `${shard.master} feeds ${where.join(', ')}, ${where.length === 1 ? 'which is no node' : 'which are no nodes'} of this cluster`,
      waitingFor:
        'an operator: find out what copies from it, and end that or add it with `kvctl create node`; one that has just died is forgotten in a moment',
      command: null,
    },
  ];
}

type Numbers = readonly number[];

/** Undefined for a build without a release number. */
function numbersOf(version: string | null | undefined): Numbers | undefined {
  const match = /^v?(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?/.exec(version ?? '');
  return match === null ? undefined : match.slice(1).map((number) => Number(number ?? 0));
}

const older = (a: Numbers, b: Numbers): boolean => {
  const at = a.findIndex((number, i) => number !== b[i]);
  return at >= 0 && (a[at] ?? 0) < (b[at] ?? 0);
};

/** An older server cannot read a newer one's files (seen between 2.13 and 2.14). */
function tooOld(world: World, shard: Shard): readonly Found[] {
  const version = world.view(shard.master)?.serverVersion;
  const master = numbersOf(version);
  if (master === undefined) return [];
  return replicasOf(shard).flatMap(({ id }) => {
    const own = world.view(id)?.serverVersion;
    const numbers = numbersOf(own);
    if (numbers === undefined || !older(numbers, master)) return [];
    return [
      {
        ...NOTHING_MORE,
        code: 'REPLICA_OLDER',
        severity: 'warning',
        shard: shard.id,
        node: id,
        message: `${id} runs ${own} and its master ${version}: it follows, but cannot be copied whole if it ever falls too far behind`,
        waitingFor: 'an operator: upgrade it; replicas first, their master last',
        command: null,
      },
    ];
  });
}

/** Several releases side by side; a note, since that is how an upgrade looks. */
export function serverFindings(world: World): readonly Found[] {
  const nodes = new Map<string, string[]>();
  for (const { nodes: members } of world.intended.cluster.shards) {
    for (const { id } of members) {
      const version = world.view(id)?.serverVersion;
      if (version != null) nodes.set(version, [...(nodes.get(version) ?? []), id]);
    }
  }
  if (nodes.size < 2) return [];
  return [
    {
      ...NOTHING_MORE,
      code: 'VERSIONS_DIFFER',
      severity: 'note',
      shard: null,
      node: null,
      message: `the nodes run ${nodes.size} versions of the server`,
      waitingFor: null,
      command: null,
      evidence: [...nodes].map(([version, ids]) => `${version}: ${ids.join(', ')}`),
    },
  ];
}
