/**
 * A node that may not follow as it is comes back without anybody's help, and nothing that can be saved is lost.
 *
 *   its number forbids it     the log is asked (comparing.ts). Equal to its end: it is attached by `log`
 *   parted, or untellable     `Node.copy` is stored, with where it parted, and told (node.diverged)
 *     to be saved             what it alone holds goes to a file, as commands and raw entries; then `saved` is stored
 *     held for an operator    the policy says fence, or what it holds cannot be saved, or three copies were not whole:
 *                             `kvctl node readmit` goes on from here
 *     its turn                one copy at a time in a shard, since it costs the master
 *     fenced                  a master is already; a slave is told a text without its id, which ends its replication
 *     marked and raised       a script with a random text is loaded, the number raised far beyond the master's
 *     attached, `copied`      the next version makes it a replica; its server finds its number beyond the log: full sync
 *     asked for its marker    gone: all was replaced, it is proven. Still there: it lied; away, fenced, twice the margin
 *
 * While `copy` is set the node is unproven: no candidate, no floor, no lag, and its number means nothing once raised.
 * Its number does not prove that it was copied either, nor does its link: only that the marker is gone does, in the
 * process in which it was loaded. A server that lost power may have lost the marker with its last writes.
 *
 * Races, each with what settles it:
 *   - it takes commands without keys behind its fence: they move its number, which the attach's breath tells: the log
 *     is asked again from where it was equal.
 *   - it takes writes, as it woke at an older version: the fence's connection has ended, so it is fenced and read anew,
 *     and what lies behind `saved` is saved first. If even the entry at `saved` is another one, all is saved again.
 *   - the master overtakes its number before it has asked: it is let in by number and keeps its marker.
 *   - its master changes: nobody promotes it, the promotion puts it away, and it begins again with a fence. Where the
 *     new master was promoted below `partedAt`, the shard's history was cut there: so is `partedAt`, and it is saved anew.
 *
 * Where a controller may die, and what its successor does (it knows `Node.copy`, and no answer of a job):
 *   before `saved` is stored   saves again, to a file of the same name
 *   marked, raised, not attached   fences by a version of its own, reads; behind `saved` are entries without keys
 *   attach committed, not told     it says master and is not fenced on our connection: away, from the fence on
 *   told, not proven           asks for the marker; the process it must be in is stored with the attach
 */
import { switchoverOf } from '../operations/intended.ts';
import type { Copy, Node, Shard } from '../topology/cluster.ts';
import type { NodeId, Sequence } from '../topology/ids.ts';
import { answerTo, compareOf, leads, partiesOf } from './comparing.ts';
import { doubtOf } from './confirming.ts';
import { type Check, type CopyJob, copyJobSubject, type Raise, type Raised, type Save } from './jobs.ts';
import { carries, startedSinceCopied } from './seen.ts';
import { commonWith, LOOKED_BACK, rsidOnBoth, rsidOnOne, wayBack } from './way-back.ts';
import type { Happening, NodeView, World } from './world.ts';

/** A full disk may have room again, in milliseconds. */
const TRIED_AGAIN_AFTER = 30_000;
/** A copy that was not whole so often is tried no more by itself: each costs the master a full one. */
const GIVES_UP_AFTER = 3;

/** How far a node is on its way. `fine`: this file has nothing to say about it. */
export type Course =
  | { readonly kind: 'fine' }
  | { readonly kind: 'waits'; readonly for: string }
  /** `next`: what this job is for. */
  | { readonly kind: 'job'; readonly job: CopyJob; readonly next: 'compare' | 'save' | 'raise' | 'prove' }
  /** It parted there, or nobody can tell. */
  | { readonly kind: 'parted'; readonly at: Sequence | null; readonly last: Sequence; readonly why: string }
  | { readonly kind: 'cut'; readonly at: Sequence }
  | {
      readonly kind: 'saved';
      readonly to: Sequence;
      readonly seal: string;
      readonly event: Omit<Happening, 'by'> | null;
    }
  | { readonly kind: 'operator'; readonly why: string; readonly force: boolean }
  | { readonly kind: 'turn'; readonly after: NodeId }
  | { readonly kind: 'fence' }
  | { readonly kind: 'attach'; readonly raised: Raised }
  | { readonly kind: 'copying'; readonly why: string }
  | { readonly kind: 'away'; readonly why: string; readonly failed: boolean }
  | { readonly kind: 'whole'; readonly sequence: Sequence };

