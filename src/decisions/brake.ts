/**
 * The controller suspects itself first: when too much falls silent at once, it is the one that is cut off. It then
 * promotes nobody without a witness; where a replica answers and says that it has lost its master, it sees enough.
 * It lasts for as long as those nodes are silent: one by one they are seen again, or an operator decides.
 */
import type { Duration, Instant } from '../runtime/runtime.ts';

export interface Silence {
  /** Unique over all clusters. */
  readonly shard: string;
  /** When it fell silent. */
  readonly at: Instant;
}

const WITHIN: Duration = 3_000;
const NODES = 4;
const SHARDS = 2;

/**
 * Whether, of all nodes of all clusters, more than half, at least 4, of at least 2 shards, fell silent within 3 s and
 * still are. Costs nothing while few are silent.
 */
export function tooMuchAtOnce(nodes: number, silent: ReadonlyMap<unknown, Silence>): boolean {
  const enough = Math.max(NODES, Math.floor(nodes / 2) + 1);
  if (silent.size < enough) return false;
  const ordered = [...silent.values()].sort((a, b) => a.at - b.at);
  return ordered.some((first, i) => {
    const last = ordered[i + enough - 1];
    if (last === undefined || last.at - first.at > WITHIN) return false;
    const window = ordered.slice(i).filter(({ at }) => at - first.at <= WITHIN);
    return new Set(window.map(({ shard }) => shard)).size >= SHARDS;
  });
}
