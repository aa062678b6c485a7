/** Members that carry another topology than the committed one, and in which points. */
import { lookOf, meantFor, switchoverOf } from '../operations/intended.ts';
import { nodeOf } from '../topology/cluster.ts';
import { differences } from '../topology/difference.ts';
import { linesOf } from '../topology/fingerprint.ts';
import type { NodeId } from '../topology/ids.ts';
import { type Found, NOTHING_MORE } from './check-found.ts';
import { kvctl } from './commands.ts';
import type { DeepLook, NodeLook } from './deep-look.ts';
import type { Finding } from './problems.ts';
import { carries } from './seen.ts';
import type { World } from './world.ts';

/** In which points the node's topology was not the one that was committed when it was read. */
export function topologyEvidence(node: NodeId | null, deep: DeepLook): readonly string[] {
  const look = node === null ? undefined : deep.nodes.get(node);
  if (look?.kind !== 'read' || look.topology === null) return [];
  return differences(linesOf(lookOf(deep.intended).text), look.topology.lines);
}

interface Carried {
  readonly code: string;
  readonly what: string;
}

function carried(look: Extract<NodeLook, { kind: 'read' }>, deep: DeepLook, node: NodeId): Carried | undefined {
  const { version } = deep.intended.cluster;
  if (look.topology === null) return { code: 'TOPOLOGY_NONE', what: 'no topology' };
  const seen = look.topology.version;
  if (seen < version) return { code: 'TOPOLOGY_OLDER', what: `version ${seen}, below the committed ${version}` };
  const same = topologyEvidence(node, deep).length === 0;
  if (seen > version)
    return {
      code: 'TOPOLOGY_NEWER',
      what: same ? `the committed topology as version ${seen}` : `version ${seen} of another topology`,
    };
  return same ? undefined : { code: 'TOPOLOGY_DIFFERS', what: `version ${seen} with another content` };
}

/** Those that the status does not report already. What mends itself meanwhile is told as a note. */
export function topologyFindings(world: World, problems: readonly Finding[], deep: DeepLook): readonly Found[] {
  const list: Found[] = [];
  // Between a drain and its end nobody is meant to carry the same as the others.
  if (switchoverOf(deep.intended) !== undefined) return list;
  for (const [node, look] of deep.nodes) {
    const found = nodeOf(deep.intended.cluster, node);
    if (look.kind === 'unread') {
      if (world.view(node)?.state === 'up')
        list.push({
          ...NOTHING_MORE,
          code: 'NOT_LOOKED_AT',
          severity: 'warning',
          shard: found?.shard.id ?? null,
          node,
          message: `${node} answers its probes, and could not be looked at: ${look.why}`,
          waitingFor: null,
          command: kvctl(world, 'check cluster'),
        });
      continue;
    }
    // Both ends of a running move are told nothing until it ends.
    if (found?.node.membership !== 'member' || !meantFor(deep.intended, node)) continue;
    const apart = carried(look, deep, node);
    if (apart === undefined || problems.some((one) => one.node === node && one.code === 'TOPOLOGY_NEWER')) continue;
    const mended = nodeOf(world.intended.cluster, node) === undefined || carries(world, found.node);
    const so = mended ? '; it was told the committed one meanwhile' : '';
    list.push({
      ...NOTHING_MORE,
      ...(mended ? NOT_WAITING : outlook(world, problems, node)),
      code: apart.code,
      severity: mended ? 'note' : 'error',
      shard: found.shard.id,
      node,
      message: `${node} ${mended ? 'carried' : 'carries'} ${apart.what}${so}`,
      evidence: topologyEvidence(node, deep),
    });
  }
  return list;
}

const NOT_WAITING = { waitingFor: null, command: null };

/** When it will be told: at once, unless something stands in the way. */
function outlook(
  world: World,
  problems: readonly Finding[],
  node: NodeId,
): Pick<Found, 'waitingFor' | 'command'> & Partial<Pick<Found, 'remedy'>> {
  if (world.intended.pause !== null)
    return { waitingFor: 'the end of the pause', command: kvctl(world, 'resume'), remedy: { kind: 'sync' } };
  // Such as a master without its data: it is told nothing before somebody has decided what becomes of it.
  const before = problems.find((one) => one.node === node && one.severity === 'error');
  if (before !== undefined) return { waitingFor: `an end of ${before.code}, which comes first`, command: null };
  return {
    waitingFor: 'it is told by itself as soon as it can be',
    command: kvctl(world, 'sync'),
    remedy: { kind: 'sync' },
  };
}
