/** After a write is stored: until the nodes know it, or what it started is finished. */
import { covers, formatRange, parseRange, type SlotRange, slotSet } from '../topology/slots.ts';
import { line } from './client/refusals.ts';
import { Failure } from './exit.ts';
import { sleep } from './io.ts';
import { CLUSTER } from './lookup.ts';
import { counted, plain, span } from './render/text.ts';
import type { ClusterStatus, NodeStatus, Place, Session } from './session.ts';
import { noWait, timeout } from './settings.ts';

export type Progress =
  | { readonly kind: 'done'; readonly notes: readonly string[] }
  /** `watch`: the command that shows how it gets on. */
  | ({ readonly kind: 'waiting' } & Seen)
  | { readonly kind: 'failed'; readonly why: string };

export type Judge = (status: ClusterStatus) => Progress;

/** Milliseconds between two looks. */
const INTERVAL = 250;

/** Whether a node in this state can be told anything: one that cannot is told when it is back, and not waited for. */
function canBeTold(state: NodeStatus['state']): boolean {
  switch (state) {
    case 'unknown':
    case 'up':
    case 'loading':
    case 'masterdown':
    case 'busy':
      return true;
    case 'denied':
    case 'wrong-id':
    case 'refused':
    case 'silent':
    case 'garbled':
      return false;
  }
}

/** Every member that can be told carries the committed topology. */
export function nodesKnow(status: ClusterStatus): Progress {
  const behind = status.shards
    .flatMap((shard) => shard.nodes)
    .filter((node) => node.membership === 'member' && !node.in_sync);
  const waiting = behind.filter((node) => canBeTold(node.state));
  if (waiting.length > 0 && status.paused === null) {
    const names = waiting.map((node) => node.addr).join(', ');
    return { kind: 'waiting', text: `${counted(waiting.length, 'node')} without version ${status.version}: ${names}` };
  }
  const notes = behind.map((node) =>
    canBeTold(node.state)
      ? `${node.addr} is not told: the cluster is paused`
      : `${node.addr} is ${node.state}: it is told when it is back`,
  );
  return { kind: 'done', notes };
}

/** These removed nodes were told, or cannot be. */
export function nodesLeft(ids: readonly string[]): Judge {
  return (status) => {
    const leaving = status.leaving.filter(({ id }) => ids.includes(id));
    const waiting = leaving.filter((node) => canBeTold(node.state));
    if (waiting.length > 0 && status.paused === null) {
      return { kind: 'waiting', text: `${waiting.map((node) => node.addr).join(', ')} to be released` };
    }
    const where = { namespace: status.namespace, cluster: status.cluster };
    const stuck = leaving.map(
      (node) =>
        `${node.addr} is ${node.state} and not released yet; to give it up: ${line(`node forget ${node.id}`, where)}`,
    );
    const known = nodesKnow(status);
    return known.kind === 'done' ? { kind: 'done', notes: [...known.notes, ...stuck] } : known;
  };
}

const overlaps = (a: SlotRange, b: SlotRange): boolean => a.from <= b.to && b.from <= a.to;

const rangesOf = (texts: readonly string[]): readonly SlotRange[] =>
  texts.flatMap((text) => {
    const range = parseRange(text);
    return range === undefined ? [] : [range];
  });

/** The shard `target` owns `ranges`. A move that is gone without that has failed. */
export function slotsMoved(target: string, ranges: readonly SlotRange[]): Judge {
  return (status) => {
    const owned = slotSet(rangesOf(status.shards.find(({ id }) => id === target)?.slots ?? []));
    const open = slotSet(ranges).filter((range) => !covers(owned, range));
    if (open.length === 0) return nodesKnow(status);
    const text = open.map(formatRange).join(',');
    const moves = status.operations.filter(
      (operation) =>
        operation.kind === 'move' &&
        operation.target_shard === target &&
        rangesOf(operation.slots?.split(',') ?? []).some((range) => open.some((other) => overlaps(range, other))),
    );
    if (moves.length === 0)
      return { kind: 'failed', why: `the move of slots ${text} ended, and ${target} does not own them` };
    const phase = moves.map((move) => [move.phase, move.message].filter(Boolean).join(': ')).join('; ');
    return { kind: 'waiting', text: `slots ${text} to move (${phase})`, watch: 'move list --watch' };
  };
}

/** Resolves when `judge` says done. Throws when it says failed, or when `--timeout` has passed. */
export async function waitFor(session: Session, place: Place, judge: Judge): Promise<void> {
  if (session.get(noWait)) return;
  const { io } = session;
  const begun = io.clock.now();
  const longest = session.get(timeout);
  const progress = (text: string) => {
    if (io.errIsTerminal) io.err(`\r\x1b[K${[...text].slice(0, Math.max(1, io.screen().columns - 1)).join('')}`);
  };
  const release = io.catchCtrlC();
  let last: Seen = { text: 'the controller' };
  try {
    for (;;) {
      const seen = await look(session, place, judge);
      const passed = io.clock.now() - begun;
      if (seen.kind === 'done') {
        progress('');
        for (const note of seen.notes) session.note(plain(note));
        return;
      }
      if (seen.kind === 'failed') {
        throw new Failure('node', plain(seen.why), { next: `See what happened: ${line('events', place)}` });
      }
      // A look that was broken off has seen nothing.
      if (!io.stopped.aborted) last = seen;
      if (passed >= longest || io.stopped.aborted) throw late(last, passed, place);
      progress(plain(`waiting for ${seen.text} (${span(passed)})`));
      await sleep(io, Math.min(INTERVAL, longest - passed));
    }
  } finally {
    progress('');
    release();
  }
}

interface Seen {
  readonly text: string;
  readonly watch?: string;
}

const late = ({ text, watch = 'status --watch' }: Seen, passed: number, place: Place): Failure =>
  new Failure('unknown', plain(`it is stored, but not finished after ${span(passed)}: waiting for ${text}`), {
    next: `It goes on by itself. Watch it: ${line(watch, place)}`,
  });

/** A controller that is away for a moment is waited for as well. */
async function look(session: Session, place: Place, judge: Judge): Promise<Progress> {
  try {
    return judge(await session.ask(session.api.GET(`${CLUSTER}/status`, { params: { path: place } })));
  } catch (error) {
    if (error instanceof Failure && error.exit === 'unavailable') {
      return { kind: 'waiting', text: `the controller: ${error.message}` };
    }
    throw error;
  }
}
