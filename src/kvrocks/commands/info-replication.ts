import { infoFields, natural } from '../info-text.ts';
import { garbled, type Question, question, type Read, readText, reply } from '../question.ts';

/** All sequences are RocksDB sequence numbers. */
export type InfoReplication =
  | { readonly role: 'master'; readonly sequence: number; readonly replicas: readonly FedReplica[] }
  | {
      readonly role: 'slave';
      readonly masterHost: string;
      readonly masterPort: number;
      /** `up` proves nothing: a hung master leaves it up. */
      readonly link: 'up' | 'down';
      readonly syncInProgress: boolean;
      /** Seconds since the master was heard: 0 to 2 on a healthy link; `never` before the first connection. */
      readonly secondsSinceIo: number | 'never';
      readonly sequence: number;
    }
  /** Restoring in a full sync: no role is told. */
  | { readonly role: 'loading' };

/** What a master says of a replica; how far that one really is only the replica knows. */
export interface FedReplica {
  readonly host: string;
  readonly port: number;
  /** Before 2.14 what was sent to it; from 2.14 what it acknowledged up to two seconds ago, and 0 from older replicas. */
  readonly sequence: number;
  readonly lag: number;
}

/** A replica that was never connected counts the seconds from 1970 (seen: 1795466809). */
export const TEN_YEARS_OF_SECONDS = 315_360_000;

/**
 * `INFO replication`, also answered while loading and when `MASTERDOWN` answers all else. A late or repeated copy
 * changes nothing. (ROLE would kill a replica that is restoring; it is not offered.)
 */
export function infoReplication(): Question<InfoReplication> {
  return question(['INFO', 'replication'], (got) => {
    const text = readText(got);
    return text === undefined ? garbled('INFO replication: no text') : parseInfoReplication(text);
  });
}

export function parseInfoReplication(text: string): Read<InfoReplication> {
  const fields = infoFields(text);
  const role = fields.get('role');
  // Empty before 2.12, a bare header from 2.12 on.
  if (role === undefined || role === '') return reply({ role: 'loading' });
  if (role === 'master') return master(fields);
  return role === 'slave' ? slave(fields) : garbled('INFO replication: an unknown role');
}

function master(fields: ReadonlyMap<string, string>): Read<InfoReplication> {
  const sequence = natural(fields.get('master_repl_offset'));
  if (sequence === undefined) return garbled('INFO replication: a master without a sequence');
  const replicas: FedReplica[] = [];
  for (const [name, value] of fields) {
    if (!/^slave\d+$/.test(name)) continue;
    const replica = fedReplica(value);
    if (replica !== undefined) replicas.push(replica);
  }
  return reply({ role: 'master', sequence, replicas });
}

function fedReplica(value: string): FedReplica | undefined {
  const parts = new Map(value.split(',').map((part) => [part.split('=')[0] ?? '', part.slice(part.indexOf('=') + 1)]));
  const host = parts.get('ip');
  const port = natural(parts.get('port'));
  const sequence = natural(parts.get('offset'));
  if (host === undefined || port === undefined || sequence === undefined) return undefined;
  return { host, port, sequence, lag: natural(parts.get('lag')) ?? 0 };
}

function slave(fields: ReadonlyMap<string, string>): Read<InfoReplication> {
  const masterHost = fields.get('master_host');
  const masterPort = natural(fields.get('master_port'));
  const link = fields.get('master_link_status');
  const silent = natural(fields.get('master_last_io_seconds_ago'));
  const sequence = natural(fields.get('slave_repl_offset'));
  if (masterHost === undefined || masterPort === undefined || silent === undefined || sequence === undefined) {
    return garbled('INFO replication: a field of a slave is missing');
  }
  if (link !== 'up' && link !== 'down') return garbled('INFO replication: an unknown link status');
  return reply({
    role: 'slave',
    masterHost,
    masterPort,
    link,
    syncInProgress: fields.get('master_sync_in_progress') === '1',
    secondsSinceIo: silent > TEN_YEARS_OF_SECONDS ? 'never' : silent,
    sequence,
  });
}