const FINE: Course = { kind: 'fine' };
const NAMELESS: Course = { kind: 'operator', why: 'it has no id, so it may be any node', force: true };

/** The number of the job's answer is half as far beyond the master as it was: it is raised again before it is attached. */
const stillBeyond = (raised: Raised, masterAt: Sequence): boolean => raised.to - masterAt > raised.margin / 2;

export function courseOf(world: World, shard: Shard, node: Node): Course {
  if (shard.master === node.id) return FINE;
  if (node.copy !== null) {
    return node.membership === 'member'
      ? beingCopied(world, shard, node, node.copy)
      : (myTurn(world, shard, node) ?? toCopy(world, shard, node, node.copy));
  }
  if (node.membership === 'member') return follows(world, shard, node);
  const back = wayBack(world, shard, node);
  // Where no log can be read its number is believed.
  if (back.kind === 'check') {
    const course = ask(world, shard, node, null, back.sequence, back.back);
    return course.kind === 'parted' && course.why !== '' ? FINE : course;
  }
  if (back.kind !== 'refused') return FINE;
  if (back.nameless) return NAMELESS;
  const view = world.view(node.id);
  const highest = view?.highest ?? 0;
  const known = compareOf(world, shard, node, null, LOOKED_BACK);
  const answer = known === undefined ? undefined : answerTo(world, known, 'compare');
  if (answer !== undefined && answer.kind !== 'same') return ask(world, shard, node, null, back.sequence, LOOKED_BACK);
  return ask(world, shard, node, commonWith(shard, node, back.sequence, highest), back.sequence);
}

/** Its log says where it parted; where no log can be read its number does, if its past is known. */
function ask(
  world: World,
  shard: Shard,
  node: Node,
  common: Sequence | null,
  last: Sequence,
  back: number | null = null,
): Course {
  const job = compareOf(world, shard, node, common, back);
  if (job === undefined) return { kind: 'waits', for: 'its master' };
  const verdict = answerTo(world, job, 'compare');
  switch (verdict?.kind) {
    case undefined:
      return { kind: 'job', job, next: 'compare' };
    case 'same':
      return FINE;
    case 'parted':
      return { kind: 'parted', at: verdict.at, last: Math.max(last, verdict.last), why: '' };
    case 'untellable':
      return { kind: 'parted', at: common === null ? null : common + 1, last, why: verdict.why };
  }
}

/** A replica in the topology: proven, about to be, in doubt, or unproven. */
function follows(world: World, shard: Shard, node: Node): Course {
  const view = world.view(node.id);
  if (view?.state !== 'up' || view.says !== 'slave' || view.sequence === null || view.link !== 'up') return FINE;
  if (!carries(world, node)) return FINE;
  const doubt = doubtOf(world, shard, node, view);
  if (doubt !== undefined) {
    const course = ask(world, shard, node, doubt.common, view.sequence);
    // Nobody can tell: it is judged by its number alone.
    return course.kind === 'parted' && course.why !== '' ? FINE : course;
  }
  if (node.proof !== null && startedSinceCopied(node.proof, view)) {
    const course = ask(world, shard, node, null, view.sequence);
    return course.kind === 'parted' && course.why !== '' ? FINE : course;
  }
  const master = world.view(shard.master);
  const settingsKnown = view.process !== null && master?.process != null;
  if (node.proof !== null && node.attaching === null && settingsKnown && rsidOnOne(view, master)) {
    const course = ask(world, shard, node, null, view.sequence, LOOKED_BACK);
    return course.kind === 'parted' && course.why !== '' ? FINE : course;
  }
  if (node.proof !== null || node.attaching !== null) return FINE;
  const course = ask(world, shard, node, null, view.sequence);
  // It would be copied at the price of one that may be good, and nothing could be saved first.
  return course.kind === 'parted' && course.at === null
    ? { kind: 'operator', why: `nothing proves that it holds what its master does: ${course.why}`, force: true }
    : course;
}

/** Whoever is copied comes first, then the first that is ready. */
function myTurn(world: World, shard: Shard, node: Node): Course | undefined {
  const others = shard.nodes.filter((other) => other.id !== node.id && other.copy !== null);
  const mine = node.copy === null ? FINE : toCopy(world, shard, node, node.copy);
  if (!takesTurn(mine)) return mine;
  const before = others.find((other) => {
    // One that is not there takes nothing from its master now.
    const gone = ['refused', 'silent', 'garbled'].includes(world.view(other.id)?.state ?? 'silent');
    if (other.membership === 'member') return !gone;
    const isEarlier = shard.nodes.indexOf(other) < shard.nodes.indexOf(node);
    return isEarlier && other.copy !== null && takesTurn(toCopy(world, shard, other, other.copy));
  });
  return before === undefined ? mine : { kind: 'turn', after: before.id };
}

