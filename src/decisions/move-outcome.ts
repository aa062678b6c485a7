/**
 * How a migration ended, from what its two servers say. `success` lives in their memory only, so each answer has to be
 * read with what may have happened to them since:
 *
 *   a key of the piece, read at the source    its job in INFO    the target's import in INFO     it ended
 *   MOVED to the target                       whatever           whatever                        well: the target serves
 *   whatever                                  start              whatever                        not yet
 *   neither can be told                       otherwise          whatever                        nobody knows yet
 *   served                                    fail, or it said   success, or it serves the key   badly, and both have served
 *                                               so in its reply      too
 *   served                                    fail               neither, or no answer           badly
 *   served                                    success            success, of now                 well, undone by a push of
 *                                                                                                  somebody else
 *   served                                    none, or another   success, of now                 well, undone by a restart
 *                                                                                                  of the source
 *   served                                    none, or another   none of now                     badly, or it never began
 *   served                                    none, or another   no answer                       nobody knows yet
 *
 * A success is of now unless the same process of the target said it of the same piece before MIGRATE was sent. Pure.
 */
import type { Noted } from '../operations/move.ts';
import { type ServerProcess, sameProcess } from '../topology/cluster.ts';
import type { SlotRange } from '../topology/slots.ts';
import type { Beside, JobLine } from './world.ts';

export interface MigrationFacts {
  /** A read of a key of the piece at the source. */
  readonly served: 'source' | 'target' | 'unknown';
  /** Its last outgoing job. */
  readonly source: JobLine | null;
  /** Null: it did not answer as itself. */
  readonly target: TargetFacts | null;
  /** The source has answered MIGRATE with an error; null: it has not answered, or nobody heard it. */
  readonly error: string | null;
}

interface TargetFacts {
  /** Its last incoming job. */
  readonly importing: JobLine | null;
  readonly process: ServerProcess | null;
  /** It answers a read of a key of the piece. */
  readonly serves?: boolean;
}

export type MigrationEnd =
  | { readonly kind: 'success'; readonly undone: 'restart' | 'push' | null }
  | { readonly kind: 'failed'; readonly why: string; readonly beside: Beside }
  | { readonly kind: 'open'; readonly waitsFor: 'job' | 'source' | 'target' };

const isOf = (line: JobLine | null, piece: SlotRange): line is JobLine =>
  line?.range?.from === piece.from && line.range.to === piece.to;

/**
 * What the target's own answer says of a piece: `taken`: it serves it. `not-taken`: it does not. `forgotten`: it was
 * restarted since MIGRATE was sent. `past`: it says success, and said so before.
 */
export function targetWord(
  target: TargetFacts,
  piece: SlotRange,
  noted: Noted | null,
): 'taken' | 'not-taken' | 'forgotten' | 'past' {
  const another = noted?.process != null && target.process !== null && !sameProcess(noted.process, target.process);
  if (isOf(target.importing, piece) && target.importing.state === 'success')
    return noted?.success === true && !another ? 'past' : 'taken';
  return another ? 'forgotten' : 'not-taken';
}

export function migrationEnd(facts: MigrationFacts, piece: SlotRange, noted: Noted | null): MigrationEnd {
  const { served, source, target, error } = facts;
  if (served === 'target') return { kind: 'success', undone: null };
  const says = isOf(source, piece) ? source.state : 'none';
  if (says === 'start') return { kind: 'open', waitsFor: 'job' };
  if (served === 'unknown') return { kind: 'open', waitsFor: 'source' };
  const word = target === null ? null : targetWord(target, piece, noted);
  if (error !== null || says === 'fail') {
    const why = error ?? 'the source says that it failed';
    return { kind: 'failed', why, beside: besideOf(target, word) };
  }
  if (word === null) return { kind: 'open', waitsFor: 'target' };
  if (word === 'taken') return { kind: 'success', undone: says === 'success' ? 'push' : 'restart' };
  const why = 'the job is gone, and the source serves the slots';
  return { kind: 'failed', why, beside: word === 'forgotten' ? 'forgotten' : null };
}

/** A target that has taken the piece over and hears then that it failed says `error`, and serves it all the same. */
function besideOf(target: TargetFacts | null, word: ReturnType<typeof targetWord> | null): Beside {
  if (target === null || word === null) return 'unheard';
  return word === 'taken' || target.serves ? 'served' : null;
}
