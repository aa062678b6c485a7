import { classifyError } from '../errors.ts';
import { natural } from '../info-text.ts';
import { garbled, type Question, type Read, readText, reply } from '../question.ts';
import { encodeCommand, type Reply } from '../resp.ts';

/**
 * `CONFIG GET`, once for each name, in one pipeline: a name that the server does not have is absent. Passwords are not
 * to be asked for: what came back could be printed. A late or repeated copy changes nothing.
 */
export function configGet(names: readonly string[]): Question<ReadonlyMap<string, string>> {
  return {
    bytes: names.map((name) => encodeCommand(['CONFIG', 'GET', name])).join(''),
    replies: names.length,
    read: readSettings,
  };
}

function readSettings(replies: readonly Reply[]): Read<ReadonlyMap<string, string>> {
  const settings = new Map<string, string>();
  for (const got of replies) {
    if (got.kind === 'error') return { kind: 'error', error: classifyError(got.text) };
    if (got.kind !== 'array' || got.items.length % 2 !== 0) return garbled('CONFIG GET: no pairs');
    for (let at = 0; at < got.items.length; at += 2) {
      const [name, value] = got.items.slice(at, at + 2).map(readText);
      if (name === undefined || value === undefined) return garbled('CONFIG GET: no texts');
      settings.set(name, value);
    }
  }
  return reply(settings);
}

/** Undefined where the server does not know the setting, or answers a word that is neither yes nor no. */
export interface NodeSettings {
  readonly clusterEnabled: boolean | undefined;
  /** `no`: version, id and topology are lost at a restart. */
  readonly persistClusterNodes: boolean | undefined;
  /** `no`: a replica without its master is deaf even to SETNODES, so it cannot be promoted. */
  readonly serveStaleData: boolean | undefined;
  /** `yes`: all is lost if the master dies in a full sync, and INFO replication then kills the node. */
  readonly emptyDbBeforeFullSync: boolean | undefined;
  /** Only where both ends say `yes` does replication compare histories, not just numbers. */
  readonly rsidPsync: boolean | undefined;
  readonly migrateType: string | undefined;
  readonly migrateSpeed: number | undefined;
  /** How long SETNODES may stop the node towards a black-holed master, in ms; from 2.11. */
  readonly replicationConnectTimeout: number | undefined;
}

const NAMES = [
  'cluster-enabled',
  'persist-cluster-nodes-enabled',
  'slave-serve-stale-data',
  'slave-empty-db-before-fullsync',
  'use-rsid-psync',
  'migrate-type',
  'migrate-speed',
  'replication-connect-timeout-ms',
] as const;

/** The settings that a controller must look at before it trusts a node. */
export function nodeSettings(): Question<NodeSettings> {
  const all = configGet(NAMES);
  return {
    ...all,
    read: (replies) => {
      const read = all.read(replies);
      return read.kind === 'reply' ? reply(settingsOf(read.value)) : read;
    },
  };
}

function settingsOf(settings: ReadonlyMap<string, string>): NodeSettings {
  const yes = (name: (typeof NAMES)[number]) => {
    const value = settings.get(name);
    return value === 'yes' ? true : value === 'no' ? false : undefined;
  };
  return {
    clusterEnabled: yes('cluster-enabled'),
    persistClusterNodes: yes('persist-cluster-nodes-enabled'),
    serveStaleData: yes('slave-serve-stale-data'),
    emptyDbBeforeFullSync: yes('slave-empty-db-before-fullsync'),
    rsidPsync: yes('use-rsid-psync'),
    migrateType: settings.get('migrate-type'),
    migrateSpeed: natural(settings.get('migrate-speed')),
    replicationConnectTimeout: natural(settings.get('replication-connect-timeout-ms')),
  };
}
