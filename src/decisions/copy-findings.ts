/** What people are told of a node that may not follow as it is: what it is, what is being done, what they can do. */
import type { Node, Shard } from '../topology/cluster.ts';
import { kvctl } from './commands.ts';
import { type Course, courseOf } from './copies.ts';
import type { Finding } from './problems.ts';
import { wayBack } from './way-back.ts';
import type { World } from './world.ts';

/** Undefined while nothing is wrong with what it holds, or nobody knows yet. */
export function copyFinding(world: World, shard: Shard, node: Node): Finding | undefined {
  if (node.id === shard.master) return undefined;
  const what = whatItIs(world, shard, node);
  if (what === undefined) return undefined;
  const course = courseOf(world, shard, node);
  const operator = course.kind === 'operator';
  return {
    code: what.code,
    severity: operator ? 'error' : 'warning',
    shard: shard.id,
    node: node.id,
    message: operator ? `${what.message}: ${course.why}` : what.message,
    waitingFor: waitsFor(world, node, course),
    command: operator ? kvctl(world, `node readmit ${node.id}`, ...(course.force ? ['--force'] : [])) : null,
  };
}

function whatItIs(world: World, shard: Shard, node: Node): Pick<Finding, 'code' | 'message'> | undefined {
  const { copy } = node;
  const mayNot = `${node.id} may not follow ${shard.master}`;
  if (copy !== null) {
    return copy.partedAt === null
      ? { code: 'UNPROVEN', message: `${mayNot}: nobody can tell whether its records are this shard’s` }
      : { code: 'DIVERGED', message: `${mayNot}: from sequence ${copy.partedAt} on its records are not this shard’s` };
  }
  if (node.membership === 'member') {
    if (node.proof !== null || node.attaching !== null) return undefined;
    return {
      code: 'UNPROVEN',
      message: `${node.id} follows its master, and nothing proves yet that it holds all of it`,
    };
  }
  const back = wayBack(world, shard, node);
  if (back.kind !== 'refused') return undefined;
  const { why, by } = back.verdict;
  const words = {
    unproven: `nothing proves that its ${back.sequence} records are this shard’s`,
    'below-highest': `it has lost ${by} records that it once had`,
    diverged: `it holds ${by} records that the shard does not have`,
    'fell-back': `it has lost ${by} records and may have written since`,
  }[why];
  return { code: why === 'diverged' ? 'DIVERGED' : 'UNPROVEN', message: `${mayNot}: ${words}` };
}

function waitsFor(world: World, node: Node, course: Course): string | null {
  switch (course.kind) {
    case 'waits':
      return course.for;
    case 'job':
      return JOBS[course.next] + shareDone(world, node, course.job.kind);
    case 'turn':
      return `its turn: ${course.after} is copied before it`;
    case 'operator':
      return 'an operator';
    case 'fence':
      return 'its fence';
    case 'copying':
      return `the end of its copy: ${course.why}`;
    case 'fine':
      return 'its link to its master';
    case 'parted':
    case 'cut':
    case 'saved':
    case 'attach':
    case 'away':
    case 'whole':
      return 'the next commit';
  }
}

const JOBS = {
  compare: 'its log, which is being compared with its master’s',
  save: 'what it alone holds, which is being saved',
  raise: 'its number, which is being raised beyond its master’s',
  prove: 'the proof that it was copied whole',
} as const;

/** ` (40%)`, or nothing where that is not known. */
function shareDone(world: World, node: Node, kind: string): string {
  const progress = world.found(node.id)?.progress;
  if (progress === null || progress === undefined || progress.kind !== kind || progress.of <= 0) return '';
  return ` (${Math.min(99, Math.floor((100 * progress.done) / progress.of))}%)`;
}
