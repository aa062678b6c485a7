/** Whether a node has the history of its master, by their logs: entry by entry, up to the node's end. */
import type { LogVerdict } from '../decisions/jobs.ts';
import type { LogEntry, Updates } from '../kvrocks/commands/poll-updates.ts';
import type { Sequence } from '../topology/ids.ts';
import { JobFailed } from './log-reader.ts';

/** What a comparison needs of a `LogReader`. */
export interface EntrySource {
  entries(after: Sequence, most?: number, lax?: boolean): Promise<Updates<LogEntry>>;
}

/** Where nothing is known and no less is asked for, no more than this is compared: about a minute. */
const COMPARED_AT_MOST = 1_000_000;
/** And no fewer, unless both logs begin at the beginning: less is too little to take the rest on trust. */
const TRUSTED_FROM = 100;

/**
 * `common`: up to there they are surely the same; null where nothing is known, and then `back` says how many records
 * before the node's end are compared. Rejects with `JobFailed`.
 */
export async function compareLogs(
  node: EntrySource,
  master: EntrySource,
  common: Sequence | null,
  progress: (done: number, of: number) => void,
  back: number | null = null,
): Promise<LogVerdict> {
  if (common !== null) return compareFrom(node, master, common, progress);
  const begin = await bothBegin(node, master, back ?? COMPARED_AT_MOST);
  if (typeof begin === 'object') return begin;
  const verdict = await compareFrom(node, master, begin - 1, progress);
  // One that differs refutes; where it parted is all the same to who is asked whether it did.
  if (begin === 1 || verdict.kind === 'untellable' || (back !== null && verdict.kind === 'parted')) return verdict;
  const equal = (verdict.kind === 'same' ? verdict.last + 1 : verdict.at) - begin;
  if (equal >= TRUSTED_FROM) return verdict;
  return verdict.kind === 'same'
    ? { kind: 'untellable', why: `their logs have only ${equal} records in common` }
    : { kind: 'untellable', why: 'their logs differ, and do not reach back to where they parted' };
}

/** The first sequence that is in both logs, or as far back as is looked; a verdict where there is none. */
async function bothBegin(node: EntrySource, master: EntrySource, back: number): Promise<Sequence | LogVerdict> {
  const mine = await beginning(node);
  const theirs = await beginning(master);
  if (mine === undefined || theirs === undefined) {
    const whose = mine === undefined ? 'it' : 'its master';
    return { kind: 'untellable', why: `${whose} has no log that can be read` };
  }
  const begin = Math.max(mine.first, theirs.first);
  if (begin > mine.latest) return { kind: 'untellable', why: `its master’s log begins only at sequence ${begin}` };
  if (mine.latest - begin < back) return begin;
  const got = await node.entries(mine.latest - back, 1, true);
  return got.kind === 'updates' ? (got.entries[0]?.sequence ?? begin) : begin;
}

/** Undefined where nothing can be read. */
async function beginning(of: EntrySource): Promise<{ first: Sequence; latest: Sequence } | undefined> {
  const got = await of.entries(0, 1, true);
  const first = got.kind === 'updates' ? got.entries[0] : undefined;
  return got.kind === 'updates' && first !== undefined
    ? { first: first.sequence, latest: got.latestSequence }
    : undefined;
}

async function compareFrom(
  node: EntrySource,
  master: EntrySource,
  from: Sequence,
  progress: (done: number, of: number) => void,
): Promise<LogVerdict> {
  let after = from;
  for (;;) {
    const mine = await node.entries(after);
    switch (mine.kind) {
      case 'beyond-the-end':
        throw new JobFailed('it fell back while its log was read');
      case 'purged':
        return { kind: 'untellable', why: `its log begins only at sequence ${mine.available ?? 'unknown'}` };
      case 'inside-an-entry':
        return parted(node, mine.begins);
      case 'unsupported':
        return { kind: 'untellable', why: 'its server does not tell its log' };
      case 'updates':
    }
    if (mine.entries.length === 0) return { kind: 'same', last: after };
    progress(after - from, mine.latestSequence - from);
    const theirs = await master.entries(after, mine.entries.length);
    switch (theirs.kind) {
      case 'beyond-the-end':
        return { kind: 'parted', at: after + 1, last: mine.latestSequence };
      case 'purged':
        return { kind: 'untellable', why: `its master’s log begins only at sequence ${theirs.available ?? 'unknown'}` };
      case 'inside-an-entry':
        return { kind: 'parted', at: theirs.begins, last: mine.latestSequence };
      case 'unsupported':
        return { kind: 'untellable', why: 'its master’s server does not tell its log' };
      case 'updates':
    }
    // The master is not so far, or not so far yet: only the node has it.
    if (theirs.entries.length === 0) return { kind: 'parted', at: after + 1, last: mine.latestSequence };
    for (const [i, entry] of mine.entries.entries()) {
      const other = theirs.entries[i];
      if (other === undefined) break;
      if (entry.bytes !== other.bytes) return { kind: 'parted', at: entry.sequence, last: mine.latestSequence };
      after = entry.sequence + entry.count - 1;
    }
  }
}

async function parted(node: EntrySource, at: Sequence): Promise<LogVerdict> {
  const got = await node.entries(at - 1, 1);
  return { kind: 'parted', at, last: got.kind === 'updates' ? got.latestSequence : at };
}
