/**
 * Who may follow whom. With `use-rsid-psync no`, the default up to 2.16, PSYNC compares numbers and not histories: a
 * node whose number lies within the master's log is let in whatever it holds, and then lies about it for good. So a
 * node follows only what its recorded past allows.
 */
import type { Node, Shard } from './cluster.ts';
import type { Sequence } from './ids.ts';

export type MayFollow =
  | {
      readonly may: true;
      readonly how: 'empty' | 'within' /** Its number must not exceed this. */;
      readonly limit: Sequence;
    }
  | {
      readonly may: false;
      /**
       * `unproven`: nothing is known of its past. `below-highest`: it was seen further on, so it has lost something.
       * `diverged`: it holds `by` records that the shard's history does not have. `fell-back`: an old master below
       * the promotion that replaced it, which may have written since.
       */
      readonly why: 'unproven' | 'below-highest' | 'diverged' | 'fell-back';
      readonly by: Sequence;
    };

/**
 * Whether `node`, which was read at `sequence` while nothing could raise it, may follow the shard's present master.
 * `highest` is the highest sequence ever seen of it. Exact P's make this exact; a P that is only a lower bound errs
 * on the safe side.
 */
export function mayFollow(
  shard: Shard,
  node: Pick<Node, 'id' | 'proof'>,
  sequence: Sequence,
  highest: Sequence,
): MayFollow {
  if (sequence === 0) return { may: true, how: 'empty', limit: 0 };
  if (node.proof === null) return { may: false, why: 'unproven', by: sequence };
  const entry = node.proof.entry;
  const at = shard.lineage.findIndex((candidate) => candidate.version === entry);
  const proven = shard.lineage[at];
  if (proven === undefined) return { may: false, why: 'unproven', by: sequence };
  if (sequence < highest) return { may: false, why: 'below-highest', by: highest - sequence };
  const since = shard.lineage.slice(at + 1);
  const smallest = since.reduce((least, promotion) => Math.min(least, promotion.sequence), Number.POSITIVE_INFINITY);
  const replacedBy = since[0];
  if (proven.master === node.id && replacedBy !== undefined && sequence < replacedBy.sequence) {
    return { may: false, why: 'fell-back', by: replacedBy.sequence - sequence };
  }
  if (sequence > smallest) return { may: false, why: 'diverged', by: sequence - smallest };
  return { may: true, how: 'within', limit: smallest };
}
