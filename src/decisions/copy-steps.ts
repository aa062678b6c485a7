/** What the course of a node that is to be copied, or may have parted, comes to now: what to commit, and which jobs to run. */
import { type Node, newestEntry, type Shard, withNode } from '../topology/cluster.ts';
import type { NodeId } from '../topology/ids.ts';
import { divergedEvent, toBeCopied } from './comparing.ts';
import { courseOf } from './copies.ts';
import type { CopyJob } from './jobs.ts';
import type { Happening, World } from './world.ts';

export interface CopyStep {
  readonly shard: Shard;
  readonly event?: Happening;
  readonly newText: boolean;
}

/** What is to be committed for this node now; undefined: nothing. */
export function stepCopy(world: World, shard: Shard, node: Node): CopyStep | undefined {
  const course = courseOf(world, shard, node);
  const about = { by: 'controller', shard: shard.id, node: node.id } as const;
  const change = (to: Partial<Node>): Shard => withNode(shard, node.id, (old) => ({ ...old, ...to }));
  const { copy } = node;
  switch (course.kind) {
    case 'parted': {
      const begun = toBeCopied(world, shard, node, course.at, 'controller');
      return {
        shard: change({ membership: 'away', attaching: null, proof: null, copy: begun }),
        event: divergedEvent(shard, node, course.at, course.last, course.why),
        newText: node.membership === 'member',
      };
    }
    case 'cut': {
      if (copy === null) return undefined;
      const under = newestEntry(shard).version;
      return {
        shard: change({ copy: { ...copy, partedAt: course.at, under, saved: null, seal: '' } }),
        newText: false,
      };
    }
    case 'saved': {
      if (copy === null) return undefined;
      const next = change({ copy: { ...copy, saved: course.to, seal: course.seal } });
      return { shard: next, newText: false, ...(course.event !== null && { event: { ...about, ...course.event } }) };
    }
    case 'attach': {
      if (copy === null) return undefined;
      const message = `${node.id} is copied whole from ${shard.master}: raised to sequence ${course.raised.to}, ${course.raised.margin} beyond it`;
      const attached = { ...copy, process: course.raised.process };
      return {
        shard: change({ membership: 'member', attaching: 'copied', proof: null, highest: 0, copy: attached }),
        event: { ...about, kind: 'node.attached', message },
        newText: true,
      };
    }
    case 'away': {
      if (copy === null) return undefined;
      const failures = copy.failures + (course.failed ? 1 : 0);
      // A late copy of the old one would put it back.
      const anew = { ...copy, failures, marker: `${world.fresh}-${node.id}`, process: null };
      return {
        shard: change({ membership: 'away', attaching: null, copy: anew }),
        event: { ...about, kind: 'node.away', message: `${node.id} leaves the topology: ${course.why}` },
        newText: true,
      };
    }
    case 'whole': {
      const process = copy?.process == null ? {} : { process: copy.process };
      const proof = { entry: newestEntry(shard).version, how: 'copied', ...process } as const;
      return {
        shard: change({ proof, attaching: null, copy: null, highest: course.sequence }),
        event: { ...about, kind: 'node.proven', message: `${node.id} follows ${shard.master}, proven: copied` },
        newText: false,
      };
    }
    case 'fine':
    case 'waits':
    case 'job':
    case 'operator':
    case 'turn':
    case 'fence':
    case 'copying':
      return undefined;
  }
}

interface CopyJobs {
  readonly copies: readonly CopyJob[];
  readonly held: readonly NodeId[];
}

export const NO_COPY_JOBS: CopyJobs = { copies: [], held: [] };

/** Jobs to run now, and the nodes whose fence must hold meanwhile. */
export function copyJobs(world: World): CopyJobs {
  if (world.intended.pause !== null) return NO_COPY_JOBS;
  const copies: CopyJob[] = [];
  const held: NodeId[] = [];
  for (const shard of world.intended.cluster.shards) {
    for (const node of shard.nodes) {
      const course = courseOf(world, shard, node);
      if (course.kind !== 'job') continue;
      copies.push(course.job);
      if (world.view(node.id)?.fenceHolds === true) held.push(node.id);
    }
  }
  return { copies, held };
}