/** It has got so far that from here on it costs its master something. */
function takesTurn(course: Course): boolean {
  switch (course.kind) {
    case 'fence':
    case 'attach':
      return true;
    case 'job':
      return course.next === 'raise';
    default:
      return false;
  }
}

/** Where the shard's history was cut below the place where it parted, by a promotion since. */
function cutAt(shard: Shard, copy: Copy): Sequence | undefined {
  if (copy.partedAt === null) return undefined;
  const since = shard.lineage.filter((entry) => entry.version > copy.under);
  const least = Math.min(...since.map((entry) => entry.sequence)) + 1;
  return least < copy.partedAt ? least : undefined;
}

/** An away node, as if it were the only one of its shard that is to be copied. */
function toCopy(world: World, shard: Shard, node: Node, copy: Copy): Course {
  const back = wayBack(world, shard, node);
  const view = world.view(node.id);
  if (back.kind === 'wait') return { kind: 'waits', for: back.for };
  if (back.kind === 'attach' || view === undefined) return FINE;
  if (back.kind === 'refused') return NAMELESS;
  if (back.kind === 'fence') return { kind: 'fence' };
  if (!leads(world, shard)) return { kind: 'waits', for: 'its master' };
  const cut = cutAt(shard, copy);
  if (cut !== undefined) return { kind: 'cut', at: cut };
  const unsaved = toSave(world, shard, node, copy, view, back.sequence);
  if (unsaved !== undefined) return unsaved;
  if (copy.failures >= GIVES_UP_AFTER)
    return { kind: 'operator', why: `it was to be copied whole ${copy.failures} times and was not`, force: false };
  if (world.policy.diverged === 'fence' && copy.by === 'controller')
    return { kind: 'operator', why: 'the cluster’s policy is to keep such nodes as they are', force: false };
  if (switchoverOf(world.intended) !== undefined) return { kind: 'waits', for: 'the end of a switchover' };
  if (view.says === 'slave') {
    // Before 2.11 a text without its id did not end a replica's replication.
    return carries(world, node)
      ? { kind: 'operator', why: 'its server goes on replicating behind a fence; empty its data folder', force: false }
      : { kind: 'fence' };
  }
  return toRaise(world, shard, node, copy, view);
}

/** Undefined: all that it alone holds is saved, or given up on somebody's word. */
function toSave(
  world: World,
  shard: Shard,
  node: Node,
  copy: Copy,
  view: NodeView,
  last: Sequence,
): Course | undefined {
  // A slave's number may still move: what comes after the first time is saved once it is fenced.
  const complete = copy.saved !== null && (view.says === 'slave' ? copy.saved <= last : copy.saved === last);
  if (complete) return undefined;
  if (copy.partedAt === null && !copy.force)
    return { kind: 'operator', why: 'nobody can tell what it alone holds, so it cannot be saved', force: true };
  const known = copy.saved !== null && copy.saved <= last;
  const job: Save = {
    kind: 'save',
    shard: shard.id,
    lineage: shard.lineage,
    from: copy.partedAt,
    after: known ? copy.saved : null,
    seal: known ? copy.seal : '',
    upTo: view.says === 'master' ? last : null,
    partly: copy.force,
    ...partiesOf(shard, node, view),
  };
  const refused = refusedBefore(world, job);
  if (refused !== undefined && !copy.force) return refused;
  if (view.says === 'master' && !view.fenceHolds) return { kind: 'fence' };
  const got = answerTo(world, job, 'save');
  if (got === undefined || (got.kind === 'refused' && !copy.force)) return { kind: 'job', job, next: 'save' };
  if (got.kind === 'refused') {
    const message = `what ${node.id} alone holds is given up: ${got.why}`;
    return { kind: 'saved', to: last, seal: '', event: { kind: 'salvage.skipped', message } };
  }
  const { to, seal, file, first, records, commands } = got;
  // Its log went on while it was read, and nobody has asked for its number since.
  if (to === copy.saved && seal === copy.seal) return undefined;
  if (file === null) return { kind: 'saved', to, seal, event: null };
  const message = `${records} records that ${node.id} alone holds are saved as ${file}, told as ${commands} commands`;
  const evidence = { file, first, last: to, records, commands, all: got.all };
  return { kind: 'saved', to, seal, event: { kind: 'salvage.saved', message, evidence } };
}

