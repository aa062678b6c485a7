/** Settings of a node that endanger its cluster, each with the command that mends it. */
import type { NodeSettings } from '../kvrocks/commands/config-get.ts';

export interface Danger {
  readonly what: string;
  readonly command: string | null;
  /** A node is not adopted with it. */
  readonly refused: boolean;
}

export function dangersOf(settings: NodeSettings): readonly Danger[] {
  const dangers: Danger[] = [];
  if (settings.serveStaleData === false) {
    dangers.push({
      what: 'slave-serve-stale-data is no: without its master it is deaf even to a promotion',
      command: 'redis-cli CONFIG SET slave-serve-stale-data yes',
      refused: true,
    });
  }
  if (settings.emptyDbBeforeFullSync === true) {
    dangers.push({
      what: 'slave-empty-db-before-fullsync is yes: a master that dies in a full sync takes all data with it',
      command: 'redis-cli CONFIG SET slave-empty-db-before-fullsync no',
      refused: true,
    });
  }
  if (settings.persistClusterNodes === false) {
    dangers.push({
      what: 'persist-cluster-nodes-enabled is no: a restart forgets its id and topology',
      command: 'redis-cli CONFIG SET persist-cluster-nodes-enabled yes',
      refused: false,
    });
  }
  return dangers;
}