/** It could not be saved, behind whichever fence: no other is spent on that before there is reason to try again. */
function refusedBefore(world: World, job: Save): Course | undefined {
  const found = world.found(job.node.id)?.answers.save;
  if (found?.answer.kind !== 'refused' || !found.of.startsWith(`${copyJobSubject(job)} `)) return undefined;
  if (found.answer.mayPass === true && world.now - found.at >= TRIED_AGAIN_AFTER) return undefined;
  return { kind: 'operator', why: `what it alone holds cannot be saved: ${found.answer.why}`, force: true };
}

function toRaise(world: World, shard: Shard, node: Node, copy: Copy, view: NodeView): Course {
  if (!view.fenceHolds) return { kind: 'fence' };
  const raise = !rsidOnBoth(world, shard, view);
  const job: Raise = {
    kind: 'raise',
    marker: copy.marker,
    raise,
    failures: copy.failures,
    ...partiesOf(shard, node, view),
  };
  const raised = answerTo(world, job, 'raise');
  if (raised !== undefined && (!raise || stillBeyond(raised, world.view(shard.master)?.sequence ?? 0)))
    return { kind: 'attach', raised };
  return { kind: 'job', job, next: 'raise' };
}

/** Attached to be copied: told, copied, asked for its marker. */
function beingCopied(world: World, shard: Shard, node: Node, copy: Copy): Course {
  const view = world.view(node.id);
  if (view === undefined || view.state !== 'up') return { kind: 'copying', why: `it is ${view?.state ?? 'unknown'}` };
  if (view.says === 'master' && view.sequence === 0) return { kind: 'away', why: 'it came back empty', failed: false };
  if (view.says === 'master') {
    if (view.busySince !== null || (view.attached !== null && view.askedAt <= view.attached.at))
      return { kind: 'copying', why: 'it is being told' };
    // Without its fence it goes away by itself.
    return view.fenceHolds && attachGuard(world, shard, node) === undefined
      ? { kind: 'away', why: 'its master has come too near to its number', failed: false }
      : { kind: 'copying', why: 'it is being told' };
  }
  if (node.attaching !== 'copied') return { kind: 'away', why: 'it was to be copied whole', failed: false };
  if (!carries(world, node) || view.link !== 'up' || view.sequence === null)
    return { kind: 'copying', why: view.link === 'sync' ? 'a full sync is under way' : 'its link is not up yet' };
  // A link that was seen up before its attach was answered was the one to its old master.
  if (view.attached !== null && view.linkUpAt < view.attached.at) return { kind: 'copying', why: 'it is being told' };
  const job: Check = { kind: 'check', marker: copy.marker, process: copy.process, ...partiesOf(shard, node, view) };
  const checked = answerTo(world, job, 'check');
  switch (checked?.found) {
    case undefined:
      return { kind: 'job', job, next: 'prove' };
    case 'whole':
      return { kind: 'whole', sequence: checked.sequence };
    case 'not-whole':
      return { kind: 'away', why: 'it was let in by its number and not copied', failed: true };
    case 'restarted':
      return { kind: 'away', why: 'it was started again while it was copied, which proves nothing', failed: false };
  }
}

/**
 * What a node that is to be copied must still be beyond when it is told so, on its fence's connection; undefined: it
 * may not be told, as its number was not raised on this connection or its master has come too near.
 */
export function attachGuard(world: World, shard: Shard, node: Node): Sequence | undefined {
  const view = world.view(node.id);
  if (node.copy === null || view?.says !== 'master' || !view.fenceHolds) return undefined;
  const raise = !rsidOnBoth(world, shard, view);
  const { marker, failures } = node.copy;
  const job: Raise = { kind: 'raise', marker, raise, failures, ...partiesOf(shard, node, view) };
  const raised = answerTo(world, job, 'raise');
  if (raised === undefined) return undefined;
  if (!raise) return 0;
  const masterAt = world.view(shard.master)?.sequence ?? 0;
  return stillBeyond(raised, masterAt) ? masterAt + Math.floor(raised.margin / 2) : undefined;
}

/** Its fence is wanted though it says that it is a slave: this alone ends its replication. */
export const fencedAsSlave = (world: World, shard: Shard, node: Node): boolean =>
  node.copy !== null && world.view(node.id)?.says === 'slave' && courseOf(world, shard, node).kind === 'fence';
